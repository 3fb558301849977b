"""A call, as its records tell of it."""

import datetime
from dataclasses import dataclass

from pbx.cdr.fci import parse_fci
from pbx.store.record_file import COLUMNS

_PLACES = {name: place for place, name in enumerate(COLUMNS)}


@dataclass(frozen=True, slots=True)
class Record:
    """A line of a record file.

    Args:
        setup: when the call began.
        duration_s: of the talk.
        values: those of `COLUMNS`, as they stand in the file.
    """

    setup: datetime.datetime
    duration_s: float
    values: tuple[str, ...]

    def __getitem__(self, column: str) -> str:
        return self.values[_PLACES[column]]

    @property
    def fci(self) -> dict[str, str]:
        """The items of the column."""
        return parse_fci(self["fci"])

    def number(self, item: str) -> int | None:
        """Return an item of the FCI that is a whole number, such as ``callTag``."""
        text = self.fci.get(item, "")
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None

    @property
    def released(self) -> datetime.datetime | None:
        """When the call ended; None where that isn't known."""
        return moment(self["release_time"])


@dataclass(frozen=True, slots=True)
class Call:
    """The records of a call: of one of its sides, or of both."""

    records: tuple[Record, ...]

    @property
    def first(self) -> Record:
        """A record of it; the sides differ in nothing but `cdr_type`."""
        return self.records[0]


def moment(text: str) -> datetime.datetime | None:
    """Return a time of a record; None where there is none."""
    try:
        return datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
