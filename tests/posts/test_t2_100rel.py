"""临时响应的可靠性, the post on reliable provisional responses (RFC 3262): T2.1 to T2.8.

The carriers are sipp, and Kamailio as an IMS. What happens in each corner, on a fake clock, is in
`tests/call/test_t2_100rel` and `tests/call/test_100rel`.
"""

import itertools
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from pbx.api.schema import Health
from tests.carriers import steps
from tests.carriers.ims import Ims
from tests.carriers.lines import add_line, set_line, state, wait_usable
from tests.carriers.odd import OddCarrier, Seen, connect, seen
from tests.carriers.office import PASSWORD, SECOND, Office
from tests.carriers.side_door import SideDoor
from tests.interop import scenario
from tests.interop.exchange import Exchange
from tests.interop.phones import Phones
from tests.interop.ports import Ports
from tests.interop.scenario import expect, in_dialog, request, response
from tests.interop.sipp import Account, Load, Sipp, account, register
from tests.interop.waiting import until

pytestmark = pytest.mark.interop

NewCarrier = Callable[..., OddCarrier]

DIALLED = "9030123456"
KINDS = ["line", "trunk"]

PLAIN = steps.carrier(*steps.taken(), *steps.answering(), registering=steps.registrar())
"""A carrier that answers calls, and knows nothing of all this."""


@pytest.fixture(scope="session")
def exchange(lines_exchange: Exchange) -> Exchange:
    """Return the exchange whose lines are tested."""
    return lines_exchange


def wanting_prack(answer: str = "200 OK") -> str:
    """The scenario of a carrier that wants a PRACK, and answers it so."""
    return steps.carrier(*steps.taken(), *steps.reliable(answer), registering=steps.registrar())


def offered(carrier: OddCarrier, nth: int = 1) -> bool:
    """Whether 100rel stands in the `nth` INVITE that the carrier gets."""
    invite = carrier.got("INVITE", nth).message
    return "100rel" in invite.get("supported") + invite.get("require")


def told(sipp: Sipp, status: int) -> list[Seen]:
    """The responses with a status that a sipp has got."""
    return [one for one in seen(sipp) if not one.sent and one.message.status == status]


# ---------------------------------------------------------------- calls that go out


@pytest.mark.parametrize("kind", KINDS)
def test_T2_1_T2_2_offered_and_acknowledged(
    office: Office, new_carrier: NewCarrier, closing: ExitStack, kind: str
) -> None:
    """One PRACK for each RSeq in its order, by the early dialog's way."""
    port = office.ports.one()
    wanted = [
        *steps.taken(),
        response("183 Session Progress", sdp=True, extra=[steps.REQUIRED, "RSeq: 7"], retrans=True),
        *_acknowledged(),
        # Once more; then one that has come before its turn
        *map(steps.early, (7, 9, 8)),
        *_acknowledged(),
        *steps.answered(),
    ]
    text = steps.carrier(*wanted, registering=steps.registrar())
    text = text.replace("@[local_ip]:[contact_port]", f"@127.0.0.32:{port}")
    carrier = new_carrier(text)
    # Where its Contact leads
    door = SideDoor(carrier.host, port)
    closing.callback(door.close)
    connect(office, carrier, kind)
    office.talk(DIALLED)
    office.hang_up()
    invite = carrier.got("INVITE").message
    assert "100rel" in invite.get("supported")
    pracks = [one.message for one in carrier.all("PRACK")]
    racks = dict.fromkeys(one.get("rack") for one in pracks)
    assert list(racks) == [f"{rseq} {invite.number} INVITE" for rseq in (7, 8)]
    assert len({one.number for one in pracks}) == 2
    assert {one.get("to") for one in pracks} == {carrier.answered("INVITE", 183).message.get("to")}
    carrier.got("BYE")
    assert list(dict.fromkeys(door.passed)) == ["PRACK", "ACK", "BYE"]
    assert office.record("LO").fci["cause"] == "16"


def _acknowledged() -> list[str]:
    return [expect("PRACK"), scenario.answer_in_dialog()]


@pytest.mark.parametrize("ims", ["udp"], indirect=True)
def test_T2_1_T2_2_an_ims_demands_it(office: Office, ims: Ims, far: OddCarrier) -> None:
    """Kamailio's: without 100rel it refuses the call; the PRACK goes through both of its proxies."""
    office.talk("9004930123456")
    office.hang_up()
    assert far.got("PRACK").message.get("rack").startswith("4711 ")
    office.change("ims", prack="off")
    office.caller("9004930123456", scenario.caller_refused(500)).finish()
    refused = [one for one in office.records(2) if one["cdr_type"] == "LO"][-1]
    assert refused.fci["sip"] == "421"
    assert len(far.all("INVITE")) == 1
    office.change("ims", prack="required")
    office.talk("9004930123456")
    office.hang_up()
    assert "100rel" in far.got("INVITE", 2).message.get("require")


def _without(office: Office, carrier: OddCarrier, kind: str) -> None:
    """A call by a line that is to do without 100rel, whose carrier demands it all the same."""
    connect(office, carrier, kind, prack="off")
    office.talk(DIALLED)
    office.hang_up()
    assert not offered(carrier)
    assert not carrier.all("PRACK")
    assert office.record("LO").fci["cause"] == "16"


INSISTING = steps.carrier(
    *steps.taken(),
    response("183 Session Progress", sdp=True, extra=[steps.REQUIRED, "RSeq: 1"]),
    response("200 OK", sdp=True, retrans=True),
    expect("ACK"),
    expect("BYE"),
    scenario.answer_in_dialog(),
    registering=steps.registrar(),
)
"""A carrier that demands a PRACK, and goes on without."""


def test_T2_5_a_line_without_100rel(office: Office, new_carrier: NewCarrier) -> None:
    _without(office, new_carrier(INSISTING), "line")


def test_T2_7_a_trunk_without_100rel(office: Office, new_carrier: NewCarrier) -> None:
    _without(office, new_carrier(INSISTING), "trunk")


def test_T2_7_local_users_without_100rel(
    new_exchange: Callable[..., Exchange], phones_of: Callable[..., Phones]
) -> None:
    phones = phones_of(new_exchange(calls="prack = false"))
    answering = phones.callee(scenario.callee_with_early_media(), load=Load(talk_ms=300))
    steps_of_caller = scenario.caller_with_early_media()
    knowing = steps_of_caller.replace("[authentication]", "[authentication]\nSupported: 100rel")
    calling = phones.caller(knowing, load=Load(talk_ms=300))
    calling.finish()
    answering.finish()
    (invite,) = [one.message for one in seen(answering) if one.message.start.startswith("INVITE")]
    assert "100rel" not in invite.get("supported") + invite.get("require")
    assert not told(calling, 183)[0].message.get("rseq")


@pytest.mark.parametrize(
    ("kind", "status"), [("line", "405 Method Not Allowed"), ("trunk", "501 Not Implemented")]
)
def test_T2_6_a_carrier_refuses_the_prack_that_it_demands(
    office: Office, new_carrier: NewCarrier, kind: str, status: str
) -> None:
    """The call goes on; the next one doesn't say 100rel; a person is told what to do."""
    carrier = new_carrier(wanting_prack(status))
    connect(office, carrier, kind)
    office.talk(DIALLED)
    assert offered(carrier)
    carrier.answered("PRACK", int(status[:3]))
    office.hang_up()
    assert office.record("LO").fci["cause"] == "16"
    office.dial(DIALLED)
    assert not offered(carrier, 2)
    health = msgspec.json.decode(office.exchange.call("health"), type=Health)
    assert "line-prack-refused" in {one.slug for one in health.problems}


def test_T2_6_it_is_remembered_over_a_restart_until_its_owner_has_it_tried_again(
    new_exchange: Callable[..., Exchange],
    new_carrier: NewCarrier,
    tmp_path: Path,
    ports: Ports,
    closing: ExitStack,
) -> None:
    carrier, exchange = new_carrier(wanting_prack("405 Method Not Allowed")), new_exchange()
    exchange.add_user(SECOND, PASSWORD)
    given = {"server": carrier.host, "user": carrier.user, "password": carrier.password}
    add_line(exchange, "carrier", kind="external-line", **given)

    def call(nth: int) -> bool:
        """Make the `nth` call to the carrier; return whether it offers 100rel."""
        wait_usable(exchange, "carrier")
        port = ports.one()
        own = Account(SECOND, PASSWORD, port, port, exchange.host)
        sipp = Sipp(f"caller{nth}", tmp_path, scenario.caller(), own, number=DIALLED)
        closing.callback(sipp.close)
        return offered(carrier, nth)

    assert call(1)
    carrier.answered("PRACK", 405)
    assert until("it is told", lambda: state(exchange, "carrier").prack_refused_s is not None)
    exchange.stop()
    exchange.start()
    assert state(exchange, "carrier").prack_refused_s is not None
    assert not call(2)
    set_line(exchange, "carrier", prack="supported")
    assert state(exchange, "carrier").prack_refused_s is None
    assert call(3)


@pytest.mark.parametrize("kind", KINDS)
def test_T2_8_the_line_alone_has_it(office: Office, new_carrier: NewCarrier, kind: str) -> None:
    """baresip, which has no 100rel, hears the carrier before it answers."""
    text = steps.carrier(
        *steps.taken(),
        response("183 Session Progress", sdp=True, extra=[steps.REQUIRED, "RSeq: 1"], retrans=True),
        *_acknowledged(),
        *steps.told_to_go_on(),
        *steps.answered(),
        registering=steps.registrar(),
    )
    carrier = new_carrier(text)
    connect(office, carrier, kind)
    office.talk(DIALLED)
    carrier.answered("PRACK", 200)
    (call,) = office.exchange.running_calls()
    assert call.state != "talking"
    carrier.go_on()
    carrier.got("ACK")
    office.hang_up()
    assert office.record("LO").fci["cause"] == "16"


KEEP_RSEQ = '<action><ereg regexp="[0-9]+" search_in="hdr" header="RSeq:" check_it="true" assign_to="m"/></action>'


def test_T2_8_the_caller_alone_has_it(office: Office, new_carrier: NewCarrier) -> None:
    """It is told reliably what the carrier says plainly."""
    text = steps.carrier(
        *steps.taken(),
        response("183 Session Progress", sdp=True),
        *steps.told_to_go_on(),
        *steps.answered(),
        registering=steps.registrar(),
    )
    carrier = new_carrier(text)
    connect(office, carrier, prack="off")
    knowing = scenario.xml(
        *scenario.authorized_invite(extra=["Supported: 100rel"]),
        expect(183, action=KEEP_RSEQ, more=' rrs="true"'),
        in_dialog("PRACK", cseq=3, extra=["RAck: [$m] 2 INVITE"]),
        expect(200),
        *scenario.answered(),
        scenario.pause(),
        *scenario.within("BYE", 4),
    )
    calling = office.caller(DIALLED, knowing, talk_ms=300)
    until("the PRACK is answered", lambda: told(calling, 200), why_not=calling.why)
    carrier.go_on()
    calling.finish()
    assert "PRACK" in told(calling, 200)[0].message.get("cseq")


# ---------------------------------------------------------------- calls that come in

_NUMBERS = itertools.count(310)


def ringing(office: Office, text: str, *, talk_ms: int = 300) -> tuple[str, Sipp]:
    """A phone of a new user, and its number."""
    number = str(next(_NUMBERS))
    office.exchange.add_user(number, PASSWORD)
    who = account(office.ports, number, PASSWORD, office.exchange.host)
    register(office.folder, who)
    phone = Sipp("phone", office.folder, text, who, load=Load(talk_ms=talk_ms))
    office.closing.callback(phone.close)
    return number, phone


HASTY = scenario.xml(
    expect("INVITE", more=' rrs="true"'),
    response("183 Session Progress", sdp=True),
    response("200 OK", sdp=True, retrans=True),
    expect("ACK"),
    *scenario.hung_up(),
)
"""A phone that is heard early, and answers in the same instant."""

PHONE_WITH_100REL = scenario.xml(
    *steps.taken(),
    response("183 Session Progress", sdp=True, extra=[steps.REQUIRED, "RSeq: 1"], retrans=True),
    *_acknowledged(),
    steps.final("200 OK"),
    expect("ACK"),
    *scenario.hung_up(),
)
"""A phone that is heard early, and wants a PRACK."""

LATE = scenario.xml(
    request("INVITE", cseq=1, sdp=True, extra=["Supported: 100rel"]),
    expect(100, optional=True),
    expect(183, action=KEEP_RSEQ, more=' rrs="true"'),
    '<pause milliseconds="1200"/>',
    in_dialog("PRACK", cseq=2, extra=["RAck: 987654321 1 INVITE"]),
    expect(481),
    in_dialog("PRACK", cseq=3, extra=["RAck: [$m] 1 INVITE"]),
    expect(200),
    expect(200),
    scenario.ack(cseq=1),
    scenario.pause(),
    in_dialog("BYE", cseq=4),
    expect(200),
)
"""A caller of a carrier's whose PRACK is a wrong one at first."""


@pytest.mark.parametrize("kind", KINDS)
def test_T2_3_T2_8_the_caller_s_carrier_has_it(
    office: Office, new_carrier: NewCarrier, kind: str
) -> None:
    """Repeated until the PRACK that is its own; the answer waits for that, too. The phone has none."""
    carrier = new_carrier(PLAIN)
    number, phone = ringing(office, HASTY)
    connect(office, carrier, kind, destination=number)
    calling = carrier.call(carrier.user, LATE, server=office.exchange.host, talk_ms=300)
    calling.finish()
    phone.finish()
    early = [one.message for one in told(calling, 183)]
    assert len(early) >= 2
    assert {(one.get("require"), one.get("rseq")) for one in early} == {
        ("100rel", early[0].get("rseq"))
    }
    assert early[0].get("rseq")
    answers = [one.message.get("cseq") for one in told(calling, 200)]
    assert list(dict.fromkeys(answers)) == ["3 PRACK", "1 INVITE", "4 BYE"]


def test_T2_3_without_a_prack_the_call_is_given_up(office: Office, new_carrier: NewCarrier) -> None:
    """After 64 times T1, which is 32 s; where it's required, ringing alone is reliable."""
    carrier = new_carrier(PLAIN)
    number, phone = ringing(office, scenario.callee_cancelled())
    connect(office, carrier, "trunk", destination=number)
    silent = scenario.xml(
        request("INVITE", cseq=1, sdp=True, extra=[steps.REQUIRED]),
        expect(100, optional=True),
        expect(180),
        expect(504),
        scenario.ack_refusal(cseq=1),
        scenario.linger(100),
    )
    calling = carrier.call(carrier.user, silent, server=office.exchange.host)
    calling.finish(60)
    phone.finish()
    rung = [one.message.get("rseq") for one in told(calling, 180)]
    # After 0.5, 1.5, 3.5, 7.5, 15.5 seconds, and at the very end perhaps
    assert len(rung) in {6, 7}
    assert set(rung) == {rung[0]}
    assert rung[0]
    assert office.record("OO").fci["callTag"] == "402"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("knowing", [False, True], ids=["plain", "reliable"])
def test_T2_4_T2_8_the_caller_s_carrier_has_it_not(
    office: Office, new_carrier: NewCarrier, kind: str, knowing: bool
) -> None:
    """It is told plainly what a phone says, with 100rel or without."""
    carrier = new_carrier(PLAIN)
    number, phone = ringing(office, PHONE_WITH_100REL if knowing else HASTY)
    connect(office, carrier, kind, destination=number)
    text = steps.calling().replace("Supported: 100rel,timer", "Supported: timer")
    calling = carrier.call(carrier.user, text, server=office.exchange.host, talk_ms=300)
    calling.finish()
    phone.finish()
    early = told(calling, 183)[0].message
    assert early.body
    assert not early.get("rseq") + early.get("require")
