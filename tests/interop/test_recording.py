"""Calls that are recorded by command, with phones as judges of what is in the file."""

import os
import signal
import wave
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.interop import conversation
from tests.interop.baresip import Baresip
from tests.interop.exchange import Exchange
from tests.interop.phones import Users
from tests.interop.tones import LEVEL_DB, Recording
from tests.interop.waiting import until

pytestmark = [pytest.mark.interop, pytest.mark.timeout(180)]

LOW_HZ, HIGH_HZ = 450.0, 850.0
TALK_S = 2.0

NewPhone = Callable[..., Baresip]


def _tracks(path: Path) -> list[Recording]:
    with wave.open(str(path), "rb") as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        tracks = samples.reshape(-1, file.getnchannels()).T
        return [Recording(one.astype(np.float64) / 32767, file.getframerate()) for one in tracks]


@pytest.mark.parametrize(
    ("codec", "rate_hz"), [("pcma", 8000), ("g722/16000/1", 16000)], ids=["passed-on", "converted"]
)
def test_the_caller_is_left_and_the_callee_right(
    exchange: Exchange, users: Users, new_phone: NewPhone, codec: str, rate_hz: int
) -> None:
    callee = new_phone(users.callee, exchange.host, HIGH_HZ, codec=codec, rate_hz=rate_hz)
    caller = new_phone(users.caller, exchange.host, LOW_HZ, codec="pcma")
    caller.dial(users.callee)
    callee.wait_event("CALL_ESTABLISHED")
    caller.wait_event("CALL_ESTABLISHED")
    caller.wait_heard(HIGH_HZ, 1.0)

    (call,) = [one for one in exchange.running_calls() if one.caller == users.caller]
    path = Path(exchange.minisip("record", call.id, "--stereo").rpartition(" ")[2].strip())
    (call,) = [one for one in exchange.running_calls() if one.caller == users.caller]
    assert call.recording
    assert path.parent.parent == exchange.folder / "record"
    assert f"_{users.caller}_{users.callee}_{call.id}" in path.name
    heard = caller.heard_s(HIGH_HZ), callee.heard_s(LOW_HZ)
    caller.wait_heard(HIGH_HZ, heard[0] + TALK_S)
    callee.wait_heard(LOW_HZ, heard[1] + TALK_S)
    exchange.minisip("record", call.id, "--stop")
    caller.hang_up()
    callee.wait_event("CALL_CLOSED")
    exchange.wait_idle()

    left, right = until("the file is whole", lambda: _whole(path), why_not=exchange.why)
    for track, own, other in ((left, LOW_HZ, HIGH_HZ), (right, HIGH_HZ, LOW_HZ)):
        said = track.talking(own)
        assert said.seconds >= TALK_S - 1
        assert abs(said.level_db(own) - LEVEL_DB) < 1
        assert said.level_db(other) < LEVEL_DB - 30

    def own_records() -> list[dict[str, str]]:
        return [r.fields for r in exchange.records() if r["caller_number"] == users.caller]

    (record,) = until("the call's record", own_records, why_not=exchange.why)
    assert f"recording={path.parent.name}/{path.name}" in record["fci"]
    exchange.assert_sane()


def test_it_goes_on_when_the_exchange_dies(
    new_exchange: Callable[..., Exchange], new_phone: NewPhone
) -> None:
    exchange = new_exchange()
    caller, callee = conversation.two_phones(exchange, new_phone)
    conversation.talk(caller, callee)
    (call,) = exchange.running_calls()
    path = Path(exchange.minisip("record", call.id, "--stereo").rpartition(" ")[2].strip())
    high_hz = conversation.HIGH_HZ
    caller.wait_heard(high_hz, caller.heard_s(high_hz) + TALK_S)

    exchange.wait_journalled(path.name)
    exchange.kill()
    exchange.start()

    (call,) = exchange.running_calls()
    assert call.recording
    caller.wait_heard(high_hz, caller.heard_s(high_hz) + TALK_S)
    exchange.minisip("record", call.id, "--stop")
    caller.hang_up()
    callee.wait_event("CALL_CLOSED")
    (record,) = exchange.wait_records(1)
    assert record.fci["recording"] == f"{path.parent.name}/{path.name}"
    tracks = until("the file is whole", lambda: _whole(path, 2), why_not=exchange.why)
    for track, own in zip(tracks, (conversation.LOW_HZ, high_hz), strict=True):
        said = track.talking(own)
        assert said.seconds >= 2 * TALK_S - 1
        # Were a part of it missing, there would be less.
        assert abs(said.level_db(own) - LEVEL_DB) < 1
    exchange.assert_sane()


def test_it_goes_on_in_another_file_when_the_media_engine_dies(
    new_exchange: Callable[..., Exchange], new_phone: NewPhone
) -> None:
    exchange = new_exchange()
    caller, callee = conversation.two_phones(exchange, new_phone)
    conversation.talk(caller, callee)
    (call,) = exchange.running_calls()
    first = Path(exchange.minisip("record", call.id, "--stereo").rpartition(" ")[2].strip())
    second = first.with_name(f"{first.stem}-part2.wav")
    high_hz = conversation.HIGH_HZ
    caller.wait_heard(high_hz, caller.heard_s(high_hz) + TALK_S)

    os.kill(exchange.status().engine_pid, signal.SIGKILL)

    until("there is another file", second.exists, why_not=exchange.why)
    (call,) = exchange.running_calls()
    assert call.recording
    caller.wait_heard(high_hz, caller.heard_s(high_hz) + TALK_S)
    exchange.minisip("record", call.id, "--stop")
    caller.hang_up()
    callee.wait_event("CALL_CLOSED")
    (record,) = exchange.wait_records(1)
    named = [f"{one.parent.name}/{one.name}" for one in (first, second)]
    assert record.fci["recording"] == ",".join(named)
    for path in (first, second):
        tracks = until("the file is whole", partial(_whole, path), why_not=exchange.why)
        for track, own in zip(tracks, (conversation.LOW_HZ, high_hz), strict=True):
            said = track.talking(own)
            assert said.seconds >= TALK_S - 1
            assert abs(said.level_db(own) - LEVEL_DB) < 1


def _whole(path: Path, times: int = 1) -> list[Recording]:
    """The tracks, when there is what was said in so many times `TALK_S`."""
    tracks = _tracks(path)
    return tracks if tracks[0].seconds >= times * TALK_S - 0.5 else []
