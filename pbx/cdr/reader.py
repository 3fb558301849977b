"""Reading record files in whatever state they are: what is no record is left out, and told of."""

import datetime
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO

from pbx.store.record_file import COLUMNS, decode_line, decode_lines, plain

CHUNK = 256 * 1024
"""Octets read at a time: some thousand records."""

LONGEST = 1024 * 1024
"""Octets of a line at most; what goes on without a line's end is no record file."""

LONGEST_TALK_S = 1e9
"""What is said to have lasted longer is no record."""

_CHECKED = ("record_id", "setup_time", "duration")
_RECORD_ID, _SETUP, _DURATION = -3, -2, -1
"""Where these stand among the values of a line: behind those asked for."""

Line = tuple[datetime.datetime, float, Sequence[str]]
"""A record: the moment of its setup, the seconds of talk, and values, at first of the columns asked for."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """What could not be read of a file.

    Args:
        key: ``not-there``, ``unreadable`` (all, or the rest, of it), ``old`` (miniSIPServer's), ``foreign`` (no record file), ``broken``
            (lines that are no records) or ``torn`` (the last line is not whole).
        path: of the file.
        why: of ``unreadable``, in the system's words.
        lines: how many were left out.
        first: the number of the first of them, counted from 1.
    """

    key: str
    path: Path
    why: str = ""
    lines: int = 0
    first: int = 0


class Reader:
    """Reads record files.

    Args:
        complain: told of what has to be left out, once for each kind and file.
    """

    def __init__(self, complain: Callable[[Complaint], None]) -> None:
        self._complain = complain
        self.files = 0
        """How many files turned out to be record files, with records in them or none."""

    def batches(self, path: Path, columns: Sequence[str]) -> Iterator[list[Line]]:
        """Return the records of a file in its order, some thousand at a time; what a running exchange adds may be missing.

        Args:
            columns: which values to return; a file of another version that lacks one has it empty.
        """
        found = _Found()
        try:
            with path.open("rb", buffering=0) as file:
                yield from _batches(file, columns, found)
        except FileNotFoundError:
            self._complain(Complaint("not-there", path))
            return
        except OSError as error:
            self._complain(Complaint("unreadable", path, error.strerror or str(error)))
            if not found.good:
                return
        if (found.broken or found.torn) and not found.good and not found.header:
            self._complain(Complaint("foreign", path))
            return
        self.files += 1
        if found.broken:
            complaint = Complaint("broken", path, lines=found.broken, first=found.first_broken)
            self._complain(complaint)
        if found.torn:
            self._complain(Complaint("torn", path, lines=1, first=found.number + 1))


class _Found:
    """What a file turned out to have."""

    def __init__(self) -> None:
        self.header = False
        self.good = False
        self.number = 0  # of lines read
        self.broken = 0
        self.first_broken = 0
        self.torn = False

    def leave_out(self, number: int) -> None:
        """Count a line as none, by its number."""
        self.broken += 1
        self.first_broken = self.first_broken or number


def _batches(file: BinaryIO, columns: Sequence[str], found: _Found) -> Iterator[list[Line]]:
    layout: _Layout | None = None
    for piece in _pieces(file, found):
        if layout is None:
            names = _names(piece)
            found.header = bool(names)
            layout = _Layout(names or COLUMNS, columns)
            if names:
                piece = piece.partition(b"\n")[2]
                found.number = 1
        batch = layout.read(decode_lines(piece) or piece.split(b"\n")[:-1], found)
        found.good = found.good or bool(batch)
        yield batch


def _pieces(file: BinaryIO, found: _Found) -> Iterator[bytes]:
    """Read the file in pieces of whole lines."""
    rest, skips = b"", False
    while data := file.read(CHUNK):
        if skips:
            # the rest of a line that is too long
            _, feed, data = data.partition(b"\n")
            skips = not feed
        rest += data
        end = rest.rfind(b"\n") + 1
        if end:
            yield rest[:end]
            rest = rest[end:]
        if len(rest) > LONGEST:
            found.number += 1
            found.leave_out(found.number)
            rest, skips = b"", True
    if rest.endswith(b"\r"):
        # as the writer sees it: all of the record is there
        yield rest + b"\n"
    elif rest.strip():
        found.torn = True


def _names(piece: bytes) -> Sequence[str]:
    """Return the columns by the header row, if there is one."""
    try:
        names = decode_line(piece.partition(b"\n")[0])
    except ValueError:
        return ()
    return names if "record_id" in names else ()


class _Layout:
    """Where in a line the values are that are wanted."""

    def __init__(self, names: Sequence[str], columns: Sequence[str]) -> None:
        self._commas = len(names) - 1
        places = {name: place for place, name in enumerate(names)}
        wanted = [places.get(name, -1) for name in (*columns, *_CHECKED)]
        self._pick = itemgetter(*wanted)
        self._lacks = -1 in wanted
        self._splits = max(wanted) + 1

    def read(self, rows: Sequence[str | bytes], found: _Found) -> list[Line]:
        """Return the records that the lines are; count the lines, and those that are no records."""
        try:
            batch = self._all(rows)
        except ValueError:
            batch = list(self._each(rows, found))
        found.number += len(rows)
        return batch

    def _all(self, rows: Sequence[str | bytes]) -> list[Line]:
        """Return the records that all of the lines are, a million of them in a few seconds.

        Raises:
            ValueError: a line is none, or wants a closer look.
        """
        pick, splits, commas, lacks = self._pick, self._splits, self._commas, self._lacks
        picked: list[Sequence[str]] = []
        for row in rows:
            if isinstance(row, bytes) or '"' in row or row.count(",") != commas:
                raise ValueError("not so simple")
            values = row.split(",", splits)
            if lacks:
                values.append("")
            picked.append(pick(values if "'" not in row else list(map(plain, values))))
        names, setups, durations = (
            list(map(itemgetter(place), picked)) for place in (_RECORD_ID, _SETUP, _DURATION)
        )
        seconds = list(map(float, durations))
        if not all(names) or not all(0 <= one < LONGEST_TALK_S for one in seconds):
            raise ValueError("no record")
        return list(zip(map(datetime.datetime.fromisoformat, setups), seconds, picked, strict=True))

    def _each(self, rows: Iterable[str | bytes], found: _Found) -> Iterator[Line]:
        """Return the records among the lines, and count those that are none."""
        for number, row in enumerate(rows, found.number + 1):
            try:
                values = decode_line(row.encode() if isinstance(row, str) else row)
                if len(values) != self._commas + 1:
                    raise ValueError("too many values, or too few")
                picked = self._pick([*values, ""] if self._lacks else values)
                seconds = float(picked[_DURATION] or 0)
                if not picked[_RECORD_ID] or not 0 <= seconds < LONGEST_TALK_S:
                    raise ValueError("no record")
                setup = datetime.datetime.fromisoformat(picked[_SETUP])
            except ValueError:
                if row.strip():
                    found.leave_out(number)
            else:
                yield setup, seconds, picked
