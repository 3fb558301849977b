"""Recordings that are cut by a crash: of the media engine, of the exchange, or of both at once."""

import os
import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from tests.app.phone import Call
from tests.interop.conftest import PASSWORD
from tests.interop.exchange import Exchange
from tests.interop.waiting import until
from tests.posts.talking import (
    RATE,
    Mouth,
    Recorded,
    Speech,
    TalkingPhone,
    by_sox,
    likeness,
    speech,
    talk,
)

pytestmark = [pytest.mark.interop, pytest.mark.timeout(180)]

CALLS = 6
TALK_S = 3.5
SAFE_S = 1.5
"""So much of what each says is in its file before the cut, at least."""


class Talk:
    """A recorded call, and what its parties say."""

    def __init__(self, exchange: Exchange, number: int, closing: ExitStack, talk_s: float) -> None:
        exchange.call("user.add", number=str(number), password=PASSWORD)
        self.caller, self.callee = (
            TalkingPhone(exchange, own, PASSWORD) for own in ("200", str(number))
        )
        closing.callback(self.caller.close)
        closing.callback(self.callee.close)
        assert self.callee.register().status == 200
        self.call = Call(self.caller, self.callee)
        for phone, port in zip((self.caller, self.callee), self.call.ports, strict=True):
            phone.mouth.to = phone.exchange[0], port
        self.file = Recorded(exchange, str(number))
        self.said = speech([20], talk_s), speech([30], talk_s)

    def has(self, seconds: float) -> bool:
        """Whether the file has the beginning of what each says already, of at least half a second."""
        for said, track in zip(self.said, by_sox(self.file.path), strict=True):
            at, alike = likeness(said.sound[: RATE // 2], track)
            if alike < 0.9 or len(track) < at + seconds * RATE:
                return False
        return True

    @property
    def speeches(self) -> list[tuple[Mouth, Speech]]:
        return [*zip((self.caller.mouth, self.callee.mouth), self.said, strict=True)]


@pytest.fixture
def exchange(new_exchange: Callable[..., Exchange]) -> Exchange:
    """Return an exchange that a test may kill."""
    own = new_exchange()
    own.call("user.add", number="200", password=PASSWORD)
    return own


def cut(exchange: Exchange, closing: ExitStack, kill: Callable[[], None]) -> list[tuple[Talk, int]]:
    """Kill in the middle of recorded calls; return these, and how many samples each file had."""
    talks = [Talk(exchange, 201 + number, closing, TALK_S) for number in range(CALLS)]
    for each in talks:
        each.file.begin(stereo=True)
        # One after the other: the cut meets each at another moment of its block
        until("it is being recorded", each.file.path.exists)
    for each in talks:
        each.file.wait_running()
    talk(*(one for each in talks for one in each.speeches))
    until("all of them are in the files", lambda: all(each.has(SAFE_S) for each in talks))
    safe = [len(by_sox(each.file.path)[0]) for each in talks]
    kill()
    return [*zip(talks, safe, strict=True)]


def assert_playable(each: Talk, safe: int) -> None:
    """Assert that a file opens, and has what it had before the cut, each sample in its place."""
    tracks = by_sox(each.file.path)
    assert len(tracks[0]) >= safe
    for said, track in zip(each.said, tracks, strict=True):
        at, alike = likeness(said.sound[: RATE // 2], track)
        assert alike > 0.99
        assert len(track) >= at + SAFE_S * RATE
        there = track[at : at + len(said.sound)]
        assert np.array_equal(there, said.sound[: len(there)])


def named(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def test_the_media_engine_dies(exchange: Exchange, closing: ExitStack) -> None:
    """What it had written stays; the rest of each call is in another file."""
    engine = exchange.status().engine_pid
    calls = cut(exchange, closing, lambda: os.kill(engine, signal.SIGKILL))
    for each, safe in calls:
        assert_playable(each, safe)
    parts = [path.with_name(f"{path.stem}-part2.wav") for path in paths(calls)]
    for (each, _), part in zip(calls, parts, strict=True):
        each.file.path = part
        each.file.wait_running()
    talk(*(one for each, _ in calls for one in each.speeches))
    for (each, _), part in zip(calls, parts, strict=True):
        each.file.whole(*(said.sound for said in each.said))
        assert [
            likeness(said.sound, track)[1]
            for said, track in zip(each.said, by_sox(part), strict=True)
        ] == pytest.approx([1.0, 1.0])
        each.call.hang_up()
    records = {record["called_number"]: record.fci for record in exchange.wait_records(CALLS)}
    for (each, _), part in zip(calls, parts, strict=True):
        whole = part.with_name(part.name.replace("-part2", ""))
        assert records[each.callee.number]["recording"] == f"{named(whole)},{named(part)}"
    exchange.assert_sane()


def test_the_exchange_dies_and_nothing_is_missing(exchange: Exchange, closing: ExitStack) -> None:
    """The engine goes on recording, while they talk and another exchange comes."""
    talks = [Talk(exchange, 201 + number, closing, 5.0) for number in range(2)]
    for each in talks:
        each.file.begin(stereo=True)
        each.file.wait_running()
    speeches = [one for each in talks for one in each.speeches]
    talking = threading.Thread(target=talk, args=speeches)
    talking.start()
    closing.callback(talking.join)
    until("there's sound in the files", lambda: all(each.has(0.5) for each in talks), 20)
    exchange.wait_journalled(*(each.file.path.name for each in talks))
    exchange.kill()
    exchange.start()
    talking.join()
    for each in talks:
        tracks = each.file.whole(*(said.sound for said in each.said))
        for said, track in zip(each.said, tracks, strict=True):
            at, _ = likeness(said.sound, track)
            assert np.array_equal(track[at : at + len(said.sound)], said.sound)
        each.call.hang_up()
    records = exchange.wait_records(len(talks))
    assert {one.fci["recording"] for one in records} == {named(each.file.path) for each in talks}
    exchange.assert_sane()


def test_both_die_at_once(exchange: Exchange, closing: ExitStack) -> None:
    """As with a power cut; the next start finds whose the files are."""
    engine = exchange.status().engine_pid

    def kill() -> None:
        os.kill(engine, signal.SIGKILL)
        os.kill(exchange.pid, signal.SIGKILL)

    calls = cut(exchange, closing, kill)
    for each, safe in calls:
        assert_playable(each, safe)
    exchange.kill()
    exchange.start()
    records = {record["called_number"]: record.fci for record in exchange.wait_records(CALLS)}
    for each, safe in calls:
        assert records[each.callee.number]["recording"] == named(each.file.path)
        assert_playable(each, safe)
    listed = exchange.minisip("recordings")
    assert all(named(path) in listed for path in paths(calls))
    exchange.assert_sane()


def paths(calls: list[tuple[Talk, int]]) -> list[Path]:
    return [each.file.path for each, _ in calls]
