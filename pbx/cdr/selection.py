"""Which call records are wanted."""

import datetime
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from pbx.cdr.fci import parse_fci
from pbx.cdr.reader import Line

CDR_TYPES = ("LO", "LT", "OO", "OT")

Test = Callable[[Line], bool]


@dataclass(frozen=True, slots=True)
class Selection:
    """What a record must be like; what is not set wants nothing.

    Args:
        since, until: the call began then or later, and before.
        user: the caller's, or the called party's, number; the dialled one where nobody was reached.
        number: stands somewhere in the caller's, the dialled or the called number.
        causes: Q.850 causes, one of which it has.
        tags: callTags, one of which it has.
        answered: whether it was answered; None for either.
        least_s: seconds of talk at least.
        name: the call's call_id, or its record_id, of whichever side.
    """

    since: datetime.datetime | None = None
    until: datetime.datetime | None = None
    user: str = ""
    number: str = ""
    causes: Collection[int] = ()
    tags: Collection[int] = ()
    answered: bool | None = None
    least_s: float = 0.0
    name: str = ""

    def columns(self) -> tuple[str, ...]:
        """Return the columns that `tests` needs."""
        wanted: tuple[str, ...] = ()
        if self.user or self.number:
            wanted += ("caller_number", "dialed_number", "called_number")
        if self.answered is not None:
            wanted += ("talk_time",)
        if self.causes or self.tags:
            wanted += ("fci",)
        if self.name:
            wanted += ("record_id", "call_id")
        return wanted

    def tests(self, columns: Sequence[str]) -> list[Test]:
        """Return what a line with the values of `columns` must pass."""
        place = {name: number for number, name in enumerate(columns)}
        tests: list[Test] = []
        if self.since is not None:
            tests.append(_since(self.since))
        if self.until is not None:
            tests.append(_until(self.until))
        if self.least_s:
            tests.append(_least(self.least_s))
        if self.answered is not None:
            tests.append(_answered(place["talk_time"], self.answered))
        if self.user or self.number:
            numbers = (place["caller_number"], place["dialed_number"], place["called_number"])
            tests += [_user(self.user, *numbers)] if self.user else []
            tests += [_number(self.number, *numbers)] if self.number else []
        if self.name:
            tests.append(_named(place["record_id"], place["call_id"], self.name))
        for key, allowed in (("cause", self.causes), ("callTag", self.tags)):
            if allowed:
                tests.append(_item(place["fci"], key, {str(number) for number in allowed}))
        return tests

    def passes_day(self, day: datetime.date) -> bool:
        """Tell whether a file of calls that ended on `day` may have a record that is wanted."""
        # A day more: the file's day is that of another zone, perhaps.
        return self.since is None or day.toordinal() + 1 >= self.since.toordinal()


def _since(moment: datetime.datetime) -> Test:
    return lambda line: _aware(line[0]) >= moment


def _until(moment: datetime.datetime) -> Test:
    return lambda line: _aware(line[0]) < moment


def _aware(moment: datetime.datetime) -> datetime.datetime:
    """A moment whose zone is the machine's own where none is written."""
    if moment.tzinfo is not None:
        return moment
    try:
        return moment.astimezone()
    except (ValueError, OverflowError):
        # a year that the system's calendar lacks
        return moment.replace(tzinfo=datetime.UTC)


def _least(seconds: float) -> Test:
    return lambda line: line[1] >= seconds


def _answered(talk: int, answered: bool) -> Test:
    return lambda line: bool(line[2][talk]) == answered


def _user(user: str, caller: int, dialed: int, called: int) -> Test:
    return lambda line: user in (line[2][caller], line[2][called] or line[2][dialed])


def _number(part: str, *numbers: int) -> Test:
    return lambda line: any(part in line[2][one] for one in numbers)


def _named(record: int, call: int, name: str) -> Test:
    own, dash, side = name.rpartition("-")
    own = own if dash and side in CDR_TYPES else name
    return lambda line: (
        line[2][call] == name or line[2][record] == name or _call(line[2][record]) == own
    )


def _call(record_id: str) -> str:
    """What the records of a call's sides have in common in their names."""
    own, _, side = record_id.rpartition("-")
    return own if side in CDR_TYPES else record_id


def _item(fci: int, key: str, allowed: Collection[str]) -> Test:
    return lambda line: parse_fci(line[2][fci]).get(key, "").strip() in allowed
