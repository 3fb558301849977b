"""Calls that last, with programs of others: UPDATE, session timers, reliable provisional responses."""

from collections.abc import Callable

import pytest

from tests.interop import scenario
from tests.interop.exchange import Exchange
from tests.interop.long_calls import NAMES, LongCalls
from tests.interop.phones import Phones
from tests.interop.scenario import expect, in_dialog, response, within
from tests.interop.sipp import Load
from tests.interop.test_call_flows import OVER_BOTH, _record_of
from tests.interop.waiting import until

pytestmark = pytest.mark.interop


@OVER_BOTH
def test_signs_of_life_and_a_change_by_update(phones: Phones) -> None:
    """RFC 3311: sipp changes the session by UPDATE; who knows none of it gets a re-INVITE."""
    caller = scenario.xml(
        *scenario.authorized_invite(),
        expect(180, optional=True),
        *scenario.answered(),
        *within("UPDATE", 3),
        *within("MESSAGE", 4),
        *within("INFO", 5),
        *within("UPDATE", 6, sdp=True),
        *within("BYE", 7),
    )
    callee = scenario.xml(
        *scenario.callee_answers(),
        expect("INVITE"),
        response("200 OK", sdp=True, retrans=True, tagged=True),
        expect("ACK"),
        *scenario.hung_up(),
    )
    answering = phones.callee(callee)
    phones.caller(caller).finish()
    answering.finish()
    assert _record_of(phones).fci["callTag"] == "102"
    phones.exchange.wait_idle()


def changed(step: str, version: int, direction: str) -> str:
    """The step with its SDP's next version, of this direction."""
    return step.replace("o=sipp [pid] 1", f"o=sipp [pid] {version}").replace(
        "a=ptime:20", f"a=ptime:20\na={direction}"
    )


def reinvite(cseq: int, version: int, direction: str, answer: str) -> list[str]:
    """The caller's re-INVITE, and a 200 whose SDP has this direction."""
    return [
        changed(
            in_dialog("INVITE", cseq=cseq, sdp=True),
            version,
            direction,
        ),
        expect(100, optional=True),
        expect(200, action=_DIRECTION.format(answer), more=' rrs="true"'),
        scenario.ack(cseq=cseq),
    ]


def reinvited(version: int, direction: str, answer: str) -> list[str]:
    """The callee is sent a re-INVITE of this direction; '' where it may say none (sendrecv)."""
    return [
        expect("INVITE", action=_DIRECTION.format(direction) if direction else ""),
        changed(response("200 OK", sdp=True, retrans=True, tagged=True), version, answer),
        expect("ACK"),
    ]


_DIRECTION = '<action><ereg regexp="a={}" search_in="body" check_it="true" assign_to="m"/></action>'


@OVER_BOTH
def test_hold_by_reinvite(phones: Phones) -> None:
    """RFC 3264 §8.4, and back again."""
    caller = scenario.xml(
        *scenario.authorized_invite(),
        expect(180, optional=True),
        *scenario.answered(),
        *reinvite(3, 2, "sendonly", "recvonly"),
        *reinvite(4, 3, "sendrecv", "sendrecv"),
        *within("BYE", 5),
    )
    callee = scenario.xml(
        *scenario.callee_answers(),
        *reinvited(2, "sendonly", "recvonly"),
        *reinvited(3, "sendrecv", "sendrecv"),
        *scenario.hung_up(),
    )
    answering = phones.callee(callee)
    phones.caller(caller).finish()
    answering.finish()
    assert _record_of(phones).fci["callTag"] == "102"
    phones.exchange.wait_idle()


def test_a_refresh_that_the_callee_refuses(phones: Phones) -> None:
    """RFC 4028: the caller's session goes on; nothing changes that would need the callee's consent."""
    expires = (
        '<action><ereg regexp="1800" search_in="hdr" header="Session-Expires:" check_it="true"'
        ' assign_to="m"/></action>'
    )
    extra = ["Supported: timer", "Session-Expires: 1800;refresher=uac"]
    caller = scenario.xml(
        *scenario.authorized_invite(),
        expect(180, optional=True),
        *scenario.answered(),
        in_dialog("INVITE", cseq=3, sdp=True, extra=extra),
        expect(100, optional=True),
        expect(200, action=expires, more=' rrs="true"'),
        scenario.ack(cseq=3),
        *within("BYE", 4),
    )
    callee = scenario.xml(
        *scenario.callee_answers(),
        expect("INVITE"),
        response("488 Not Acceptable Here", retrans=True, tagged=True),
        expect("ACK"),
        *scenario.hung_up(),
    )
    answering = phones.callee(callee)
    phones.caller(caller).finish()
    answering.finish()
    assert _record_of(phones).fci["callTag"] == "102"
    phones.exchange.wait_idle()


def test_transfers(phones: Phones) -> None:
    """REFER, NOTIFY and the end of the call that was transferred (RFC 5589 §6)."""
    exchange, users = phones.exchange, phones.users
    before = len(exchange.records())
    exchange.add_user(f"9{users.callee}", users.password)
    third = phones.registered(f"9{users.callee}")
    target = f"Refer-To: <sip:{third.user}@[remote_ip]:[remote_port]>"
    caller = scenario.xml(
        *scenario.authorized_invite(),
        expect(180, optional=True),
        *scenario.answered(),
        in_dialog("REFER", cseq=3, extra=[target]),
        expect(202),
        expect("NOTIFY"),
        scenario.answer_in_dialog(),
        expect("NOTIFY", action=_TRANSFERRED),
        scenario.answer_in_dialog(),
        *scenario.hung_up(),
    )
    callee = scenario.xml(
        *scenario.callee_answers(),
        *reinvited(2, "", "sendrecv"),
        *scenario.hung_up(),
    )
    # Not at once: sipp takes no NOTIFY while it answers another
    silent = scenario.xml(
        expect("INVITE", more=' rrs="true"'),
        scenario.pause(),
        response("200 OK", sdp=True, retrans=True),
        expect("ACK"),
        *scenario.hung_up(),
    )
    answering = phones.callee(callee)
    other = phones.callee(silent, name="third", at=third, load=Load(talk_ms=300))
    phones.caller(caller).finish()

    def talking() -> list[str]:
        calls = exchange.running_calls()
        return [one.id for one in calls if one.called == third.user and one.state == "talking"]

    (call,) = until("the callee talks with the third party", talking, why_not=exchange.why)
    exchange.call("hangup", call=call)
    answering.finish()
    other.finish()
    assert exchange.wait_transferred(before)["transferredBy"] == users.caller


_TRANSFERRED = (
    '<action><ereg regexp="SIP/2.0 200" search_in="body" check_it="true" assign_to="m"/></action>'
)

# ---------------------------------------------------------------- RFC 4028, shortened

SHORT = "session_s = 6.0\nmin_se_s = 3.0"


def answer_refresh(seconds: int) -> str:
    """The phone's 200 to our UPDATE."""
    return scenario.answer_in_dialog(
        extra=[
            "Contact: <sip:[user]@[local_ip]:[contact_port];transport=[transport]>",
            f"Session-Expires: {seconds};refresher=uac",
            "Require: timer",
        ]
    )


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_both_sides_are_refreshed(
    new_exchange: Callable[..., Exchange], phones_of: Callable[..., Phones], transport: str
) -> None:
    """A call past two refreshes: the caller does its own, the called phone has ours."""
    phones = phones_of(new_exchange(calls=SHORT), transport)
    timer = ["Supported: timer", "Session-Expires: 4;refresher=uac", "Min-SE: 3"]
    caller = scenario.xml(
        *scenario.authorized_invite(extra=timer),
        expect(180, optional=True),
        *scenario.answered(action=_SESSION),
        scenario.pause(),
        in_dialog("UPDATE", cseq=3, extra=timer),
        expect(200, action=_SESSION),
        scenario.pause(),
        in_dialog("UPDATE", cseq=4, extra=timer),
        expect(200, action=_SESSION),
        scenario.pause(),
        *within("BYE", 5),
    )
    callee = scenario.xml(
        *scenario.callee_answers(
            extra=[
                "Require: timer",
                "Session-Expires: 4;refresher=uac",
                "Allow: INVITE, ACK, BYE, CANCEL, UPDATE",
            ]
        ),
        expect("UPDATE"),
        answer_refresh(4),
        expect("UPDATE"),
        answer_refresh(4),
        *scenario.hung_up(),
    )
    answering = phones.callee(callee)
    phones.caller(caller, load=Load(talk_ms=1700)).finish()
    answering.finish()
    assert _record_of(phones).fci["callTag"] == "102"
    phones.exchange.wait_idle()


_SESSION = (
    '<action><ereg regexp="4;refresher=uac" search_in="hdr" header="Session-Expires:" '
    'check_it="true" assign_to="m"/></action>'
)


def test_a_phone_that_never_refreshes_is_hung_up(
    new_exchange: Callable[..., Exchange], phones_of: Callable[[Exchange], Phones]
) -> None:
    phones = phones_of(new_exchange(calls=SHORT))
    callee = scenario.xml(
        *scenario.callee_answers(extra=["Require: timer", "Session-Expires: 6;refresher=uas"]),
        *scenario.hung_up(),
    )
    answering = phones.callee(callee)
    calling = phones.caller(scenario.caller_waiting_for_bye())
    answering.finish()
    calling.finish()
    assert _record_of(phones).fci["callTag"] == "307"
    phones.exchange.wait_idle()


def test_an_interval_that_a_phone_finds_too_small(phones: Phones) -> None:
    """422: the same call comes again with what the phone asks for."""
    callee = scenario.xml(
        expect("INVITE"),
        response("422 Session Interval Too Small", extra=["Min-SE: 3600"], retrans=True),
        expect("ACK"),
        *scenario.callee_answers(),
        *scenario.hung_up(),
    )
    answering = phones.callee(callee)
    phones.caller(scenario.caller(), load=Load(talk_ms=200)).finish()
    answering.finish()


# ---------------------------------------------------------------- RFC 3262

_KEEP_RSEQ = '<action><ereg regexp="[0-9]+" search_in="hdr" header="RSeq:" check_it="true" assign_to="m"/></action>'
_KEEP_VIA = '<action><ereg regexp=".*" search_in="hdr" header="Via:" check_it="true" assign_to="m"/></action>'
_TALKING = [scenario.pause(), *within("BYE", 4)]


def acknowledges_early(*, sdp: bool = False) -> list[str]:
    """The caller is told 183, and sends PRACK."""
    return [
        expect(183, action=_KEEP_RSEQ, more=' rrs="true"'),
        in_dialog("PRACK", cseq=3, extra=["RAck: [$m] 2 INVITE"], sdp=sdp),
        expect(200),
    ]


def caller_knowing_100rel(how: str) -> str:
    """The caller says `how` that it knows it, and acknowledges what it is told."""
    return scenario.xml(
        *scenario.authorized_invite(extra=[f"{how}: 100rel"]),
        *acknowledges_early(),
        *scenario.answered(),
        *_TALKING,
    )


def caller_without_100rel() -> str:
    return scenario.xml(
        *scenario.authorized_invite(),
        expect(183),
        *scenario.answered(),
        *_TALKING,
    )


def _answer_later(status: str, *, sdp: bool) -> str:
    """The answer to the INVITE, whose Via was kept, after another request has come."""
    text = response(status, sdp=sdp, retrans=True, tagged=True)
    return text.replace("[last_Via:]", "Via:[$m]").replace("[last_CSeq:]", "CSeq: 1 INVITE")


def callee_with_100rel(prack: str = "200 OK") -> str:
    """The callee is heard before it answers, and wants a PRACK, which it answers `prack`."""
    return scenario.xml(
        expect("INVITE", action=_KEEP_VIA, more=' rrs="true"'),
        response("183 Session Progress", sdp=True, extra=["Require: 100rel", "RSeq: 4711"]),
        expect("PRACK"),
        scenario.answer_in_dialog(prack),
        scenario.pause(),
        _answer_later("200 OK", sdp=prack != "200 OK"),
        expect("ACK"),
        *scenario.hung_up(),
    )


@pytest.mark.parametrize("caller", ["", "Supported", "Require"])
@pytest.mark.parametrize("callee", [True, False])
def test_t2_8_any_pair_of_legs(phones: Phones, caller: str, callee: bool) -> None:
    """With and without 100rel on each side: early media and answer arrive."""
    answering = phones.callee(
        callee_with_100rel() if callee else scenario.callee_with_early_media(),
        load=Load(talk_ms=300),
    )
    calling = phones.caller(
        caller_knowing_100rel(caller) if caller else caller_without_100rel(),
        load=Load(talk_ms=300),
    )
    calling.finish()
    answering.finish()
    assert _record_of(phones).fci["callTag"] == "102"
    phones.exchange.wait_idle()


def test_t2_6_a_gateway_that_refuses_the_prack_that_it_wants(phones: Phones) -> None:
    """The posts say that such a call fails; ours goes on."""
    answering = phones.callee(callee_with_100rel("405 Method Not Allowed"), load=Load(talk_ms=300))
    phones.caller(caller_without_100rel(), load=Load(talk_ms=300)).finish()
    answering.finish()
    assert _record_of(phones).fci["callTag"] == "102"


@pytest.mark.timeout(240)
@pytest.mark.parametrize("phone", NAMES)
def test_past_two_refreshes(long_calls: LongCalls, phone: str) -> None:
    """Of each leg, with phones that insist on them; PJSIP's have early sound by 100rel, too."""
    record = long_calls.record(phone)
    assert record.fci["callTag"] == "102"
    assert record.talk_s > 105
    long_calls.exchange.assert_sane()
