"""What carriers do that no standard says, or that few people read: each is a sipp scenario."""

import re
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from tests.carriers import steps
from tests.carriers.lines import state, wait_trouble
from tests.carriers.odd import OddCarrier, connect, seen
from tests.carriers.office import NUMBER, Office
from tests.carriers.side_door import SideDoor
from tests.interop.devices import BaresipDevice
from tests.interop.plain_sip import parameter
from tests.interop.scenario import answer_in_dialog, expect, response
from tests.interop.waiting import until
from tests.net.zone import Zone

pytestmark = pytest.mark.interop

USER, DOMAIN = "+4930555", "carrier.invalid"

NewCarrier = Callable[..., OddCarrier]


def test_the_ack_goes_to_the_contact(
    office: Office, new_carrier: NewCarrier, closing: ExitStack
) -> None:
    """Of the 200, not back to where the INVITE went; so does the BYE."""
    port = office.ports.one()
    text = steps.carrier(*steps.taken(), *steps.answering(), registering=steps.registrar())
    text = text.replace("@[local_ip]:[contact_port]", f"@127.0.0.32:{port}")
    carrier = new_carrier(text)
    door = SideDoor(carrier.host, port)
    closing.callback(door.close)
    connect(office, carrier)
    office.talk("9030123456")
    office.hang_up()
    carrier.got("BYE")
    assert door.passed == ["ACK", "BYE"]
    assert office.record("LO").fci["cause"] == "16"


@pytest.mark.parametrize("strength", ["optional", "mandatory"])
def test_a_call_that_requires_preconditions(
    office: Office, new_carrier: NewCarrier, strength: str
) -> None:
    """RFC 3312: nothing has to be reserved here, so they are met at once."""
    carrier = new_carrier(steps.carrier(registering=steps.registrar()))
    connect(office, carrier)
    body = steps.PRECONDITIONS.replace("optional", strength)
    text = steps.calling("Require: precondition", body=body)
    calling = carrier.call(USER, text, server=office.exchange.host)
    office.wait_sound()
    calling.finish()
    answer = next(one.message for one in seen(calling) if one.message.status == 200)
    assert "a=curr:qos local sendrecv" in answer.body
    assert ("a=conf:qos remote sendrecv" in answer.body) == (strength == "mandatory")
    office.exchange.wait_idle()
    assert office.record("OO").fci["cause"] == "16"


def test_preconditions_refused(office: Office, new_carrier: NewCarrier) -> None:
    carrier = new_carrier(steps.carrier(registering=steps.registrar()))
    connect(office, carrier, precondition="refuse")
    text = steps.calling("Require: precondition", body=steps.PRECONDITIONS, refused="580")
    carrier.call(USER, text, server=office.exchange.host).finish()


def test_a_menu_that_is_heard_before_the_answer(office: Office, new_carrier: NewCarrier) -> None:
    """It wants a key by INFO, and answers the call only then."""
    wanted = [
        *steps.taken(),
        response("183 Session Progress", sdp=True),
        expect("INFO"),
        answer_in_dialog(),
        *steps.answered(sdp=True),
    ]
    carrier = new_carrier(steps.carrier(*wanted, registering=steps.registrar()))
    connect(office, carrier, dtmf="info")
    office.dial("9030123456")
    office.wait_sound()
    BaresipDevice(office.phone).press("5")
    info = carrier.got("INFO").message
    assert (info.get("content-type"), info.body.split()[0]) == (
        "application/dtmf-relay",
        "Signal=5",
    )
    carrier.got("ACK")
    office.wait_sound(1.0)
    office.hang_up()
    carrier.got("BYE")
    assert len(carrier.all("INFO")) == 1
    assert office.record("LO").fci["cause"] == "16"


def test_rotating_names_with_a_dead_target(
    office: Office, new_carrier: NewCarrier, zone: Zone
) -> None:
    """INVITEs go to the server that took the REGISTER, whatever DNS says by then."""
    dead = office.ports.one()
    text = steps.carrier(*steps.taken(), *steps.answering(), registering=steps.registrar())
    servers = [
        new_carrier(text, address=f"127.0.0.3{last}", name=f"server{last}") for last in (5, 6)
    ]
    name = "rotating.example"
    targets = [f"10 0 {dead} dead.{name}."]
    zone.records[name, "TXT"] = ["x"]
    zone.records[f"dead.{name}", "A"] = ["127.0.0.37"]
    for one, server in enumerate(servers):
        targets.append(f"{20 + one} 0 {server.port} s{one}.{name}.")
        zone.records[f"s{one}.{name}", "A"] = [server.address]
    zone.records[f"_sip._udp.{name}", "SRV"] = targets
    given = {"user": servers[0].user, "password": servers[0].password}
    office.line("rotating", server=name, **given)
    servers[0].answered("REGISTER", 200)
    # From now on the other one comes first
    zone.records[f"_sip._udp.{name}", "SRV"] = [
        one.replace("21 0", "5 0") if one.startswith("21") else one for one in targets
    ]
    for call in range(2):
        office.talk("9030123456")
        servers[0].got("INVITE", 1 + call)
        office.hang_up()
    assert not servers[1].all("INVITE")


def test_a_server_that_asks_for_a_password_and_then_fails(
    office: Office, new_carrier: NewCarrier, zone: Zone
) -> None:
    """The call goes on by the next one, which asks for it anew (RFC 3263 §4.3)."""
    failing = steps.carrier(
        *steps.challenging(),
        *steps.ending("503 Service Unavailable"),
        registering=steps.registrar(),
    )
    good = steps.carrier(*steps.challenging(), *steps.answering(), registering=steps.registrar())
    name = "failing.example"
    targets = []
    servers = []
    for last, text in ((5, failing), (6, good)):
        server = new_carrier(text, address=f"127.0.0.3{last}", name=f"server{last}")
        targets.append(f"{last} 0 {server.port} s{last}.{name}.")
        zone.records[f"s{last}.{name}", "A"] = [server.address]
        servers.append(server)
    zone.records[name, "TXT"] = ["x"]
    zone.records[f"_sip._udp.{name}", "SRV"] = targets
    given = {"user": servers[0].user, "password": servers[0].password}
    office.line("failing", server=name, **given)
    servers[0].answered("REGISTER", 200)
    office.talk("9030123456")
    servers[0].answered("INVITE", 503)
    servers[1].answered("INVITE", 401)
    office.hang_up()
    servers[1].got("BYE")
    record = office.record("LO")
    assert (record.fci["lineOut"], record.fci["cause"]) == ("failing", "16")
    assert record["called_addr"] == f"udp {servers[1].host}"


def test_a_registrar_that_says_when_it_may_be_asked_again(
    office: Office, new_carrier: NewCarrier
) -> None:
    """Retry-After of a 503, where it's longer than what we would have waited."""
    extra = "Retry-After: 400 (maintenance);duration=3600"
    carrier = new_carrier(steps.carrier(registering=steps.refused("503 No", extra)))
    office.line("carrier", server=carrier.host, user=carrier.user, password=carrier.password)
    bad = wait_trouble(office.exchange, "unavailable", "carrier")
    assert 390 < (bad.next_try_s or 0) <= 401
    assert len(carrier.all("REGISTER")) == 1


def test_headers_in_several_lines(office: Office, new_carrier: NewCarrier) -> None:
    """Folded and repeated ones; the Service-Route's order is that of the INVITE's Route."""
    port = office.ports.one()
    host = f"127.0.0.31:{port}"
    route = [f"Service-Route: <sip:one@{host};lr>,", f"[fold]<sip:two@{host};lr>"]
    more = [
        f"Service-Route: <sip:three@{host};lr>",
        "P-Associated-URI:",
        f"[fold]<sip:{USER}@{DOMAIN}>",
    ]
    text = steps.carrier(
        *steps.taken(), *steps.answering(), registering=steps.registrar(*route, *more)
    )
    carrier = new_carrier(text, port=port)
    connect(office, carrier)
    assert state(office.exchange, "carrier").identities == [f"sip:{USER}@{DOMAIN}"]
    office.talk("9030123456")
    invite = carrier.got("INVITE").message
    users = re.findall(r"sip:(\w+)@", ",".join(invite.all("route")))
    assert users == ["one", "two", "three"]
    office.hang_up()


def test_a_registrar_that_is_silent_at_first(office: Office, new_carrier: NewCarrier) -> None:
    """Its REGISTER is repeated, as RFC 3261 §17.1.2 has it; a call finds no line meanwhile."""
    carrier = new_carrier(steps.carrier(registering=steps.silent()))
    office.line("carrier", server=carrier.host, user=carrier.user, password=carrier.password)
    first, second = carrier.got("REGISTER").message, carrier.got("REGISTER", 2).message
    assert parameter(first.get("via"), "branch") == parameter(second.get("via"), "branch")
    office.dial("9030123456")
    record = until("the record", lambda: office.records()[0])
    assert record.fci["callTag"] == "314"
    assert not carrier.all("INVITE")


def test_a_registrar_that_answers_from_another_address(
    office: Office, new_carrier: NewCarrier, closing: ExitStack
) -> None:
    """Some carriers' answers come from behind: they are taken, and so are calls from there."""
    carrier = new_carrier(steps.carrier(registering=steps.registrar()))
    door = SideDoor(carrier.host, office.ports.one(), answers_from="127.0.0.33")
    closing.callback(door.close)
    given = {"user": carrier.user, "password": carrier.password, "destination": NUMBER}
    office.line("carrier", server=door.host, **given)
    carrier.answered("REGISTER", 200)
    elsewhere = new_carrier(steps.carrier(), address="127.0.0.33", name="elsewhere")
    calling = elsewhere.call(USER, steps.calling(), server=office.exchange.host)
    office.wait_sound()
    calling.finish()
    office.exchange.wait_idle()
    assert office.record("OO").fci["lineIn"] == "carrier"
