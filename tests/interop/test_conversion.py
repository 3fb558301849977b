"""Phones that have no codec in common talk all the same."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from itertools import pairwise

import pytest

from pbx.api.schema import RunningCall
from pbx.media import codecs
from pbx.media.endpoint import OFFERED, RARE
from tests.interop.baresip import Baresip
from tests.interop.conftest import PASSWORD
from tests.interop.exchange import Exchange
from tests.interop.linphone import Linphone
from tests.interop.net_phone import NetPhone, Path, converse
from tests.interop.phones import Users
from tests.interop.tones import LEVEL_DB, Recording, assert_pure_tone
from tests.interop.waiting import until, until_still
from tests.media.kernels.coders import LIBRARIES
from tests.media.kernels.sound import rest_level, sine

pytestmark = [pytest.mark.interop, pytest.mark.timeout(180)]

LOW_HZ, HIGH_HZ = 450.0, 850.0
"""Multiples of 50 Hz: in windows of 20 ms neither is heard in the other."""

TALK_S = 4.0
SETTLED_S = 2.0
"""At the end of it, when the jitter buffers have settled."""

NewPhone = Callable[..., Baresip]
NewLinphone = Callable[..., Linphone]


def _pair(
    exchange: Exchange, users: Users, new_phone: NewPhone, callee: tuple[str, int]
) -> tuple[Baresip, Baresip]:
    """A caller that knows PCMA alone, and a callee that knows another codec alone; they talk."""
    other = new_phone(users.callee, exchange.host, HIGH_HZ, codec=callee[0], rate_hz=callee[1])
    caller = new_phone(users.caller, exchange.host, LOW_HZ, codec="pcma")
    caller.dial(users.callee)
    for phone in (other, caller):
        phone.wait_event("CALL_ESTABLISHED")
    return caller, other


def _running(exchange: Exchange, users: Users) -> RunningCall:
    (call,) = [one for one in exchange.running_calls() if one.caller == users.caller]
    return call


def _settled(recording: Recording, hertz: float) -> Recording:
    heard = recording.talking(hertz)
    return heard.part(heard.seconds - SETTLED_S, heard.seconds)


def _gets_rtp(phone: Baresip) -> None:
    """Wait for two seconds' worth of packets; baresip counts anew when its stream is."""
    counts = [phone.packets_received()]

    def enough() -> bool:
        counts.append(phone.packets_received())
        return sum(max(b - a, 0) for a, b in pairwise(counts)) >= 100

    until(f"{phone.number} gets RTP", enough, why_not=phone.why)


@pytest.mark.parametrize(
    ("callee", "name"), [(("g722/16000/1", 16000), "G722"), (("pcmu", 8000), "PCMU")]
)
def test_each_hears_the_other(
    exchange: Exchange, users: Users, new_phone: NewPhone, callee: tuple[str, int], name: str
) -> None:
    caller, other = _pair(exchange, users, new_phone, callee)
    caller.wait_heard(HIGH_HZ, TALK_S)
    other.wait_heard(LOW_HZ, TALK_S)
    call = _running(exchange, users)
    assert (call.codec, call.called_codec) == ("PCMA", name)
    caller.hang_up()
    other.wait_event("CALL_CLOSED")
    assert_pure_tone(_settled(caller.recording(), HIGH_HZ), HIGH_HZ, LOW_HZ, at_least_s=1.9)
    assert_pure_tone(_settled(other.recording(), LOW_HZ), LOW_HZ, HIGH_HZ, at_least_s=1.9)

    def own() -> list[dict[str, str]]:
        return [r.fields for r in exchange.records() if r["caller_number"] == users.caller]

    (record,) = until("the call's record", own, why_not=exchange.why)
    assert f"codec=PCMA;calledCodec={name}" in record["fci"]
    exchange.wait_idle()
    exchange.assert_sane()


@pytest.mark.parametrize("calling", ["linphone", "baresip"])
def test_linphone_with_nothing_but_opus(
    exchange: Exchange,
    users: Users,
    new_phone: NewPhone,
    new_linphone: NewLinphone,
    calling: str,
) -> None:
    numbers = (
        (users.callee, users.caller) if calling == "linphone" else (users.caller, users.callee)
    )
    baresip = new_phone(numbers[0], exchange.host, LOW_HZ, codec="pcma")
    linphone = new_linphone(numbers[1], exchange, HIGH_HZ, codecs=("opus",))
    if calling == "linphone":
        linphone.dial(numbers[0])
    else:
        baresip.dial(numbers[1])
    baresip.wait_event("CALL_ESTABLISHED")
    baresip.wait_heard(HIGH_HZ, TALK_S)
    call = _running(exchange, users)
    assert {call.codec, call.called_codec} == {"PCMA", "opus"}
    baresip.hang_up()
    linphone.wait_said("Call 1 with .* ended")
    # Only now its file tells at which rate it is.
    heard = linphone.recording().talking(LOW_HZ)
    assert heard.seconds >= TALK_S / 2
    assert heard.level_db(HIGH_HZ) < LEVEL_DB - 25
    exchange.assert_sane()


def test_who_talks_sooner_than_it_answers_is_understood(
    exchange: Exchange, users: Users, closing: ExitStack
) -> None:
    caller = NetPhone(exchange.port, users.caller, users.password, codecs.PCMU)
    other = NetPhone(exchange.port, users.callee, users.password, codecs.G722)
    for phone in (caller, other):
        closing.callback(phone.close)
    other.register()
    caller.call(users.callee, other, before_it_answers=sine(HIGH_HZ, 800, other.rate, peak=8000))
    tone = sine(LOW_HZ, 4000, caller.rate, peak=8000)
    converse([(caller, tone, Path())], [other])
    caller.hang_up()
    assert {one.payload_type for _, one in caller.got} == {caller.payload_type}
    assert len({one.ssrc for _, one in caller.got}) == 1


OWN = (codecs.PCMU, codecs.G722, codecs.OPUS)
"""Of callers that know one codec alone."""

REST_DB = {codecs.GSM: -15.0, codecs.G729: -15.0, codecs.OPUS: -20.0}
"""What isn't the tone, at the most, where such a codec was on the way; -25 for the others."""


def _assert_all_hear(pairs: list[tuple[NetPhone, NetPhone]]) -> None:
    """Let pairs of phones talk, and each hear its partner's tone, and nothing else."""
    phones = [phone for pair in pairs for phone in pair]
    for phone in phones:
        # What came before they talk
        phone.take_in(0.0)
    begun = time.monotonic()
    tones = {
        phone: hertz for pair in pairs for phone, hertz in zip(pair, (LOW_HZ, HIGH_HZ), strict=True)
    }
    converse(
        [
            (one, sine(hertz, 2 * one.rate, one.rate, peak=8000), Path())
            for one, hertz in tones.items()
        ],
        [],
    )
    for caller, callee in pairs:
        for hearer, speaker in ((caller, callee), (callee, caller)):
            called = codecs.codec(callee.codec)
            assert {one.payload_type for _, one in hearer.got} == {hearer.payload_type}, called
            settled = hearer.sound(begun)[hearer.rate * 3 // 4 :][: hearer.rate]
            rest = rest_level(settled, tones[speaker], hearer.rate)
            most = max(REST_DB.get(one.codec, -25.0) for one in (hearer, speaker))
            assert rest < most, (hearer.number, called)


@pytest.mark.parametrize("own", OWN, ids=lambda number: codecs.codec(number).name)
def test_every_codec_that_only_the_exchange_offers(
    exchange: Exchange, closing: ExitStack, own: int
) -> None:
    """Callees take one of them alone; a re-INVITE goes on so. All talk at once."""
    pairs: list[tuple[NetPhone, NetPhone]] = []
    for codec in (*OFFERED, *RARE):
        speaks = codecs.codec(codec).pcm_rate > 0 and codec in LIBRARIES.codecs
        if codec == own or not speaks:
            continue
        numbers = f"4{own:02}{codec:02}0", f"4{own:02}{codec:02}1"
        for number in numbers:
            exchange.add_user(number, PASSWORD)
        caller = NetPhone(exchange.port, numbers[0], PASSWORD, own)
        callee = NetPhone(exchange.port, numbers[1], PASSWORD, codec)
        callee.takes_numbers = True
        for phone in (caller, callee):
            closing.callback(phone.close)
        callee.register()
        pairs.append((caller, callee))
    assert len(pairs) >= 8
    for caller, callee in pairs:
        caller.call(callee.number, callee)
    _assert_all_hear(pairs)
    for caller, callee in pairs:
        caller.offer_anew(callee)
    _assert_all_hear(pairs)
    for caller, callee in pairs:
        running = [one for one in exchange.running_calls() if one.caller == caller.number]
        assert [(one.codec, one.called_codec) for one in running] == [
            (codecs.codec(own).name, codecs.codec(callee.codec).name)
        ]
        caller.hang_up()
        callee.answer(callee.request("BYE"), 200)
    exchange.wait_idle()
    exchange.assert_sane()


def test_hold_and_resume(exchange: Exchange, users: Users, new_phone: NewPhone) -> None:
    caller, other = _pair(exchange, users, new_phone, ("g722/16000/1", 16000))
    caller.wait_heard(HIGH_HZ, 1)
    other.wait_heard(LOW_HZ, 1)
    caller.command("hold")
    until_still("the caller's packets", caller.packets_received)
    caller.command("resume")
    for phone in (caller, other):
        _gets_rtp(phone)
    call = _running(exchange, users)
    assert (call.codec, call.called_codec) == ("PCMA", "G722")
    caller.hang_up()
    other.wait_event("CALL_CLOSED")
    exchange.assert_sane()


def test_keys_arrive(exchange: Exchange, users: Users, new_phone: NewPhone) -> None:
    caller, other = _pair(exchange, users, new_phone, ("g722/16000/1", 16000))
    other.wait_heard(LOW_HZ, 1)
    for sender, receiver in ((caller, other), (other, caller)):
        for digit in "19#":
            mark = receiver.mark
            sender.command("sndcode", digit)
            assert receiver.wait_event("CALL_DTMF_START", after=mark).param == digit
            receiver.wait_event("CALL_DTMF_END", after=mark)
    caller.hang_up()
    other.wait_event("CALL_CLOSED")
