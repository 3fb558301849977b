"""How many calls there were, and how long was talked."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import compress
from operator import add

from pbx.cdr.batch import Batch


class By(StrEnum):
    """What calls are added up by."""

    USER = "user"
    DAY = "day"
    HOUR = "hour"
    DESTINATION = "destination"
    LINE = "line"


@dataclass(slots=True)
class Total:
    """Calls, of which so many were answered; seconds of talk, in all and of the longest."""

    calls: int = 0
    answered: int = 0
    talk_s: float = 0.0
    longest_s: float = 0.0

    def add(self, seconds: Sequence[float], talk_times: Sequence[str]) -> None:
        """Add calls; the `talk_times` of those that were not answered are empty."""
        self.calls += len(seconds)
        self.add_talks(list(compress(seconds, talk_times)))

    def add_talks(self, answered: Sequence[float]) -> None:
        """Add the seconds of answered calls, which `calls` has already."""
        self.answered += len(answered)
        self.talk_s += sum(answered)
        self.longest_s = max(self.longest_s, max(answered, default=0.0))

    def __iadd__(self, other: "Total") -> "Total":
        """Add other calls."""
        self.calls += other.calls
        self.answered += other.answered
        self.talk_s += other.talk_s
        self.longest_s = max(self.longest_s, other.longest_s)
        return self

    @property
    def mean_s(self) -> float:
        """Seconds of talk of an answered call; 0 where none was."""
        return self.talk_s / self.answered if self.answered else 0.0


def columns(by: By) -> tuple[str, ...]:
    """Return the columns that `totals` needs."""
    return ("call_id", "record_id", "setup_time", "talk_time", *_COLUMNS[by])


def totals(groups: Iterable[Iterable[Batch]], by: By) -> tuple[dict[str, Total], Total]:
    """Add calls up.

    Args:
        groups: records with `columns`; those of a call are in one group.
        by: a row for each of these. A local user's row has the calls that the user made or was to get; an
            outside line's, which is the address of the other exchange, those that came or went by it.
            Days and hours are those of the calls' begin, in the zone of the records.

    Returns:
        The rows by name, in the order of days and hours, or by number of calls; and all calls.

        Both sides of a call leave a record, with the same call_id and time of setup: such count as one
        call. A call counts once in each row that it belongs to, and once in all.
    """
    rows: defaultdict[str, Total] = defaultdict(Total)
    everything = Total()
    for group in groups:
        seen, sides = set[str](), _Sides()
        talks: defaultdict[str, list[float]] = defaultdict(list)
        for batch in group:
            keys = _keys(batch)
            if by in _BY_SIDE:
                named = _BY_SIDE[by](batch)
                firsts, in_rows = sides.firsts(keys, named)
                once, of_rows = batch.only(firsts), batch.only(in_rows)
                names = [name for name in compress(named, in_rows) if name is not None]
            else:
                once = of_rows = batch.only(_firsts(keys, seen))
                names = list(_NAMES[by](once))
            everything.add(once.seconds, once["talk_time"])
            counts = Counter(names)
            for name, count in counts.items():
                rows[name].calls += count
            answered = compress(zip(names, of_rows.seconds, strict=True), of_rows["talk_time"])
            if len(counts) == 1:
                # as nearly always by day or hour, for the records of a file are in the order of time
                rows[names[0]].add_talks([seconds for _, seconds in answered])
                continue
            for name, seconds in answered:
                talks[name].append(seconds)
        for name, all_seconds in talks.items():
            rows[name].add_talks(all_seconds)
    return _ordered(rows, by), everything


def together(
    parts: Iterable[tuple[Mapping[str, Total], Total]], by: By
) -> tuple[dict[str, Total], Total]:
    """Put together what `totals` has made of groups apart from each other."""
    rows: defaultdict[str, Total] = defaultdict(Total)
    everything = Total()
    for some, all_of_them in parts:
        for name, total in some.items():
            rows[name] += total
        everything += all_of_them
    return _ordered(rows, by), everything


def _ordered(rows: Mapping[str, Total], by: By) -> dict[str, Total]:
    in_time = by in (By.DAY, By.HOUR)
    order = sorted(rows, key=lambda name: (0 if in_time else -rows[name].calls, name))
    return {name: rows[name] for name in order}


class _Sides:
    """The calls of a group where those of its records that are of one side belong to other rows."""

    def __init__(self) -> None:
        # The row of each call's first record; and those of its others
        self._rows: dict[str, str | None] = {}
        self._more: defaultdict[str, set[str]] = defaultdict(set)
        self._known: dict[str | None, str | None] = {}

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


def _firsts(keys: Sequence[str], seen: set[str]) -> list[bool]:
    """Tell of each key whether it comes for the first time."""
    fresh = set(keys)
    if len(fresh) == len(keys) and seen.isdisjoint(fresh):
        seen |= fresh
        return [True] * len(keys)
    firsts = []
    for key in keys:
        firsts.append(key not in seen)
        seen.add(key)
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


def _destinations(batch: Batch) -> list[str]:
    return [
        called or dialed
        for called, dialed in zip(batch["called_number"], batch["dialed_number"], strict=True)
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
