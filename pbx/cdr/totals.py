"""How many calls there were, and how long was talked."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
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
        answered = list(compress(seconds, talk_times))
        self.answered += len(answered)
        self.talk_s += sum(answered)
        self.longest_s = max(self.longest_s, max(answered, default=0.0))

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
        seen: set[str] = set()
        in_rows: set[str] = set()
        for batch in group:
            once = batch.only(_firsts(_calls(batch), seen))
            everything.add(once.seconds, once["talk_time"])
            if by not in _BY_SIDE:
                _add(rows, _NAMES[by](once), once)
                continue
            outside = by is By.LINE
            sides = batch.only([one.startswith("O") == outside for one in batch["cdr_type"]])
            names = _NAMES[by](sides)
            firsts = _firsts(list(map(add, _calls(sides), names)), in_rows)
            _add(rows, list(compress(names, firsts)), sides.only(firsts))
    in_time = by in (By.DAY, By.HOUR)
    order = sorted(rows, key=lambda name: (0 if in_time else -rows[name].calls, name))
    return {name: rows[name] for name in order}, everything


def _calls(batch: Batch) -> list[str]:
    """Name the calls that the records are of."""
    ids = batch["call_id"]
    if not all(ids):
        ids = [call or record for call, record in zip(ids, batch["record_id"], strict=True)]
    return list(map(add, ids, batch["setup_time"]))


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


def _add(rows: defaultdict[str, Total], names: Sequence[str], batch: Batch) -> None:
    """Add each record to the row with its name."""
    counts = Counter(names)
    if len(counts) == 1:
        # as nearly always by day or hour, for the records of a file are in the order of time
        rows[names[0]].add(batch.seconds, batch["talk_time"])
        return
    for name, count in counts.items():
        rows[name].calls += count
    answered = compress(zip(names, batch.seconds, strict=True), batch["talk_time"])
    for name, seconds in answered:
        row = rows[name]
        row.answered += 1
        row.talk_s += seconds
        if seconds > row.longest_s:
            row.longest_s = seconds


def _users(batch: Batch) -> list[str]:
    columns = map(batch.__getitem__, _COLUMNS[By.USER])
    return [
        (called or dialed) if kind == "LT" else caller
        for kind, caller, dialed, called in zip(*columns, strict=True)
    ]


def _lines(batch: Batch) -> list[str]:
    columns = map(batch.__getitem__, _COLUMNS[By.LINE])
    return [
        _address(called if kind == "OT" else caller)
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
    By.USER: _users,
    By.DAY: _days,
    By.HOUR: _hours,
    By.DESTINATION: _destinations,
    By.LINE: _lines,
}
"""The names of the rows that records belong to."""

_BY_SIDE = frozenset({By.USER, By.LINE})
"""Where local sides and outside ones belong to other rows."""

_COLUMNS: dict[By, tuple[str, ...]] = {
    By.USER: ("cdr_type", "caller_number", "dialed_number", "called_number"),
    By.DAY: (),
    By.HOUR: (),
    By.DESTINATION: ("dialed_number", "called_number"),
    By.LINE: ("cdr_type", "caller_addr", "called_addr"),
}
"""What the names are made of."""
