"""Many record files, by the time of their calls."""

import datetime
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pbx.cdr.binary import SUFFIX
from pbx.cdr.finding import Complaint
from pbx.cdr.selection import Selection

Group = tuple[Path, ...]

_DAY = re.compile(r"CDR_(\d{4})(\d\d)(\d\d)\.(csv|cdr)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Archive:
    """Record files.

    Args:
        groups: files whose calls may have ended in the same time; all of a group ended before those
            of the groups before it. The records of a call are in one group.
    """

    groups: tuple[Group, ...]

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
            day = _date(*match.groups()[:3]) if match is not None else None
            if day is None:
                others = True
            elif not selection.passes_day(day):
                continue
            days.setdefault("" if day is None else path.stem, []).append(path)
        if others:
            # nobody knows when the calls of these ended
            return cls((tuple(path for group in days.values() for path in group),))
        return cls(tuple(tuple(days[name]) for name in sorted(days, reverse=True)))


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
            yield file


def _within(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.suffix.lower() in (".csv", SUFFIX) and path.is_file():
            yield path


def _date(year: str, month: str, day: str) -> datetime.date | None:
    try:
        return datetime.date(int(year), int(month), int(day))
    except ValueError:
        return None
