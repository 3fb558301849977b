"""What a record file turned out to be, and what is told of what could not be read of it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Complaint:
    """What could not be read of a file.

    Args:
        key: ``not-there``, ``unreadable`` (all, or the rest, of it), ``foreign`` (no record file), ``utf-16``,
            ``separators`` (others than commas: a spreadsheet program has saved it so), ``broken`` (lines that are
            no records), ``encoding`` (lines that aren't UTF-8), ``torn`` (the last line is not whole), or of a binary
            file ``old`` (its layout isn't known) or ``unproved`` (its records from `first` on are not right).
        path: of the file.
        why: of ``unreadable``, in the system's words.
        lines: how many were left out.
        first: the number of the first of them, counted from 1.
    """

    key: str
    path: Path
    why: str = ""
    lines: int = 0
    first: int = 0


@dataclass(slots=True)
class LeftOut:
    """Lines of one kind that were left out, and the number of the first."""

    lines: int = 0
    first: int = 0

    def add(self, number: int, lines: int = 1) -> None:
        """Count lines, of which the first has this number."""
        self.lines += lines
        self.first = self.first or number


@dataclass(slots=True)
class Finding:
    """What a file, or a span of one, turned out to have.

    Args:
        header: a row with the names of the columns, or what a binary file begins with.
        good: a record.
        foreign: what it is instead of a record file, where that is known.
        number: of lines, or of a binary file's records, that were read.
        broken, encoding: lines that are no records.
        torn, unproved: what comes after these lines is not whole, or not right.
        trouble: ``not-there`` or ``unreadable``, where the system refused; and `why`, in its words.
    """

    header: bool = False
    good: bool = False
    foreign: str = ""
    number: int = 0
    broken: LeftOut = field(default_factory=LeftOut)
    encoding: LeftOut = field(default_factory=LeftOut)
    torn: bool = False
    unproved: bool = False
    trouble: str = ""
    why: str = ""

    def leave_out(self, number: int, why: ValueError | None = None) -> None:
        """Count a line as none, by its number."""
        kind = self.encoding if isinstance(why, UnicodeDecodeError) else self.broken
        kind.add(number)

    def join(self, after: "Finding") -> None:
        """Add what was found in the lines that come after these."""
        self.header = self.header or after.header
        self.good = self.good or after.good
        self.foreign = self.foreign or after.foreign
        for own, other in ((self.broken, after.broken), (self.encoding, after.encoding)):
            if other.lines:
                own.add(self.number + other.first, other.lines)
        self.number += after.number
        self.torn = self.torn or after.torn
        self.unproved = self.unproved or after.unproved
        self.trouble = self.trouble or after.trouble
        self.why = self.why or after.why

    @property
    def is_record_file(self) -> bool:
        """Whether it is one, with records in it or none."""
        if self.good or (self.header and not self.trouble):
            return True
        odd = self.foreign or self.broken.lines or self.encoding.lines or self.torn
        return not (odd or self.trouble)

    def complaints(self, path: Path) -> Iterator[Complaint]:
        """Return what is to be told of the file: once of each kind."""
        if self.trouble:
            yield Complaint(self.trouble, path, self.why)
        if not self.is_record_file:
            if not self.trouble:
                yield Complaint(self.foreign or "foreign", path)
            return
        for key, left_out in (("broken", self.broken), ("encoding", self.encoding)):
            if left_out.lines:
                yield Complaint(key, path, lines=left_out.lines, first=left_out.first)
        if self.torn or self.unproved:
            key = "torn" if self.torn else "unproved"
            yield Complaint(key, path, lines=1, first=self.number + 1)
