"""How many calls there were, and how long was talked."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from enum import StrEnum
from itertools import compress
from operator import add, and_
from typing import NamedTuple, cast

from pbx.cdr.batch import Batch


class By(StrEnum):
    """What calls are added up by."""

    USER = "user"
    DAY = "day"
    HOUR = "hour"
    DESTINATION = "destination"
    LINE = "line"


class Total(NamedTuple):
    """Calls, of which so many were answered; seconds of talk, in all and of the longest."""

    calls: int = 0
    answered: int = 0
    talk_s: float = 0.0
    longest_s: float = 0.0

    @property
    def mean_s(self) -> float:
        """Seconds of talk of an answered call; 0 where none was."""
        return self.talk_s / self.answered if self.answered else 0.0


Totals = tuple[dict[str, Total], Total]
"""The rows by name; and all calls."""

Row = tuple[int, int, float, float]
"""The values of a `Total`: ten thousands of these come from other processes, which takes a third of the time."""

Subtotals = tuple[dict[str, Row], Row]
"""What some of the calls come to: the rows by name, in no order; and all of them."""


def columns(by: By) -> tuple[str, ...]:
    """Return the columns that `Sums` needs."""
    return ("call_id", "record_id", "setup_time", "talk_time", *_COLUMNS[by])


class Sums:
    """Adds calls up.

    Both sides of a call leave a record, with the same call_id and time of setup: such count as one
    call. A call counts once in each row that it belongs to, and once in all.

    Args:
        by: a row for each of these. A local user's row has the calls that the user made or was to get; an
            outside line's, which is the address of the other exchange, those that came or went by it.
            Days and hours are those of the calls' begin, in the zone of the records.
    """

    def __init__(self, by: By) -> None:
        self._by = by
        self._seen: dict[str, None] = {}
        self._sides = _Sides()
        self._calls = Counter[str]()
        self._talks = defaultdict[str, list[float]](list)
        self._all_calls = 0
        self._all_talks: list[float] = []

    def add(self, batch: Batch) -> None:
        """Add records with `columns`."""
        keys = _keys(batch)
        named: Sequence[str | None]
        if self._by in _BY_SIDE:
            named = _BY_SIDE[self._by](batch)
            firsts, in_rows = self._sides.firsts(keys, named)
        else:
            named = _NAMES[self._by](batch)
            firsts = in_rows = _firsts(keys, self._seen)
        talk_times = batch["talk_time"]
        talks = list(compress(batch.seconds, _both(firsts, talk_times)))
        self._all_calls += sum(firsts)
        self._all_talks += talks
        # What has no name is in no row.
        names = cast(list[str], list(compress(named, in_rows)))
        self._calls.update(names)
        if in_rows is firsts and names and names.count(names[0]) == len(names):
            # as nearly always by day or hour, for the records of a file are in the order of time
            self._talks[names[0]] += talks
            return
        answered = _both(in_rows, talk_times)
        talked = cast(Iterable[str], compress(named, answered))
        for name, seconds in zip(talked, compress(batch.seconds, answered), strict=True):
            self._talks[name].append(seconds)

    def totals(self) -> Subtotals:
        """Return what they come to."""
        rows = {name: _row(calls, self._talks[name]) for name, calls in self._calls.items()}
        return rows, _row(self._all_calls, self._all_talks)

    @property
    def keys(self) -> Collection[str]:
        """What names each of the calls, and ends with the time of setup; in the order of the records."""
        return self._sides.keys if self._by in _BY_SIDE else self._seen.keys()


def together(parts: Iterable[Subtotals], by: By) -> Totals:
    """Put together what calls come to that were added up apart from each other.

    Returns:
        The rows in the order of days and hours, or by number of calls; and all calls.
    """
    found = defaultdict[str, list[Row]](list)
    everything = []
    for rows, all_of_them in parts:
        for name, row in rows.items():
            found[name].append(row)
        everything.append(all_of_them)
    made = {name: _total(rows) for name, rows in found.items()}
    in_time = by in (By.DAY, By.HOUR)
    order = sorted(made, key=lambda name: (0 if in_time else -made[name].calls, name))
    return {name: made[name] for name in order}, _total(everything)


def _row(calls: int, talks: Collection[float]) -> Row:
    return calls, len(talks), sum(talks), max(talks, default=0.0)


def _total(rows: Iterable[Row]) -> Total:
    calls, answered, talk_s, longest_s = zip((0, 0, 0.0, 0.0), *rows, strict=True)
    return Total(sum(calls), sum(answered), sum(talk_s), max(longest_s))


def _both(wanted: Sequence[bool], talk_times: Sequence[str]) -> Sequence[object]:
    """Tell of each record whether it is wanted and was answered."""
    return talk_times if all(wanted) else list(map(and_, wanted, map(bool, talk_times)))


class _Sides:
    """The calls of a group where those of its records that are of one side belong to other rows."""

    def __init__(self) -> None:
        # The row of each call's first record; and those of its others
        self._rows: dict[str, str | None] = {}
        self._more: defaultdict[str, set[str]] = defaultdict(set)
        self._known: dict[str | None, str | None] = {}

    @property
    def keys(self) -> Collection[str]:
        """The calls."""
        return self._rows.keys()

    def firsts(
        self, keys: Sequence[str], names: Sequence[str | None]
    ) -> tuple[Sequence[bool], Sequence[bool]]:
        """Tell of each record whether it is its call's first one, and whether so in its row.

        Args:
            keys: the calls.
            names: of the rows; None for a record that belongs to none.
        """
        # A million names are some hundred different ones: kept once, they take little memory.
        fresh = dict(zip(keys, map(self._known.setdefault, names, names), strict=True))
        if len(fresh) == len(keys) and self._rows.keys().isdisjoint(fresh):
            self._rows |= fresh
            return [True] * len(keys), [name is not None for name in names]
        firsts, in_rows = [], []
        for key, name in zip(keys, names, strict=True):
            first = in_row = key not in self._rows
            if first:
                self._rows[key] = name
            elif name is not None:
                in_row = name != self._rows[key] and name not in self._more[key]
                self._more[key].add(name)
            firsts.append(first)
            in_rows.append(in_row and name is not None)
        return firsts, in_rows


def _firsts(keys: Sequence[str], seen: dict[str, None]) -> list[bool]:
    """Tell of each key whether it comes for the first time."""
    fresh = dict.fromkeys(keys)
    if len(fresh) == len(keys) and seen.keys().isdisjoint(fresh):
        seen |= fresh
        return [True] * len(keys)
    firsts = []
    for key in keys:
        firsts.append(key not in seen)
        seen[key] = None
    return firsts


def _keys(batch: Batch) -> list[str]:
    """Name the calls that the records are of."""
    ids = batch["call_id"]
    if not all(ids):
        ids = [call or record for call, record in zip(ids, batch["record_id"], strict=True)]
    return list(map(add, ids, batch["setup_time"]))


def _users(batch: Batch) -> list[str | None]:
    columns = map(batch.__getitem__, _COLUMNS[By.USER])
    return [
        None if kind[:1] == "O" else (called or dialed) if kind == "LT" else caller
        for kind, caller, dialed, called in zip(*columns, strict=True)
    ]


def _lines(batch: Batch) -> list[str | None]:
    columns = map(batch.__getitem__, _COLUMNS[By.LINE])
    return [
        None if kind[:1] != "O" else _address(called if kind == "OT" else caller)
        for kind, caller, called in zip(*columns, strict=True)
    ]


def _address(text: str) -> str:
    transport, _, address = text.rpartition(" ")
    return address or transport


def _days(batch: Batch) -> list[str]:
    return [time[:10] for time in batch["setup_time"]]


def _hours(batch: Batch) -> list[str]:
    return [time[11:13] for time in batch["setup_time"]]


def _destinations(batch: Batch) -> Sequence[str]:
    numbers = batch["called_number"]
    if all(numbers):
        return numbers
    return [
        called or dialed for called, dialed in zip(numbers, batch["dialed_number"], strict=True)
    ]


_NAMES: dict[By, Callable[[Batch], Sequence[str]]] = {
    By.DAY: _days,
    By.HOUR: _hours,
    By.DESTINATION: _destinations,
}
"""The names of the rows that calls belong to."""

_BY_SIDE: dict[By, Callable[[Batch], Sequence[str | None]]] = {By.USER: _users, By.LINE: _lines}
"""The names of the rows that records belong to, where those of a call belong to different ones."""

_COLUMNS: dict[By, tuple[str, ...]] = {
    By.USER: ("cdr_type", "caller_number", "dialed_number", "called_number"),
    By.DAY: (),
    By.HOUR: (),
    By.DESTINATION: ("dialed_number", "called_number"),
    By.LINE: ("cdr_type", "caller_addr", "called_addr"),
}
"""What the names are made of."""
