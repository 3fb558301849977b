"""What the view looks for in the records, away from the screen: reading takes seconds."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from pbx.cdr import totals
from pbx.cdr.archive import Archive
from pbx.cdr.call import Call
from pbx.cdr.finding import Complaint
from pbx.cdr.query import Query
from pbx.cdr.reader import Reader
from pbx.cdr.selection import Selection
from pbx.cdr.spread import Spread, Stopped, here

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
    everything: totals.Total = totals.Total()
    complaints: list[Complaint] = field(default_factory=list)


class Search:
    """Looks into record files.

    Args:
        paths: of files and folders.
        selection: which records are wanted at all.
        spread: does the work where the files are large; not by processes that it forks, for there are threads.
    """

    def __init__(self, paths: Sequence[Path], selection: Selection, spread: Spread = here) -> None:
        self._paths = paths
        self._selection = selection
        self._spread = spread

    def state(self) -> State:
        """Return the state of the files."""
        return _state(Archive.find(self._paths, self._selection, lambda complaint: None))

    def calls(self, number: str, most: int, stopped: Stopped) -> Found:
        """Return the newest calls.

        Args:
            number: stands somewhere in one of the call's numbers; empty for any.
            most: so many of them.
            stopped: tells whether nobody waits for the answer any more; half an answer is returned then.
        """
        found, query = self._begin(number, stopped)
        # one more, to tell that there are more
        calls = query.calls(most + 1)
        found.calls = list(islice(calls, most))
        found.more = next(calls, None) is not None
        return found

    def totals(self, number: str, by: totals.By, stopped: Stopped) -> Found:
        """Return the totals of the calls that `calls` would return, each of them."""
        found, query = self._begin(number, stopped)
        found.rows, found.everything = query.totals(by)
        return found

    def _begin(self, number: str, stopped: Stopped) -> tuple[Found, Query]:
        selection = replace(self._selection, number=number) if number else self._selection
        complaints: list[Complaint] = []
        archive = Archive.find(self._paths, selection, complaints.append)
        reader = Reader(complaints.append)
        query = Query(archive, selection, reader, self._spread, stopped)
        return Found(_state(archive), complaints=complaints), query


def _state(archive: Archive) -> State:
    return tuple(_stamp(path) for group in archive.groups for path in group)


def _stamp(path: Path) -> tuple[Path, int, int]:
    try:
        status = path.stat()
    except OSError:
        return path, -1, -1
    return path, status.st_size, status.st_mtime_ns
