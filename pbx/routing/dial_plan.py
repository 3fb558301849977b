"""The tables that look at numbers: which row of one counts.

The longest prefix wins; of two as long, the row that names its source, else the first. A number may
be written in several ways (`number_format.forms`): the row counts that leaves the fewest of its
digits over, however they are written.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from pbx.config.dial_plan import (
    ANY,
    USERS,
    AnalyzeCalled,
    AnalyzeCaller,
    DialPlan,
    RefineCalled,
    RefineCaller,
)


class _Prefixed(Protocol):
    @property
    def prefix(self) -> str: ...


Row = TypeVar("Row")
Prefixed = TypeVar("Prefixed", bound=_Prefixed)
Refining = TypeVar("Refining", RefineCaller, RefineCalled)

MOST_DIGITS = 40
"""No prefix of a table is longer; a caller's "number" may be as long as a message."""

ALL_LEFT = 1000
"""What an empty prefix leaves over: more than any number has."""


@dataclass(frozen=True, slots=True)
class Found(Generic[Row]):
    """A row that counts.

    Args:
        row: it.
        place: where it stands in its table, from 1.
        left: how many of the number's digits its prefix leaves over; `ALL_LEFT` without a prefix.
        form: the number as it was written where the prefix fits.
    """

    row: Row
    place: int
    left: int
    form: str


def fit(prefix: str, forms: Iterable[str]) -> tuple[int, str] | None:
    """Return how many digits `prefix` leaves over, and of which form; None where it fits none."""
    found = [
        (len(form) - len(prefix) if prefix else ALL_LEFT, form)
        for form in forms
        if form.startswith(prefix)
    ]
    return min(found, key=lambda each: each[0], default=None)


def fitting(rows: Iterable[Prefixed], forms: Iterable[str]) -> list[tuple[int, Prefixed]]:
    """Return the rows whose prefix fits one of the forms, each with its place, from 1.

    A table may have thousands of rows, and every call waits for it: one look-up a row.
    """
    prefixes = {
        form[:length] for form in forms for length in range(min(len(form), MOST_DIGITS) + 1)
    }
    return [(place, row) for place, row in enumerate(rows, 1) if row.prefix in prefixes]


def longest(rows: Iterable[tuple[int, Prefixed, int, Sequence[str]]]) -> Found[Prefixed] | None:
    """Return the row that counts; None for none.

    Args:
        rows: each one's place, the row, its rank among those with as long a prefix (the highest
            wins), and the number's forms that it may be compared with.
    """
    best: Found[Prefixed] | None = None
    best_key = (0, 0)
    for place, row, rank, forms in rows:
        how = fit(row.prefix, forms)
        if how is None:
            continue
        left, form = how
        key = (-left, rank)
        if best is None or key > best_key:
            best, best_key = Found(row, place, left, form), key
    return best


def analyzed_caller(
    plan: DialPlan, forms: Sequence[str], source: str
) -> Found[AnalyzeCaller] | None:
    """Return the row of «Analyse caller number» for a caller; None for none.

    Args:
        forms: the caller's number.
        source: `USERS`, the line by which it calls, or empty for neither.
    """
    return longest(
        (place, row, row.source != ANY, forms)
        for place, row in fitting(plan.analyze_caller, forms)
        if row.source in (ANY, source)
    )


def analyzed_called(
    plan: DialPlan,
    dialed: str,
    outside: Sequence[str],
    source: str,
    *,
    ordered: bool,
    ours: bool,
) -> Found[AnalyzeCalled] | None:
    """Return the row of «Analyse called number» for a number; None for none.

    Whoever calls from outside calls outside only where a row names its line: a row for everybody
    is no leave for the whole world to telephone at our cost.

    Args:
        dialed: as it was dialled: rows of all kinds look at it.
        outside: the same as a number outside, without out-group prefix, in all its forms: rows of
            the kind ``local`` don't look at it.
        source: `USERS`, the line by which the call came, or empty for neither.
        ordered: the plan itself has put this number in the place of the one dialled.
        ours: it is a number of ours, or the beginning of one: only a row that names all of it sends
            it outside.
    """

    def counts(row: AnalyzeCalled) -> bool:
        if row.source not in (ANY, source) or row.route_type != "outside":
            return row.source in (ANY, source)
        trusted = ordered or source == USERS or row.source != ANY
        return trusted and (row.prefix == dialed or not ours)

    return longest(
        (
            place,
            row,
            row.source != ANY,
            (dialed,) if row.route_type == "local" else (dialed, *outside),
        )
        for place, row in fitting(plan.analyze_called, (dialed, *outside))
        if counts(row)
    )


def emergency_row(plan: DialPlan, dialed: str, source: str) -> Found[AnalyzeCalled] | None:
    """Return the row that makes a number an emergency number; None for none.

    No row that refuses, however long, stands against it; a longer one that sends other numbers
    elsewhere does. For a line's calls only a row that names the line makes one.
    """
    found = longest(
        (place, row, 2 * row.emergency + (row.source != ANY), (dialed,))
        for place, row in fitting(plan.analyze_called, (dialed,))
        if row.route_type != "refuse"
        and (row.source == source or (row.source == ANY and source == USERS))
    )
    return found if found is not None and found.row.emergency else None


def refine(
    rows: Iterable[Refining], number: str, line: str, direction: str, *, whole: bool = False
) -> tuple[str, Found[Refining] | None]:
    """Return what a refine table makes of a number on a line, and by which row; None for none.

    A row that would leave nothing of the number leaves it alone.

    Args:
        direction: ``out`` or ``in``.
        whole: only a row that names the whole number counts.
    """
    found = longest(
        (place, row, row.line != ANY, (number,))
        for place, row in fitting(rows, (number,))
        if row.line in (ANY, line)
        and row.direction == direction
        and (row.prefix == number or not whole)
    )
    if found is None or not number:
        return number, None
    new = found.row.add + number[found.row.remove :]
    return (new, found) if new else (number, None)
