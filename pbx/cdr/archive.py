"""The calls in many record files, newest first."""

import datetime
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from pbx.cdr.fci import parse_fci
from pbx.cdr.reader import Complaint, Line, Reader
from pbx.cdr.selection import Selection
from pbx.store.record_file import COLUMNS

_DAY = re.compile(r"CDR_(\d{4})(\d\d)(\d\d)\.csv", re.ASCII)

_OLD = ".cdr"
"""miniSIPServer's own binary files."""


@dataclass(frozen=True, slots=True)
class Record:
    """A line of a record file.

    Args:
        setup: when the call began.
        duration_s: of the talk.
        values: all columns by name, as they stand in the file.
    """

    setup: datetime.datetime
    duration_s: float
    values: dict[str, str]

    def __getitem__(self, column: str) -> str:
        return self.values[column]

    @property
    def fci(self) -> dict[str, str]:
        """The items of the column."""
        return parse_fci(self.values["fci"])

    def number(self, item: str) -> int | None:
        """Return an item of the FCI that is a whole number, such as ``callTag``."""
        text = self.fci.get(item, "")
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None

    @property
    def released(self) -> datetime.datetime | None:
        """When the call ended; None where that isn't known."""
        return moment(self.values["release_time"])


@dataclass(frozen=True, slots=True)
class Call:
    """The records of a call: of one of its sides, or of both."""

    records: tuple[Record, ...]

    @property
    def first(self) -> Record:
        """A record of it; the sides differ in nothing but `cdr_type`."""
        return self.records[0]


def moment(text: str) -> datetime.datetime | None:
    """Return a time of a record; None where there is none."""
    try:
        return datetime.datetime.fromisoformat(text)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Archive:
    """Record files.

    Args:
        groups: files whose calls may have ended in the same time; all of a group ended before those
            of the groups before it.
    """

    groups: tuple[tuple[Path, ...], ...]

    @classmethod
    def find(
        cls, paths: Iterable[Path], selection: Selection, complain: Callable[[Complaint], None]
    ) -> "Archive":
        """Find the files that may have records that are wanted.

        Args:
            paths: of files, and of folders with record files in them.
            complain: told of what can't be read.
        """
        days: dict[str, list[Path]] = {}
        others = False
        for path in _files(paths, complain):
            match = _DAY.fullmatch(path.name)
            day = _date(*match.groups()) if match is not None else None
            if day is None:
                others = True
            elif not selection.passes_day(day):
                continue
            days.setdefault("" if day is None else path.name, []).append(path)
        if others:
            # nobody knows when the calls of these ended
            return cls((tuple(path for group in days.values() for path in group),))
        return cls(tuple(tuple(days[name]) for name in sorted(days, reverse=True)))

    def lines(
        self, reader: Reader, selection: Selection, columns: Sequence[str] = ()
    ) -> Iterator[Line]:
        """Return the records that are wanted, in any order.

        Args:
            columns: what their values begin with.
        """
        return chain.from_iterable(
            _selected(reader, group, selection, columns) for group in self.groups
        )

    def calls(self, reader: Reader, selection: Selection) -> Iterator[Call]:
        """Return the calls with a record that is wanted; what ended last comes first."""
        for group in self.groups:
            calls: dict[tuple[str, str], dict[str, Record]] = {}
            for setup, seconds, values in _selected(reader, group, selection, COLUMNS):
                record = Record(setup, seconds, dict(zip(COLUMNS, values, strict=False)))
                name = record["record_id"]
                sides = calls.setdefault((record["call_id"] or name, record["setup_time"]), {})
                # a copy of the file may have been named, too
                sides.setdefault(name, record)
            found = [Call(tuple(sides.values())) for sides in calls.values()]
            found.sort(key=_end, reverse=True)
            yield from found


def _end(call: Call) -> float:
    record = call.first
    try:
        return (record.released or record.setup).timestamp()
    except (ValueError, OverflowError):
        # a year beyond what the system's calendar has
        return 0.0


def _selected(
    reader: Reader, paths: Iterable[Path], selection: Selection, columns: Sequence[str]
) -> Iterator[Line]:
    wanted = (*columns, *(one for one in selection.columns() if one not in columns))
    tests = selection.tests(wanted)
    batches = (batch for path in paths for batch in reader.batches(path, wanted))
    lines = chain.from_iterable(batches)
    if not tests:
        return lines
    return (line for line in lines if all(test(line) for test in tests))


def _files(paths: Iterable[Path], complain: Callable[[Complaint], None]) -> Iterator[Path]:
    seen: set[Path] = set()
    for path in paths:
        try:
            # a folder's plain files only: to open a pipe would wait for ever
            found = sorted(_within(path)) if path.is_dir() else [path]
        except OSError as error:
            complain(Complaint("unreadable", path, error.strerror or str(error)))
            continue
        for file in found:
            real = file.absolute()
            if real in seen:
                continue
            seen.add(real)
            if file.suffix.lower() == _OLD:
                complain(Complaint("old", file))
            else:
                yield file


def _within(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.suffix.lower() in (".csv", _OLD) and path.is_file():
            yield path


def _date(year: str, month: str, day: str) -> datetime.date | None:
    try:
        return datetime.date(int(year), int(month), int(day))
    except ValueError:
        return None
