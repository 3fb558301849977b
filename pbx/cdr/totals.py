"""How many calls there were, and how long was talked."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pbx.cdr.reader import Line


class By(StrEnum):
    """What calls are added up by."""

    USER = "user"
    DAY = "day"
    HOUR = "hour"
    DESTINATION = "destination"
    LINE = "line"


COLUMNS: tuple[str, ...] = (
    "call_id",
    "record_id",
    "setup_time",
    "talk_time",
    "cdr_type",
    "caller_number",
    "dialed_number",
    "called_number",
    "caller_addr",
    "called_addr",
)
"""What `totals` needs of a record."""


@dataclass(slots=True)
class Total:
    """Calls, of which so many were answered; seconds of talk, in all and of the longest."""

    calls: int = 0
    answered: int = 0
    talk_s: float = 0.0
    longest_s: float = 0.0

    def add(self, seconds: float, talk_time: str) -> None:
        """Add a call; `talk_time` is empty where it was not answered."""
        self.calls += 1
        if talk_time:
            self.answered += 1
            self.talk_s += seconds
            if seconds > self.longest_s:
                self.longest_s = seconds

    @property
    def mean_s(self) -> float:
        """Seconds of talk of an answered call; 0 where none was."""
        return self.talk_s / self.answered if self.answered else 0.0


def totals(lines: Iterable[Line], by: By) -> tuple[dict[str, Total], Total]:
    """Add calls up.

    Args:
        lines: records with at first the values of `COLUMNS`.
        by: a row for each of these. A local user's row has the calls that the user made or was to get; an
            outside line's, which is the address of the other exchange, those that came or went by it.
            Days and hours are those of the calls' begin, in the zone of the records.

    Returns:
        The rows by name, in the order of days and hours, or by number of calls; and all calls.

        Both sides of a call leave a record, with the same call_id and time of setup: such count as one
        call. A call counts once in each row that it belongs to, and once in all.
    """
    name_of, by_side = _NAMES[by], by in (By.USER, By.LINE)
    rows: defaultdict[str, Total] = defaultdict(Total)
    everything = Total()
    seen: set[str] = set()
    in_rows: set[tuple[str, str]] = set()
    for _, seconds, values in lines:
        call = (values[0] or values[1]) + values[2]
        if call not in seen:
            seen.add(call)
            everything.add(seconds, values[3])
            if not by_side:
                rows[name_of(values) or ""].add(seconds, values[3])
        if by_side and (name := name_of(values)) is not None and (call, name) not in in_rows:
            in_rows.add((call, name))
            rows[name].add(seconds, values[3])
    in_time = by in (By.DAY, By.HOUR)
    order = sorted(rows, key=lambda name: (0 if in_time else -rows[name].calls, name))
    return {name: rows[name] for name in order}, everything


def _user(values: Sequence[str]) -> str | None:
    kind = values[4]
    if kind.startswith("O"):
        return None
    return _destination(values) if kind == "LT" else values[5]


def _line(values: Sequence[str]) -> str | None:
    kind = values[4]
    if not kind.startswith("O"):
        return None
    transport, _, address = (values[9] if kind == "OT" else values[8]).rpartition(" ")
    return address or transport


def _day(values: Sequence[str]) -> str:
    return values[2][:10]


def _hour(values: Sequence[str]) -> str:
    return values[2][11:13]


def _destination(values: Sequence[str]) -> str:
    return values[7] or values[6]


_NAMES: dict[By, Callable[[Sequence[str]], str | None]] = {
    By.USER: _user,
    By.DAY: _day,
    By.HOUR: _hour,
    By.DESTINATION: _destination,
    By.LINE: _line,
}
