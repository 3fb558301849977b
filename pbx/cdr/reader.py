"""Reading record files in whatever state they are: what is no record is left out, and told of."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from pbx.cdr.batch import Batch
from pbx.cdr.binary import HEAD, SUFFIX, Unproved, layout_of
from pbx.cdr.layout import Layout, ReadRecord
from pbx.store.record_file import BOM, COLUMNS, decode_line

CHUNK = 64 * 1024
"""Octets read at a time: a hundred records or two, which stay in the processor's cache."""

LONGEST = 1024 * 1024
"""Octets of a line at most; what goes on without a line's end is no record file."""

CLOSER = 4096
"""Octets that are read line by line where there is something odd among them."""

TOGETHER = 1000
"""Records of a binary file that are read at a time."""

_UTF16 = (b"\xff\xfe", b"\xfe\xff")

_OTHER_SEPARATORS = re.compile(rb"[\"']?record_id[\"']?[;\t|]")


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


class Reader:
    """Reads record files.

    Args:
        complain: told of what has to be left out, once for each kind and file.
    """

    def __init__(self, complain: Callable[[Complaint], None]) -> None:
        self._complain = complain
        self.files = 0
        """How many files turned out to be record files, with records in them or none."""

    def batches(self, path: Path, columns: Sequence[str]) -> Iterator[Batch]:
        """Return the records of a file in its order, some hundred at a time; what a running exchange adds may be missing.

        Args:
            columns: which values to return; a file of another version that lacks one has it empty.
        """
        found = _Found()
        try:
            if path.suffix.lower() == SUFFIX:
                with path.open("rb") as file:
                    yield from _binary_batches(file, columns, found)
            else:
                with path.open("rb", buffering=0) as file:
                    yield from _batches(file, columns, found)
        except FileNotFoundError:
            self._complain(Complaint("not-there", path))
            return
        except OSError as error:
            self._complain(Complaint("unreadable", path, error.strerror or str(error)))
            if not found.good:
                return
        if not found.good and not found.header:
            if found.foreign:
                self._complain(Complaint(found.foreign, path))
                return
            if found.broken.lines or found.encoding.lines or found.torn:
                self._complain(Complaint("foreign", path))
                return
        self.files += 1
        for key, left_out in (("broken", found.broken), ("encoding", found.encoding)):
            if left_out.lines:
                self._complain(Complaint(key, path, lines=left_out.lines, first=left_out.first))
        if found.torn or found.unproved:
            key = "torn" if found.torn else "unproved"
            self._complain(Complaint(key, path, lines=1, first=found.number + 1))


@dataclass(slots=True)
class _LeftOut:
    """Lines of one kind that were left out, and the number of the first."""

    lines: int = 0
    first: int = 0

    def add(self, number: int) -> None:
        self.lines += 1
        self.first = self.first or number


class _Found:
    """What a file turned out to have."""

    def __init__(self) -> None:
        self.header = False
        self.good = False
        self.foreign = ""  # what it is instead of a record file
        self.number = 0  # of lines read
        self.broken = _LeftOut()
        self.encoding = _LeftOut()
        self.torn = False
        self.unproved = False

    def leave_out(self, number: int, why: ValueError | None = None) -> None:
        """Count a line as none, by its number."""
        kind = self.encoding if isinstance(why, UnicodeDecodeError) else self.broken
        kind.add(number)


def _batches(file: BinaryIO, columns: Sequence[str], found: _Found) -> Iterator[Batch]:
    layout: Layout | None = None
    for piece in _pieces(file, found):
        if layout is None:
            found.foreign = _foreign(piece)
            piece = piece.removeprefix(BOM)
            names = _names(piece)
            found.header = bool(names)
            layout = Layout(names or COLUMNS, columns)
            if names:
                piece = piece.partition(b"\n")[2]
                found.number = 1
        for batch in _read(layout, piece, found):
            found.good = found.good or len(batch) > 0
            yield batch


def _binary_batches(file: BinaryIO, columns: Sequence[str], found: _Found) -> Iterator[Batch]:
    head = file.read(HEAD)
    kind = layout_of(head)
    if kind is None:
        found.foreign = "old"
        return
    found.header = True
    file.seek(0)
    layout = Layout(COLUMNS, columns)
    rows = kind.rows(file)
    while True:
        records: list[ReadRecord] = []
        try:
            for row in islice(rows, TOGETHER):
                records.append(layout.record(row))
        except Unproved as error:
            found.torn, found.unproved = error.key == "torn", error.key != "torn"
        except ValueError:
            # A layout that doesn't find out itself is trusted no further.
            found.unproved = True
        found.number += len(records)
        if records:
            yield layout.batch(records)
        if len(records) < TOGETHER:
            return


def _pieces(file: BinaryIO, found: _Found) -> Iterator[bytes]:
    """Read the file in pieces of whole lines."""
    rest, skips = b"", False
    while data := file.read(CHUNK):
        if skips:
            # the rest of a line that is too long
            _, feed, data = data.partition(b"\n")
            skips = not feed
        data = rest + data
        end = data.rfind(b"\n") + 1
        if end:
            yield data[:end]
        rest = data[end:]
        if len(rest) > LONGEST:
            found.number += 1
            found.leave_out(found.number)
            rest, skips = b"", True
    if rest.endswith(b"\r"):
        # as the writer sees it: all of the record is there
        yield rest + b"\n"
    elif rest.strip():
        found.torn = True


def _read(layout: Layout, piece: bytes, found: _Found) -> Iterator[Batch]:
    """Return the records that the lines are; count the lines, and those that are no records."""
    try:
        batch = layout.read_all(piece)
    except ValueError:
        # One line in a thousand may be odd: the others are to be read fast all the same.
        middle = piece.find(b"\n", len(piece) // 2) + 1
        if len(piece) > CLOSER and 0 < middle < len(piece):
            yield from _read(layout, piece[:middle], found)
            yield from _read(layout, piece[middle:], found)
            return
        lines = piece.split(b"\n")[:-1]

        def complain(number: int, why: ValueError) -> None:
            found.leave_out(found.number + number, why)

        batch = layout.read_each(lines, complain)
        found.number += len(lines)
    else:
        found.number += len(batch)
    yield batch


def _names(piece: bytes) -> Sequence[str]:
    """Return the columns by the header row, if there is one."""
    try:
        names = decode_line(piece.partition(b"\n")[0])
    except ValueError:
        return ()
    return names if "record_id" in names else ()


def _foreign(piece: bytes) -> str:
    """Return how a spreadsheet program has saved the file, where not in the form of a record file."""
    if piece.startswith(_UTF16):
        return "utf-16"
    return "separators" if _OTHER_SEPARATORS.match(piece.removeprefix(BOM)) else ""
