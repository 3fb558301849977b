"""The journal of calls in progress, so that a power cut leaves a record and not a hole.

One JSON object a line: a call as it stands now, its end, or a sign of life. What a crash left
unended is found at the next start. First the lines, then the file.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pbx.cdr.disk import append_whole, replace_file, sync_file
from pbx.cdr.record import CallEntry

log = logging.getLogger(__name__)

COMPACT_AT = 1 << 20
"""Octets beyond which the file is written anew with the calls that still run."""


class Put(msgspec.Struct, frozen=True, tag="call"):
    """A call as it stands now."""

    call: CallEntry


class End(msgspec.Struct, frozen=True, tag="end"):
    """A call's records are on the disk."""

    id: str


class Alive(msgspec.Struct, frozen=True, tag="alive"):
    """The exchange was alive at this time, in seconds since 1970."""

    wall_s: float


Line = Put | End | Alive


@dataclass(frozen=True, slots=True)
class Unended:
    """A call that never ended, and when it is known to have gone on last."""

    call: CallEntry
    last_wall_s: float


def encode(line: Line) -> bytes:
    """Return the line as it stands in the file."""
    return msgspec.json.encode(line) + b"\n"


def replay(data: bytes) -> list[Unended]:
    """Return the calls that never ended, the oldest first; what can't be read is left out."""
    calls: dict[str, Unended] = {}
    for text in data.split(b"\n"):
        # zeros: a file system that grew the file before a power cut kept it from writing
        if not (text := text.strip(b"\0\r ")):
            continue
        try:
            line = msgspec.json.decode(text, type=Line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            log.warning("the journal of calls has a torn line: %.100r", text)
            continue
        if isinstance(line, Put):
            before = calls.get(line.call.id)
            last = max(line.call.last_wall_s, before.last_wall_s if before else 0.0)
            calls[line.call.id] = Unended(line.call, last)
        elif isinstance(line, End):
            calls.pop(line.id, None)
        else:
            for each in list(calls.values()):
                last = max(line.wall_s, each.last_wall_s)
                calls[each.call.id] = Unended(each.call, last)
    return list(calls.values())


class Journal:
    """The journal's file.

    Ends are kept back until `sync`: a call's end must not be on the disk before its record is.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._running: dict[str, CallEntry] = {}
        self._ended: list[str] = []
        self._beaten_s = 0.0
        self._size = 0
        self._dirty = False

    def recover(self) -> list[Unended]:
        """Return the calls that never ended; they stay in the journal until `end`.

        Raises:
            OSError: the file can't be read, or not be written anew.
        """
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            data = b""
        unended = replay(data)
        self._running = {each.call.id: each.call for each in unended}
        self._beaten_s = max((each.last_wall_s for each in unended), default=0.0)
        lines: list[Line] = []
        for each in unended:
            lines += (Put(each.call), Alive(each.last_wall_s))
        self._replace(lines)
        return unended

    def put(self, call: CallEntry) -> None:
        """Note a call as it stands now: it began, rang, or was answered.

        Raises:
            OSError: nothing was written.
        """
        self._append(encode(Put(call)))
        self._running[call.id] = call

    def end(self, call_id: str) -> None:
        """Note, at the next `sync`, that a call needs no record any more."""
        if self._running.pop(call_id, None) is not None:
            self._ended.append(call_id)

    def beat(self, wall_s: float) -> None:
        """Note the time while calls are running: a power cut ends them about then.

        Raises:
            OSError: nothing was written.
        """
        if self._running:
            self._append(encode(Alive(wall_s)))
            self._beaten_s = wall_s

    def sync(self) -> None:
        """Put everything on the disk; the records of ended calls must be there already.

        Raises:
            OSError: the disk failed.
        """
        if self._ended:
            self._append(b"".join(encode(End(call_id)) for call_id in self._ended))
            self._ended.clear()
        if self._size > COMPACT_AT:
            self._replace([*map(Put, self._running.values()), Alive(self._beaten_s)])
        elif self._dirty:
            sync_file(self._path)
        self._dirty = False

    def _append(self, data: bytes) -> None:
        self._size = append_whole(self._path, data)
        self._dirty = True

    def _replace(self, lines: Iterable[Line]) -> None:
        data = b"".join(map(encode, lines))
        replace_file(self._path, data)
        self._size = len(data)
