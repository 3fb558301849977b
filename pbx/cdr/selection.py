"""Which call records are wanted."""

import datetime
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from pbx.cdr.batch import Batch
from pbx.cdr.fci import parse_fci

CDR_TYPES = ("LO", "LT", "OO", "OT")

_NUMBERS = ("caller_number", "dialed_number", "called_number")

Test = Callable[[Batch], Iterable[bool]]
"""Tells of each record whether it is wanted."""


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
            wanted += _NUMBERS
        if self.answered is not None:
            wanted += ("talk_time",)
        if self.causes or self.tags:
            wanted += ("fci",)
        if self.name:
            wanted += ("record_id", "call_id")
        return wanted

    def tests(self) -> list[Test]:
        """Return what a record must pass."""
        tests: list[Test] = []
        if self.since is not None:
            tests.append(_since(self.since))
        if self.until is not None:
            tests.append(_until(self.until))
        if self.least_s:
            tests.append(_least(self.least_s))
        if self.answered is not None:
            tests.append(_answered(self.answered))
        if self.user:
            tests.append(_user(self.user))
        if self.number:
            tests.append(_number(self.number))
        if self.name:
            tests.append(_named(self.name))
        for key, allowed in (("cause", self.causes), ("callTag", self.tags)):
            if allowed:
                tests.append(_item(key, {str(number) for number in allowed}))
        return tests

    def passed(self, batch: Batch) -> Batch:
        """Return the records of a batch that are wanted; it has `columns`."""
        for test in self.tests():
            batch = batch.only(test(batch))
        return batch

    def passes_day(self, day: datetime.date) -> bool:
        """Tell whether a file of calls that ended on `day` may have a record that is wanted."""
        # A day more: the file's day is that of another zone, perhaps.
        return self.since is None or day.toordinal() + 1 >= self.since.toordinal()


def _since(moment: datetime.datetime) -> Test:
    return lambda batch: [_aware(setup) >= moment for setup in batch.setups]


def _until(moment: datetime.datetime) -> Test:
    return lambda batch: [_aware(setup) < moment for setup in batch.setups]


def _aware(moment: datetime.datetime) -> datetime.datetime:
    """A moment whose zone is the machine's own where none is written."""
    if moment.tzinfo is not None:
        return moment
    try:
        return moment.astimezone()
    except (ValueError, OverflowError):
        # a year that the system's calendar lacks
        return moment.replace(tzinfo=datetime.UTC)


def _least(least: float) -> Test:
    return lambda batch: [seconds >= least for seconds in batch.seconds]


def _answered(answered: bool) -> Test:
    return lambda batch: [bool(talk) == answered for talk in batch["talk_time"]]


def _user(user: str) -> Test:
    return lambda batch: [
        user in (caller, called or dialed)
        for caller, dialed, called in zip(*map(batch.__getitem__, _NUMBERS), strict=True)
    ]


def _number(part: str) -> Test:
    return lambda batch: [
        any(part in number for number in numbers)
        for numbers in zip(*map(batch.__getitem__, _NUMBERS), strict=True)
    ]


def _named(name: str) -> Test:
    own = _call(name)
    return lambda batch: [
        name in (call, record) or _call(record) == own
        for record, call in zip(batch["record_id"], batch["call_id"], strict=True)
    ]


def _call(record_id: str) -> str:
    """What the records of a call's sides have in common in their names."""
    own, _, side = record_id.rpartition("-")
    return own if side in CDR_TYPES else record_id


def _item(key: str, allowed: Collection[str]) -> Test:
    return lambda batch: [
        any(one in fci for one in allowed) and parse_fci(fci).get(key, "").strip() in allowed
        for fci in batch["fci"]
    ]
