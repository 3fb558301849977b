"""The numbers that the exchange answers itself, as phones hear them."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.interop.baresip import Baresip
from tests.interop.conftest import PASSWORD
from tests.interop.exchange import Exchange
from tests.interop.phones import Users
from tests.interop.tones import (
    LEVEL_DB,
    Recording,
    assert_no_gap,
    assert_pure_tone,
    heard_seconds,
    read_recording,
    write_tone,
    write_tones,
)
from tests.interop.waiting import until

pytestmark = [pytest.mark.interop, pytest.mark.timeout(180)]

LOW_HZ, MIDDLE_HZ, HIGH_HZ = 450.0, 650.0, 850.0
"""Multiples of 50 Hz: in windows of 20 ms none is heard in another."""

MILLIWATT_HZ, MILLIWATT_DB = 1004.0, -3.14
BEEP_HZ = 1000.0

NewExchange = Callable[..., Exchange]
NewPhone = Callable[..., Baresip]


def _call(phone: Baresip, number: str) -> None:
    mark = phone.mark
    phone.dial(number)
    phone.wait_event("CALL_ESTABLISHED", after=mark)


def _hang_up(exchange: Exchange, phone: Baresip) -> None:
    phone.hang_up()
    exchange.wait_idle()
    exchange.assert_sane()


def _rms_db(recording: Recording) -> float:
    """The level of all that was heard, in dB of the loudest sine."""
    return 10 * float(np.log10(2 * np.mean(recording.samples**2) + 1e-12))


def _last(recording: Recording, seconds: float) -> Recording:
    return recording.part(recording.seconds - seconds, recording.seconds)


CODECS = [("pcmu", 8000), ("pcma", 8000), ("L16/16000/1", 16000)]


@pytest.mark.parametrize(("codec", "rate_hz"), CODECS)
def test_echo_says_what_it_hears(
    exchange: Exchange, users: Users, new_phone: NewPhone, codec: str, rate_hz: int
) -> None:
    phone = new_phone(users.caller, exchange.host, LOW_HZ, codec=codec, rate_hz=rate_hz)
    _call(phone, "*43")
    phone.wait_heard(LOW_HZ, 3.0)
    (running,) = exchange.running_calls()
    assert (running.caller, running.called, running.state) == (users.caller, "*43", "talking")
    _hang_up(exchange, phone)
    # By then its sound has settled: the first packets tell how long it must wait for others.
    heard = _last(phone.recording().talking(LOW_HZ), 2.0)
    assert_pure_tone(heard, LOW_HZ, HIGH_HZ, at_least_s=1.9)


def test_a_call_to_a_service_leaves_its_record(
    exchange: Exchange, users: Users, new_phone: NewPhone
) -> None:
    phone = new_phone(users.caller, exchange.host, LOW_HZ)
    _call(phone, "*43")
    phone.wait_heard(LOW_HZ, 1.0)
    _hang_up(exchange, phone)

    def own() -> list[dict[str, str]]:
        return [r.fields for r in exchange.records() if r["caller_number"] == users.caller]

    (record,) = until("the call's record", own, why_not=exchange.why)
    assert (record["dialed_number"], record["called_number"]) == ("*43", "*43")
    assert record["route"] == "service echo"
    assert "callTag=102" in record["fci"]
    assert "codec=PCMU" in record["fci"]
    assert float(record["duration"]) >= 1


@pytest.mark.parametrize(("codec", "rate_hz"), CODECS)
def test_the_milliwatt(
    exchange: Exchange, users: Users, new_phone: NewPhone, codec: str, rate_hz: int
) -> None:
    phone = new_phone(users.caller, exchange.host, LOW_HZ, codec=codec, rate_hz=rate_hz)
    _call(phone, "*45")
    phone.wait_heard(MILLIWATT_HZ, 3.0)
    _hang_up(exchange, phone)
    heard = phone.recording().talking(MILLIWATT_HZ)
    assert abs(heard.level_db(MILLIWATT_HZ) - MILLIWATT_DB) < 0.3
    assert heard.level_db(LOW_HZ) < LEVEL_DB - 30
    assert_no_gap(heard, MILLIWATT_HZ)


def test_a_tune_of_our_own(exchange: Exchange, users: Users, new_phone: NewPhone) -> None:
    phone = new_phone(users.caller, exchange.host, LOW_HZ)
    _call(phone, "*46")

    def heard() -> bool:
        files = phone.recordings()
        recording = read_recording(files[-1]) if files else None
        return recording is not None and recording.seconds > 4 and _rms_db(recording) > -40

    until("four seconds of music are heard", heard, why_not=phone.why)
    recording = phone.recording()
    assert recording.level_db(LOW_HZ) < LEVEL_DB - 30
    _hang_up(exchange, phone)


def test_the_owners_music_in_turn(new_exchange: NewExchange, new_phone: NewPhone) -> None:
    exchange = new_exchange()
    write_tone(exchange.folder / "music" / "1.wav", MIDDLE_HZ, 2.0)
    (exchange.folder / "music" / "2.wav").write_bytes(b"no sound at all")
    write_tone(exchange.folder / "music" / "3.wav", HIGH_HZ, 2.0, rate_hz=44100)
    exchange.add_user("110", PASSWORD)
    phone = new_phone("110", exchange.host, LOW_HZ)
    _call(phone, "*46")
    phone.wait_heard(HIGH_HZ, 1.8)
    # And from the beginning again.
    phone.wait_heard(MIDDLE_HZ, 5.0)
    _hang_up(exchange, phone)


def test_the_recorder_plays_back_what_was_said(
    new_exchange: NewExchange, new_phone: NewPhone
) -> None:
    exchange = new_exchange()
    exchange.add_user("110", PASSWORD)
    phone = new_phone("110", exchange.host, LOW_HZ)
    _call(phone, "*47")
    phone.wait_heard(BEEP_HZ, 0.2)
    file = _recording_of(exchange, 2.0)
    assert phone.heard_s(LOW_HZ) == 0
    phone.command("sndcode", "#")
    phone.wait_heard(LOW_HZ, 1.5)
    # When it has been played, there is another beep, and a new recording.
    until(
        "the first recording is gone and another one is made",
        lambda: not file.exists() and list(file.parent.glob("*.wav")),
        15,
        why_not=exchange.why,
    )
    _hang_up(exchange, phone)
    heard = phone.recording().talking(LOW_HZ)
    assert_pure_tone(heard.part(0.1, heard.seconds - 0.1), LOW_HZ, HIGH_HZ, at_least_s=1.2)
    until("no recording is left", lambda: not list(file.parent.glob("*.wav")))


def test_who_says_nothing_any_more_hears_the_recording(
    new_exchange: NewExchange, new_phone: NewPhone
) -> None:
    exchange = new_exchange(top="[services]\nrecord_silence_s = 3")
    exchange.add_user("110", PASSWORD)
    phone = new_phone("110", exchange.host, LOW_HZ)
    write_tones(phone.folder / "tone.wav", [(LOW_HZ, 6.0), (0, 60.0)])
    _call(phone, "*47")
    phone.wait_heard(BEEP_HZ, 0.2)
    phone.wait_heard(LOW_HZ, 3.0)
    _hang_up(exchange, phone)


def test_a_busy_tone_is_a_hang_up(new_exchange: NewExchange, new_phone: NewPhone) -> None:
    """As gateways let it be heard whose analogue line doesn't tell them that somebody hangs up."""
    exchange = new_exchange(media='country = "CN"')
    exchange.add_user("110", PASSWORD)
    phone = new_phone("110", exchange.host, LOW_HZ)
    write_tones(phone.folder / "tone.wav", [(MIDDLE_HZ, 2.0), *[(0, 0.35), (LOW_HZ, 0.35)] * 60])
    mark = phone.mark
    _call(phone, "*47")
    phone.wait_event("CALL_CLOSED", after=mark)
    (record,) = exchange.wait_records(1)
    assert (record.fci["callTag"], record.fci["cause"]) == ("102", "16")
    exchange.wait_idle()
    exchange.assert_sane()


def _recording_of(exchange: Exchange, seconds: float) -> Path:
    """Wait until so much of what a phone says is in a file of the exchange; return it."""

    def found() -> Path | None:
        for path in (exchange.folder / "recordings").glob("*.wav"):
            if heard_seconds(path, LOW_HZ) >= seconds:
                return path
        return None

    return until(f"{seconds:g} s are recorded", found, why_not=exchange.why)


def test_each_of_a_conference_hears_the_others_and_not_itself(
    exchange: Exchange, users: Users, new_phone: NewPhone
) -> None:
    tones = {users.caller: LOW_HZ, users.callee: MIDDLE_HZ, f"{users.callee}3": HIGH_HZ}
    exchange.add_user(f"{users.callee}3", PASSWORD)
    room = f"*6*{users.caller}*4711"
    phones: list[Baresip] = []
    for number, tone_hz in tones.items():
        phones.append(new_phone(number, exchange.host, tone_hz))
        _call(phones[-1], room)
    for phone in phones:
        for number, tone_hz in tones.items():
            if number != phone.number:
                phone.wait_heard(tone_hz, 3.0)
    for phone in phones:
        heard = _last(phone.recording(), 1.5)
        for number, tone_hz in tones.items():
            level = heard.level_db(tone_hz)
            if number == phone.number:
                assert level < LEVEL_DB - 25, f"{number} hears itself with {level:.1f} dB"
            else:
                assert abs(level - LEVEL_DB) < 1.5, f"{phone.number}: {tone_hz} Hz {level:.1f} dB"
    # One goes: the two others still hear each other, and him no more.
    phones[2].hang_up()
    until("two are left", lambda: len(exchange.running_calls()) == 2)
    more = phones[0].heard_s(MIDDLE_HZ) + 2
    phones[0].wait_heard(MIDDLE_HZ, more)
    assert _last(phones[0].recording(), 1.0).level_db(HIGH_HZ) < LEVEL_DB - 25
    phones[0].hang_up()
    _hang_up(exchange, phones[1])


def test_who_is_heard_in_a_conference_and_how_loud(
    new_exchange: NewExchange, new_phone: NewPhone
) -> None:
    """As `minisip room` rules: mute, gain, another media engine, `*6`, and out."""
    exchange = new_exchange()
    phones = []
    for number, tone_hz in (("110", LOW_HZ), ("111", MIDDLE_HZ)):
        exchange.add_user(number, PASSWORD)
        phones.append(new_phone(number, exchange.host, tone_hz))
        _call(phones[-1], "*6*1")
    one, two = phones
    _heard_at(one, MIDDLE_HZ, LEVEL_DB)
    _heard_at(two, LOW_HZ, LEVEL_DB)
    (room,) = exchange.rooms()
    assert [(it.number, it.muted, it.gain_db) for it in room.members] == [
        *(("110", False, 0.0), ("111", False, 0.0))
    ]
    assert all(it.level_dbov is not None and it.level_dbov > -40 for it in room.members)

    exchange.minisip("room", "mute", "1", "111")
    _unheard(one, MIDDLE_HZ)
    _heard_at(two, LOW_HZ, LEVEL_DB)
    assert [it.muted for it in exchange.rooms()[0].members] == [False, True]
    running = {it.caller: (it.room, it.muted) for it in exchange.running_calls()}
    assert running == {"110": ("1", False), "111": ("1", True)}
    exchange.minisip("room", "unmute", "1", "111")
    _heard_at(one, MIDDLE_HZ, LEVEL_DB)

    exchange.minisip("room", "gain", "1", "111", "6")
    _heard_at(one, MIDDLE_HZ, LEVEL_DB + 6)
    exchange.minisip("room", "gain", "1", "111", "-10")
    _heard_at(one, MIDDLE_HZ, LEVEL_DB - 10)
    _heard_at(two, LOW_HZ, LEVEL_DB)

    exchange.minisip("room", "mute", "1", "110")
    first = exchange.status().engine_pid
    os.kill(first, signal.SIGKILL)
    until(
        "another media engine runs",
        lambda: exchange.status().engine_pid not in (0, first),
        why_not=exchange.why,
    )
    _heard_at(one, MIDDLE_HZ, LEVEL_DB - 10)
    _unheard(two, LOW_HZ)

    for key in "*6":
        one.command("sndcode", key)
    _heard_at(two, LOW_HZ, LEVEL_DB)
    mark = two.mark
    exchange.minisip("room", "remove", "1", "111")
    two.wait_event("CALL_CLOSED", after=mark)
    (record,) = exchange.wait_records(1)
    assert (record["caller_number"], record.fci["callTag"], record.fci["cause"]) == (
        *("111", "309", "16"),
    )
    assert record["route"] == "service conference room 1"
    assert [it.number for it in exchange.rooms()[0].members] == ["110"]
    _hang_up(exchange, one)


def _heard_at(phone: Baresip, tone_hz: float, level_db: float) -> None:
    """Wait until a phone hears a tone, for a second that begins now or later, at this level."""
    begun = phone.recording().seconds

    def heard() -> bool:
        recording = phone.recording()
        if recording.seconds < begun + 1:
            return False
        return abs(_last(recording, 0.5).level_db(tone_hz) - level_db) < 0.5

    def why() -> str:
        return f"{_last(phone.recording(), 0.5).level_db(tone_hz):.1f} dB; {phone.why()}"

    until(f"{phone.number} hears {tone_hz:g} Hz at {level_db:.1f} dB", heard, why_not=why)


def _unheard(phone: Baresip, tone_hz: float) -> None:
    """Wait until a phone doesn't hear a tone, for a second that begins now or later."""
    begun = phone.recording().seconds

    def silent() -> bool:
        heard = phone.recording()
        return heard.seconds >= begun + 1 and _last(heard, 0.9).level_db(tone_hz) < LEVEL_DB - 40

    until(f"{phone.number} doesn't hear {tone_hz:g} Hz", silent, why_not=phone.why)


def test_a_room_is_closed_to_who_does_not_know_its_password(
    exchange: Exchange, users: Users, new_phone: NewPhone
) -> None:
    first = new_phone(users.caller, exchange.host, LOW_HZ)
    second = new_phone(users.callee, exchange.host, HIGH_HZ)
    _call(first, f"*6*{users.caller}*4711")
    second.dial(f"*6*{users.caller}*1174")
    assert "403" in second.wait_event("CALL_CLOSED").param
    _hang_up(exchange, first)


def test_another_media_engine_goes_on_with_it(
    new_exchange: NewExchange, new_phone: NewPhone
) -> None:
    exchange = new_exchange()
    exchange.add_user("110", PASSWORD)
    phone = new_phone("110", exchange.host, LOW_HZ)
    _call(phone, "*45")
    phone.wait_heard(MILLIWATT_HZ, 1.0)
    first = exchange.status().engine_pid
    os.kill(first, signal.SIGKILL)
    until(
        "another media engine runs",
        lambda: exchange.status().engine_pid not in (0, first),
        why_not=exchange.why,
    )
    _hears_it_at_the_end(phone)
    _hang_up(exchange, phone)


def test_another_exchange_goes_on_with_it(new_exchange: NewExchange, new_phone: NewPhone) -> None:
    exchange = new_exchange()
    exchange.add_user("110", PASSWORD)
    phone = new_phone("110", exchange.host, LOW_HZ, register_s=3600)
    _call(phone, "*45")
    phone.wait_heard(MILLIWATT_HZ, 1.0)
    exchange.wait_journalled()
    exchange.kill()
    exchange.start()
    (running,) = exchange.running_calls()
    assert (running.called, running.state) == ("*45", "talking")
    _hears_it_at_the_end(phone)
    _hang_up(exchange, phone)
    (record,) = exchange.wait_records(1)
    assert record.fci["callTag"] == "102"


def _hears_it_at_the_end(phone: Baresip) -> None:
    """Wait until the milliwatt is heard in a second that begins now or later."""
    begun = phone.recording().seconds

    def again() -> bool:
        heard = phone.recording()
        if heard.seconds < begun + 1:
            return False
        return _last(heard, 0.5).talking(MILLIWATT_HZ).seconds > 0.4

    until("the milliwatt is heard again", again, why_not=phone.why)
