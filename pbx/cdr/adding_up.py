"""The totals of many record files, on all processor cores at once."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from pbx.cdr.archive import Archive
from pbx.cdr.reader import Complaint, Reader
from pbx.cdr.selection import Selection
from pbx.cdr.spread import spread
from pbx.cdr.totals import By, Total, columns, together, totals

LARGE = 16 * 1024 * 1024
"""Octets of files from which on other processes are worth their start."""

Group = tuple[Path, ...]

_Part = tuple[dict[str, Total], Total, list[Complaint], int]
"""Rows, all calls, what could not be read, and how many files could."""


class AddingUp:
    """Adds calls up; not where there are threads.

    Args:
        archive: the files.
        selection: which records are wanted.
        complain: told of what has to be left out.
    """

    def __init__(
        self, archive: Archive, selection: Selection, complain: Callable[[Complaint], None]
    ) -> None:
        self._archive = archive
        self._selection = selection
        self._complain = complain
        self.files = 0
        """How many files turned out to be record files."""

    def totals(self, by: By) -> tuple[dict[str, Total], Total]:
        """Return what `totals` returns."""
        return together(self._parts(by), by)

    def _parts(self, by: By) -> Iterator[tuple[dict[str, Total], Total]]:
        groups = self._archive.groups
        work = partial(_of_group, self._selection, by)
        large = sum(map(_size, (path for group in groups for path in group))) >= LARGE
        for rows, everything, complaints, files in (spread if large else map)(work, groups):
            for complaint in complaints:
                self._complain(complaint)
            self.files += files
            yield rows, everything


def _of_group(selection: Selection, by: By, group: Group) -> _Part:
    complaints: list[Complaint] = []
    reader = Reader(complaints.append)
    batches = Archive((group,)).batches(reader, selection, columns(by))
    return *totals(batches, by), complaints, reader.files


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0
