"""Thousands of calls leave nothing behind in a real engine.

MEDIA_ENDURANCE_CALLS says how many; a release is tried with 10 000.
"""

import contextlib
import os
from pathlib import Path

from pbx.media import codecs
from pbx.media.engine import player_row, tape_row
from pbx.media.protocol import (
    Address,
    Play,
    Prepare,
    Record,
    Recorded,
    Refused,
    Release,
    Released,
    StopRecording,
    Tap,
    Voice,
)
from tests.interop.waiting import until
from tests.media.engine_process import PORTS, Link, running, stream

CALLS = int(os.environ.get("MEDIA_ENDURANCE_CALLS", "600"))
AT_ONCE = PORTS // 4
"""Calls that the engine's ports are enough for."""

GROWTH_KIB = 3072
"""What the allocators may keep, who take a MiB at a time. A leak of 6 KiB a call would be more, and
with 10 000 calls one of 320 octets."""

NOBODY = Address("127.0.0.1", 9)


def begin(link: Link, number: int, a: int, b: int, folder: Path) -> None:
    """Set up a call as one of three: passed on, converted, or ended before its recording."""
    link.send(Prepare([a, b]), stream(a, b, NOBODY), stream(b, a, NOBODY))
    if number % 3 == 1:
        link.send(
            Voice(a, codecs.OPUS, 98, partner=b),
            Voice(b, codecs.G722, 9, partner=a),
            Play(number, port=a, tone="ringback"),
        )
    else:
        formats = [(0, codecs.PCMU), (9, codecs.G722), (98, codecs.OPUS)]
        link.send(Tap(a, formats), Tap(b, formats))
    link.send(Record(number, str(folder / f"{number}.wav"), a, b, stereo=True))
    if number % 3 == 2:
        link.send(StopRecording(number))


def make_calls(link: Link, first: int, count: int, folder: Path) -> None:
    """Make calls, as many at once as there are ports for, and end them."""
    pairs = list(zip(link.ready.ports[::2], link.ready.ports[1::2], strict=True))[:AT_ONCE]
    for group in range(first, first + count, AT_ONCE):
        for place, (a, b) in enumerate(pairs):
            begin(link, group + place, a, b, folder)
        link.send(*(Release([a, b]) for a, b in pairs))
        for _ in pairs:
            assert link.expect(Recorded).failure == ""
            link.expect(Released)
            link.expect(Released)
        link.waiting.clear()
        for file in folder.iterdir():
            file.unlink()


def descriptors(pid: int) -> list[str]:
    """What a process has open."""
    found = []
    for one in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found.append(str(one.readlink()))
    return sorted(found)


def memory_kib(pid: int) -> int:
    """What a process takes of the memory (PSS); of files, how much depends on who else reads them."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines():
        name, _, rest = line.partition(":")
        if name == "Pss_Anon":
            return int(rest.split()[0])
    raise AssertionError("no Pss_Anon")


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir()
    with running() as engine:
        link = engine.connect()
        pid = link.ready.pid
        # Each row and each thread has been used once.
        warm = 2 * max(tape_row.TAPES, player_row.PLAYERS)
        make_calls(link, 1, warm, folder)
        until("no recording is open", lambda: not any(".wav" in one for one in descriptors(pid)))
        open_before, memory_before = descriptors(pid), memory_kib(pid)
        make_calls(link, 1 + warm, CALLS, folder)
        # The last files may still be on their way to the disk
        until("only what was open before", lambda: descriptors(pid) == open_before)
        assert memory_kib(pid) - memory_before < GROWTH_KIB
        # Every port is free again.
        link.send(*(stream(port, 0, NOBODY) for port in link.ready.ports))
        assert len(link.counts()) == len(link.ready.ports)
        assert link.said(Refused) == []
