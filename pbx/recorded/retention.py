"""How long recordings are kept, and how much room they may take: the oldest go first."""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from pbx.recorded.folder import RecordingFile, RecordingFolder
from pbx.recorded.name import read_day

log = logging.getLogger(__name__)

MEGABYTE = 1_000_000

AT_WORK_S = 60.0
"""Who was written to within this time may be being written: its begin was not told in time."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A recording that can't be removed, or a folder that can't be read.

    Args:
        name: of the file or the day, within the folder of recordings.
        why: the system's words.
    """

    name: str
    why: str


@dataclass(slots=True)
class _Day:
    """What a day's recordings take up.

    Args:
        changed: when it had how many files.
        octets: of all its files.
    """

    changed: int
    octets: int


class Retention:
    """Removes recordings; called in a thread, never twice at once.

    A day's folder is read again only where files have come or gone since, or one is being written.

    Args:
        folder: where the recordings are.
        keep_days: a recording is removed when its day is more than so many days ago; 0: never.
        most_mb: the oldest ones go where all together have more megabytes; 0: none does.
    """

    def __init__(self, folder: RecordingFolder, keep_days: int, most_mb: int) -> None:
        self._folder = folder
        self._keep_days = keep_days
        self._most = most_mb * MEGABYTE
        self._days: dict[str, _Day] = {}
        self._failure: Failure | None = None

    @property
    def wanted(self) -> bool:
        """Whether anything is ever removed."""
        return self._keep_days > 0 or self._most > 0

    def apply(self, running: frozenset[str], today: date | None) -> Failure | None:
        """Remove what is too old or too much; return what couldn't be done, the first of it.

        Args:
            running: the recordings that go on, by their names within the folder; they stay.
            today: by local time; None where the clock isn't trusted: nothing is too old then.
        """
        self._failure = None
        try:
            if self._keep_days and today is not None:
                self._remove_old(running, today)
            if self._most:
                self._remove_most(running)
        except OSError as error:
            self._failed(self._folder.path.name, error)
        return self._failure

    def _remove_old(self, running: frozenset[str], today: date) -> None:
        for day in self._folder.days():
            begun = read_day(day)
            if begun is None or today - begun <= timedelta(self._keep_days):
                return
            self._remove(self._removable(day, running), f"older than {self._keep_days} days")

    def _remove_most(self, running: frozenset[str]) -> None:
        days = self._folder.days()
        excess = sum(self._octets(day, running) for day in days) - self._most
        self._days = {day: known for day, known in self._days.items() if day in days}
        for day in days:
            if excess <= 0:
                return
            gone = []
            for file in self._removable(day, running):
                if excess <= 0:
                    break
                gone.append(file)
                excess -= file.octets
            excess += self._remove(gone, f"more than {self._most // MEGABYTE} MB")

    def _octets(self, day: str, running: frozenset[str]) -> int:
        """What a day's recordings take up."""
        known = self._days.get(day)
        try:
            changed = self._folder.changed(day)
            if known is not None and known.changed == changed:
                return known.octets
            files = self._folder.files(day)
        except OSError as error:
            self._failed(day, error)
            return 0
        octets = sum(file.octets for file in files)
        growing = any(name.startswith(day) for name in running)
        if not growing and not any(map(_at_work, files)):
            self._days[day] = _Day(changed, octets)
        return octets

    def _removable(self, day: str, running: frozenset[str]) -> Iterator[RecordingFile]:
        try:
            files = self._folder.files(day)
        except OSError as error:
            self._failed(day, error)
            return
        for file in files:
            if file.name not in running and not _at_work(file):
                yield file

    def _remove(self, files: Iterator[RecordingFile] | list[RecordingFile], why: str) -> int:
        """Remove files of a day, the oldest first; return the octets of those that stay."""
        gone: list[RecordingFile] = []
        kept = 0
        for file in files:
            try:
                self._folder.remove(file.name)
            except OSError as error:
                self._failed(file.name, error)
                kept += file.octets
            else:
                gone.append(file)
        if gone:
            octets = sum(file.octets for file in gone)
            log.info(
                "%d recordings removed, %.1f MB, up to %s: %s",
                *(len(gone), octets / MEGABYTE, gone[-1].name, why),
            )
        return kept

    def _failed(self, name: str, error: OSError) -> None:
        if self._failure is None:
            self._failure = Failure(name, error.strerror or str(error))


def _at_work(file: RecordingFile) -> bool:
    return abs(time.time() - file.written) <= AT_WORK_S
