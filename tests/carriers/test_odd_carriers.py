"""What carriers do that no standard says, or that few people read: each is a sipp scenario."""

import re
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.carriers import steps
from tests.carriers.lines import add_line, set_line, state, wait_trouble, wait_usable
from tests.carriers.odd import OddCarrier, seen
from tests.carriers.office import NUMBER, PASSWORD, SECOND, Office, plain
from tests.carriers.side_door import SideDoor
from tests.interop import scenario
from tests.interop.exchange import Exchange
from tests.interop.plain_sip import parameter
from tests.interop.ports import Ports
from tests.interop.sipp import Account, Sipp
from tests.interop.waiting import until
from tests.net.zone import Zone

pytestmark = pytest.mark.interop

USER, DOMAIN = "+4930555", "carrier.invalid"

NewCarrier = Callable[..., OddCarrier]


def _line(office: Office, carrier: OddCarrier, **options: object) -> None:
    """Add the line `carrier`, and wait until it is registered."""
    given = {"server": carrier.host, "user": carrier.user, "password": carrier.password}
    office.line("carrier", **{**given, "destination": NUMBER, **options})
    carrier.answered("REGISTER", 200)
    office.wait_usable("carrier")


def test_the_whole_address_as_the_name_in_credentials(
    office: Office, new_carrier: NewCarrier
) -> None:
    """Of REGISTER and INVITE; T1.3, T1.6, T1.7: the Request-URI is the same in all of it."""
    full = f"{USER}@{DOMAIN}"
    text = steps.carrier(
        *steps.challenging(name=full), *steps.answering(), registering=steps.registrar(name=full)
    )
    carrier = new_carrier(text, user=USER)
    _line(office, carrier, domain=DOMAIN, auth_name=full)
    register = carrier.got("REGISTER").message
    assert register.start.split()[1] == f"sip:{DOMAIN}"
    office.talk("9030123456")
    first, second = carrier.got("INVITE").message, carrier.got("INVITE", 2).message
    ack = carrier.got("ACK").message
    uri = first.start.split()[1]
    assert uri.startswith("sip:030123456@")
    assert uri.endswith(";user=phone")
    assert second.start.split()[1] == uri
    assert ack.start.split()[1] == uri
    assert f'uri="{uri}"' in second.get("authorization")
    office.hang_up()
    record = office.record("LO")
    assert record["route"].endswith("by line carrier")
    assert (record.fci["lineOut"], record.fci["cause"]) == ("carrier", "16")


def test_numbers_as_tel_uris_alone(office: Office, new_carrier: NewCarrier) -> None:
    """A call to the carrier as tel (V60's number format), one from it as tel: T1.1."""
    text = steps.carrier(
        *steps.demanding("INVITE", "tel:", "484 Address Incomplete"),
        *steps.answering(),
        registering=steps.registrar(),
    )
    carrier = new_carrier(text)
    _line(office, carrier, uri_form="tel", country="49", number_format="+e164")
    office.talk("9030123456")
    assert carrier.got("INVITE").message.start == "INVITE tel:+4930123456 SIP/2.0"
    office.hang_up()
    assert "line carrier calls +4930123456 as" in office.record("OT")["route"]


def test_t1_1_a_call_from_a_carrier_with_tel_uris(office: Office, new_carrier: NewCarrier) -> None:
    carrier = new_carrier(steps.carrier(registering=steps.registrar()))
    _line(office, carrier, destination="")
    office.plan(incoming=[{"line": "carrier", "did": "+4930555", "destination": NUMBER}])
    text = steps.calling()
    text = text.replace("INVITE sip:[number]@[remote_ip]:[remote_port] ", "INVITE tel:[number] ")
    text = text.replace("From: <sip:[user]@[remote_ip]:[remote_port]>", "From: <tel:+491719>")
    text = text.replace("To: <sip:[number]@[remote_ip]:[remote_port]>", "To: <tel:[number]>")
    calling = carrier.call(USER, text, server=office.exchange.host)
    office.wait_sound()
    calling.finish()
    office.exchange.wait_idle()
    assert plain(office.record("OO")["caller_number"]) == "+491719"


def test_t1_3_user_phone_is_demanded(office: Office, new_carrier: NewCarrier) -> None:
    """A line has it without being told."""
    text = steps.carrier(
        *steps.demanding("INVITE", "sip:[^ ]*;user=phone", "484 Address Incomplete"),
        *steps.answering(),
        registering=steps.registrar(),
    )
    carrier = new_carrier(text)
    _line(office, carrier)
    office.talk("9030123456")
    office.hang_up()
    assert office.record("LO").fci["cause"] == "16"


def test_t2_6_405_to_the_prack_that_was_demanded(office: Office, new_carrier: NewCarrier) -> None:
    """The call goes on; the next one doesn't say 100rel."""
    text = steps.carrier(
        *steps.taken(),
        *steps.reliable("405 Method Not Allowed"),
        registering=steps.registrar(),
    )
    carrier = new_carrier(text)
    _line(office, carrier)
    office.talk("9030123456")
    assert "100rel" in carrier.got("INVITE").message.get("supported")
    carrier.answered("PRACK", 405)
    office.hang_up()
    assert office.record("LO").fci["cause"] == "16"
    office.dial("9030123456")
    again = carrier.got("INVITE", 2).message
    assert "100rel" not in again.get("supported") + again.get("require")


def test_t2_6_the_line_is_remembered_over_a_restart_until_its_owner_has_it_tried_again(
    new_exchange: Callable[..., Exchange],
    new_carrier: NewCarrier,
    tmp_path: Path,
    ports: Ports,
    closing: ExitStack,
) -> None:
    text = steps.carrier(
        *steps.taken(),
        *steps.reliable("405 Method Not Allowed"),
        registering=steps.registrar(),
    )
    carrier, exchange = new_carrier(text), new_exchange()
    exchange.add_user(SECOND, PASSWORD)
    given = {"server": carrier.host, "user": carrier.user, "password": carrier.password}
    add_line(exchange, "carrier", kind="external-line", **given)

    def offered(nth: int) -> bool:
        """Whether the `nth` call to the carrier offers 100rel."""
        wait_usable(exchange, "carrier")
        port = ports.one()
        own = Account(SECOND, PASSWORD, port, port, exchange.host)
        sipp = Sipp(f"caller{nth}", tmp_path, scenario.caller(), own, number="9030123456")
        closing.callback(sipp.close)
        invite = carrier.got("INVITE", nth).message
        return "100rel" in invite.get("supported") + invite.get("require")

    assert offered(1)
    carrier.answered("PRACK", 405)
    assert until("it is told", lambda: state(exchange, "carrier").prack_refused_s is not None)
    exchange.stop()
    exchange.start()
    assert state(exchange, "carrier").prack_refused_s is not None
    assert not offered(2)
    set_line(exchange, "carrier", prack="supported")
    assert state(exchange, "carrier").prack_refused_s is None
    assert offered(3)


def test_t2_5_a_line_without_100rel(office: Office, new_carrier: NewCarrier) -> None:
    text = steps.carrier(*steps.taken(), *steps.answering(), registering=steps.registrar())
    carrier = new_carrier(text)
    _line(office, carrier, prack="off")
    office.talk("9030123456")
    office.hang_up()
    invite = carrier.got("INVITE").message
    assert "100rel" not in invite.get("supported") + invite.get("require")
    assert not carrier.all("PRACK")


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
    _line(office, carrier)
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
    _line(office, carrier)
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
    _line(office, carrier, precondition="refuse")
    text = steps.calling("Require: precondition", body=steps.PRECONDITIONS, refused="580")
    carrier.call(USER, text, server=office.exchange.host).finish()


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
    _line(office, carrier)
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
