"""What the view looks for in the records, away from the screen: reading takes seconds."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from pbx.cdr import totals
from pbx.cdr.archive import Archive
from pbx.cdr.batch import Batch
from pbx.cdr.call import Call
from pbx.cdr.reader import Complaint, Reader
from pbx.cdr.selection import Selection

State = tuple[tuple[Path, int, int], ...]
"""The files with their sizes and times: another one when something was written."""


@dataclass(slots=True)
class Found:
    """What there is.

    Args:
        calls: the newest, where calls were looked for; `more`: there are more than these.
        rows, everything: the totals, where those were.
        complaints: what could not be read.
        state: of the files before they were read.
    """

    state: State
    calls: list[Call] = field(default_factory=list)
    more: bool = False
    rows: dict[str, totals.Total] = field(default_factory=dict)
    everything: totals.Total = field(default_factory=totals.Total)
    complaints: list[Complaint] = field(default_factory=list)


class Search:
    """Looks into record files.

    Args:
        paths: of files and folders.
        selection: which records are wanted at all.
    """

    def __init__(self, paths: Sequence[Path], selection: Selection) -> None:
        self._paths = paths
        self._selection = selection

    def state(self) -> State:
        """Return the state of the files."""
        return _state(self._archive(self._selection, []))

    def calls(self, number: str, most: int, stopped: Callable[[], bool]) -> Found:
        """Return the newest calls.

        Args:
            number: stands somewhere in one of the call's numbers; empty for any.
            most: so many of them.
            stopped: tells whether nobody waits for the answer any more; half an answer is returned then.
        """
        selection, found, archive = self._begin(number)
        # one more, to tell that there are more
        calls = archive.calls(_Stoppable(found, stopped), selection, most + 1)
        found.calls = list(islice(calls, most))
        found.more = next(calls, None) is not None
        return found

    def totals(self, number: str, by: totals.By, stopped: Callable[[], bool]) -> Found:
        """Return the totals of the calls that `calls` would return, each of them."""
        selection, found, archive = self._begin(number)
        reader = _Stoppable(found, stopped)
        groups = archive.batches(reader, selection, totals.columns(by))
        found.rows, found.everything = totals.totals(groups, by)
        return found

    def _begin(self, number: str) -> tuple[Selection, Found, Archive]:
        selection = replace(self._selection, number=number) if number else self._selection
        complaints: list[Complaint] = []
        archive = self._archive(selection, complaints)
        return selection, Found(_state(archive), complaints=complaints), archive

    def _archive(self, selection: Selection, complaints: list[Complaint]) -> Archive:
        return Archive.find(self._paths, selection, complaints.append)


class _Stoppable(Reader):
    """Reads nothing more once nobody waits for it."""

    def __init__(self, found: Found, stopped: Callable[[], bool]) -> None:
        super().__init__(found.complaints.append)
        self._stopped = stopped

    def batches(self, path: Path, columns: Sequence[str]) -> Iterator[Batch]:
        for batch in super().batches(path, columns):
            if self._stopped():
                return
            yield batch


def _state(archive: Archive) -> State:
    return tuple(_stamp(path) for group in archive.groups for path in group)


def _stamp(path: Path) -> tuple[Path, int, int]:
    try:
        status = path.stat()
    except OSError:
        return path, -1, -1
    return path, status.st_size, status.st_mtime_ns
