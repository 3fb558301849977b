"""Two ordinary phones call each other, and each hears what the other one says."""

from collections.abc import Callable

import pytest

from tests.interop.baresip import Baresip
from tests.interop.exchange import Exchange
from tests.interop.linphone import Linphone
from tests.interop.phones import Users
from tests.interop.tones import assert_pure_tone
from tests.interop.waiting import until, until_still

pytestmark = pytest.mark.interop

LOW_HZ, HIGH_HZ = 440.0, 880.0
TALK_S = 3.0

NewPhone = Callable[..., Baresip]
NewLinphone = Callable[..., Linphone]


def _talk(caller: Baresip, callee: Baresip) -> None:
    caller.dial(callee.number)
    for phone in (caller, callee):
        phone.wait_event("CALL_ESTABLISHED")
    caller.wait_heard(HIGH_HZ, TALK_S)
    callee.wait_heard(LOW_HZ, TALK_S)


def _assert_both_hear(caller: Baresip, callee: Baresip) -> None:
    assert_pure_tone(caller.recording(), HIGH_HZ, LOW_HZ, at_least_s=TALK_S)
    assert_pure_tone(callee.recording(), LOW_HZ, HIGH_HZ, at_least_s=TALK_S)


CODECS = [("pcmu", 8000), ("pcma", 8000), pytest.param("L16/16000/1", 16000, id="unknown-to-us")]


@pytest.mark.parametrize(("codec", "rate_hz"), CODECS)
@pytest.mark.parametrize(("host", "transport"), [("ipv4", "udp"), ("ipv4", "tcp"), ("::1", "udp")])
def test_each_hears_the_other(
    exchange: Exchange,
    users: Users,
    new_phone: NewPhone,
    host: str,
    transport: str,
    codec: str,
    rate_hz: int,
) -> None:
    where = exchange.host6 if host == "::1" else exchange.host
    callee, caller = (
        new_phone(user, where, tone, codec=codec, rate_hz=rate_hz, transport=transport)
        for user, tone in ((users.callee, HIGH_HZ), (users.caller, LOW_HZ))
    )
    (contact,) = exchange.users()[users.callee].contacts
    assert contact.source.startswith(transport)
    _talk(caller, callee)
    (running,) = exchange.running_calls()
    assert (running.caller, running.called, running.state) == (
        users.caller,
        users.callee,
        "talking",
    )
    caller.hang_up()
    callee.wait_event("CALL_CLOSED")
    _assert_both_hear(caller, callee)
    exchange.wait_idle()
    exchange.assert_sane()


def test_the_media_goes_through_the_exchange(
    exchange: Exchange, users: Users, new_phone: NewPhone
) -> None:
    callee = new_phone(users.callee, exchange.host, HIGH_HZ)
    caller = new_phone(users.caller, exchange.host, LOW_HZ)
    _talk(caller, callee)
    free = exchange.status().streams_free
    caller.hang_up()
    callee.wait_event("CALL_CLOSED")
    until(
        "both legs' ports are given back",
        lambda: exchange.status().streams_free == free + 2,
        why_not=exchange.why,
    )


def test_from_tcp_to_udp_and_the_callee_hangs_up(
    exchange: Exchange, users: Users, new_phone: NewPhone
) -> None:
    callee = new_phone(users.callee, exchange.host, HIGH_HZ)
    caller = new_phone(users.caller, exchange.host, LOW_HZ, transport="tcp")
    _talk(caller, callee)
    callee.hang_up()
    caller.wait_event("CALL_CLOSED")
    _assert_both_hear(caller, callee)


def test_from_ipv4_to_ipv6(exchange: Exchange, users: Users, new_phone: NewPhone) -> None:
    callee = new_phone(users.callee, exchange.host6, HIGH_HZ)
    caller = new_phone(users.caller, exchange.host, LOW_HZ)
    _talk(caller, callee)
    caller.hang_up()
    callee.wait_event("CALL_CLOSED")
    _assert_both_hear(caller, callee)


@pytest.mark.parametrize("calling", ["linphone", "baresip"])
def test_with_linphone_on_one_side(
    exchange: Exchange,
    users: Users,
    new_phone: NewPhone,
    new_linphone: NewLinphone,
    calling: str,
) -> None:
    baresip_number, linphone_number = (
        (users.callee, users.caller) if calling == "linphone" else (users.caller, users.callee)
    )
    baresip = new_phone(baresip_number, exchange.host, LOW_HZ)
    linphone = new_linphone(linphone_number, exchange, HIGH_HZ)
    if calling == "linphone":
        linphone.dial(baresip_number)
    else:
        baresip.dial(linphone_number)
    baresip.wait_event("CALL_ESTABLISHED")
    baresip.wait_heard(HIGH_HZ, TALK_S)
    linphone.wait_heard(LOW_HZ, TALK_S)
    linphone.hang_up()
    baresip.wait_event("CALL_CLOSED")
    linphone.wait_said("Call 1 with .* ended")
    assert_pure_tone(baresip.recording(), HIGH_HZ, LOW_HZ, at_least_s=TALK_S)
    assert_pure_tone(linphone.recording(), LOW_HZ, HIGH_HZ, at_least_s=TALK_S)


@pytest.mark.parametrize("holding", ["baresip", "linphone"])
def test_hold_silences_and_resume_brings_the_sound_back(
    exchange: Exchange,
    users: Users,
    new_phone: NewPhone,
    new_linphone: NewLinphone,
    holding: str,
) -> None:
    baresip = new_phone(users.caller, exchange.host, LOW_HZ)
    linphone = new_linphone(users.callee, exchange, HIGH_HZ)
    baresip.dial(users.callee)
    baresip.wait_heard(HIGH_HZ, 1)
    linphone.wait_heard(LOW_HZ, 1)

    if holding == "baresip":
        baresip.command("hold")
        until_still("baresip's packets", baresip.packets_received)
    else:
        linphone.command("pause")
    until_still("what linphone hears", lambda: linphone.heard_s(LOW_HZ))
    packets, heard = baresip.packets_received(), linphone.heard_s(LOW_HZ)

    if holding == "baresip":
        baresip.command("resume")
    else:
        linphone.command("resume")
    linphone.wait_heard(LOW_HZ, heard + 2)
    until("baresip gets RTP again", lambda: baresip.packets_received() >= packets + 100)
    (call,) = [c for c in exchange.running_calls() if c.caller == users.caller]
    assert call.state == "talking"
    baresip.hang_up()
    linphone.wait_said("Call 1 with .* ended")
    heard_again = linphone.recording().talking(LOW_HZ)
    last = heard_again.part(heard_again.seconds - 0.5, heard_again.seconds)
    assert_pure_tone(last, LOW_HZ, HIGH_HZ, at_least_s=0.4)


def test_digits_arrive(exchange: Exchange, users: Users, new_phone: NewPhone) -> None:
    callee = new_phone(users.callee, exchange.host, HIGH_HZ)
    caller = new_phone(users.caller, exchange.host, LOW_HZ)
    _talk(caller, callee)
    for digit in "159#":
        mark = callee.mark
        caller.command("sndcode", digit)
        assert callee.wait_event("CALL_DTMF_START", after=mark).param == digit
        callee.wait_event("CALL_DTMF_END", after=mark)
    caller.hang_up()
    callee.wait_event("CALL_CLOSED")


def test_each_call_leaves_one_record(exchange: Exchange, users: Users, new_phone: NewPhone) -> None:
    callee = new_phone(users.callee, exchange.host, HIGH_HZ)
    caller = new_phone(users.caller, exchange.host, LOW_HZ)
    _talk(caller, callee)
    caller.hang_up()
    callee.wait_event("CALL_CLOSED")

    def own() -> list[dict[str, str]]:
        return [r.fields for r in exchange.records() if r["caller_number"] == users.caller]

    until("the call's record", own, why_not=exchange.why)
    (record,) = own()
    assert record["cdr_type"] == "LO"
    assert record["dialed_number"] == users.callee
    assert record["called_number"] == users.callee
    assert TALK_S - 0.5 <= float(record["duration"]) <= TALK_S + 10
    assert record["fci"].startswith("callTag=")
    assert "cause=16" in record["fci"]
