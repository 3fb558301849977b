"""What is asked of many record files: their newest calls, or what the calls come to."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Generic, TypeVar

from pbx.cdr import span
from pbx.cdr.archive import Archive
from pbx.cdr.batch import Batch
from pbx.cdr.call import Call
from pbx.cdr.finding import Finding
from pbx.cdr.newest import Newest
from pbx.cdr.overlap import Prints, overlapping, prints
from pbx.cdr.parts import Part, parts, whole
from pbx.cdr.reader import Reader, batches
from pbx.cdr.selection import Selection
from pbx.cdr.span import Span
from pbx.cdr.spread import Spread, Stopped, here, never
from pbx.cdr.totals import By, Subtotals, Sums, Totals, columns, together
from pbx.store.record_file import COLUMNS

FEW = 10_000
"""Calls that are sent by other processes in less time than these save."""

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class _Answer(Generic[Value]):
    """What a part has.

    Args:
        value: what was asked for.
        findings: what each of its spans turned out to be.
        prints: its calls, where another part may have records of the same.
    """

    value: Value
    findings: dict[Span, Finding]
    prints: Prints = field(default_factory=dict)


Work = Callable[[Part, Stopped], _Answer[Value]]


class Query:
    """Asks record files, large ones on all processor cores at once. The answers are those of one pass through them.

    Args:
        archive: the files.
        selection: which records are wanted.
        reader: told of the files and of what has to be left out.
        spread: does the work where the files are large.
        stopped: tells whether nobody waits for the answer any more; half of it is returned then.
    """

    def __init__(
        self,
        archive: Archive,
        selection: Selection,
        reader: Reader,
        spread: Spread = here,
        stopped: Stopped = never,
    ) -> None:
        self._groups = archive.groups
        self._selection = selection
        self._reader = reader
        self._spread = spread
        self._stopped = stopped

    def totals(self, by: By) -> Totals:
        """Return what the calls come to.

        Returns:
            The rows by name, in the order of days and hours, or by number of calls; and all calls.
        """
        cut = list(map(parts, self._groups))
        work = partial(_add_up, self._selection, by)
        return together((one for group in self._ask(work, cut, self._spread) for one in group), by)

    def calls(self, most: int = 0) -> Iterator[Call]:
        """Return the calls with a record that is wanted; what ended last comes first.

        Args:
            most: so many of a group at most, 0 for all: what isn't asked for takes no memory.
        """
        # They have to come here from the other processes; few are named alike.
        few = 0 < most <= FEW or self._selection.name
        cut = [parts(group) if few else [whole(group)] for group in self._groups]
        work = partial(_find, self._selection, most)
        # The newest group has nearly always what is wanted: the others wait until it hasn't.
        for some in (cut[:1], cut[1:]):
            for found in self._ask(work, some, self._spread if few else here):
                newest = Newest(most)
                for one in found:
                    newest.join(one)
                yield from newest.calls()

    def _ask(
        self, work: Work[Value], groups: Sequence[Sequence[Part]], spread: Spread
    ) -> Iterator[list[Value]]:
        """Return the values of each group's parts; no call is in two of them."""
        every = [part for group in groups for part in group]
        large = sum(part.size for part in every) > span.SPAN
        answers = (spread if large else here)(work, every, self._stopped)
        for group in groups:
            found = list(islice(answers, len(group)))
            if len(found) < len(group):
                return
            spans = [one for part in group for one in part.spans]
            again = overlapping([one.prints for one in found])
            if any(map(_cut_short, found)):
                # What comes after it can't be read in one go either.
                spans = list(map(Span, dict.fromkeys(one.path for one in spans)))
                found = [work(Part(tuple(spans), 0, alone=True), self._stopped)]
            elif again:
                once = [one for place in sorted(again) for one in group[place].spans]
                found = [one for place, one in enumerate(found) if place not in again]
                found.append(work(Part(tuple(once), 0, alone=True), self._stopped))
            self._tell(spans, found)
            yield [one.value for one in found]

    def _tell(self, spans: Sequence[Span], answers: Sequence[_Answer[Value]]) -> None:
        findings = {one: found for answer in answers for one, found in answer.findings.items()}
        files: dict[Path, Finding] = {}
        for one in spans:
            if one in findings:
                files.setdefault(one.path, Finding()).join(findings[one])
        for path, finding in files.items():
            self._reader.tell(path, finding)


def _cut_short(answer: _Answer[Value]) -> bool:
    """Tell whether a part of a file could not be read."""
    return any(found.trouble and not one.is_all for one, found in answer.findings.items())


def _find(selection: Selection, most: int, part: Part, stopped: Stopped) -> _Answer[Newest]:
    findings: dict[Span, Finding] = {}
    newest = Newest(most)
    for batch in _selected(selection, COLUMNS, part, stopped, findings):
        newest.add(batch)
    newest.let_go()
    return _Answer(newest, findings)


def _add_up(selection: Selection, by: By, part: Part, stopped: Stopped) -> _Answer[Subtotals]:
    findings: dict[Span, Finding] = {}
    sums = Sums(by)
    for batch in _selected(selection, columns(by), part, stopped, findings):
        sums.add(batch)
    return _Answer(sums.totals(), findings, {} if part.alone else prints(sums.keys))


def _selected(
    selection: Selection,
    columns: Sequence[str],
    part: Part,
    stopped: Stopped,
    findings: dict[Span, Finding],
) -> Iterator[Batch]:
    wanted = (*columns, *selection.columns())
    for one in part.spans:
        finding = findings[one] = Finding()
        for batch in batches(one, wanted, finding):
            if stopped():
                return
            passed = selection.passed(batch)
            if len(passed):
                yield passed
