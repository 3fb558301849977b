"""Reading record files in whatever state they are: what is no record is left out, and told of."""

import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from pbx.cdr.batch import Batch
from pbx.cdr.binary import HEAD, SUFFIX, Unproved, layout_of
from pbx.cdr.finding import Complaint, Finding
from pbx.cdr.layout import Layout, ReadRecord
from pbx.cdr.pieces import column_names, foreign, pieces
from pbx.cdr.span import Span
from pbx.store.record_file import COLUMNS

CLOSER = 4096
"""Octets that are read line by line where there is something odd among them."""

TOGETHER = 1000
"""Records of a binary file that are read at a time."""


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
        finding = Finding()
        yield from batches(Span(path), columns, finding)
        self.tell(path, finding)

    def tell(self, path: Path, finding: Finding) -> None:
        """Count a file that has been read, and tell of what had to be left out."""
        self.files += finding.is_record_file
        for complaint in finding.complaints(path):
            self._complain(complaint)


def batches(span: Span, columns: Sequence[str], finding: Finding) -> Iterator[Batch]:
    """Return the records of a span, as `Reader.batches` does.

    Args:
        finding: told what the span turns out to have.
    """
    try:
        if span.path.suffix.lower() == SUFFIX:
            with span.path.open("rb") as file:
                yield from _binary_batches(file, columns, finding)
        else:
            with span.path.open("rb", buffering=0) as file:
                yield from _batches(file, span, columns, finding)
    except FileNotFoundError:
        finding.trouble = "not-there"
    except OSError as error:
        finding.trouble, finding.why = "unreadable", error.strerror or str(error)


def _batches(
    file: BinaryIO, span: Span, columns: Sequence[str], finding: Finding
) -> Iterator[Batch]:
    layout: Layout | None = None
    if span.names:
        file.seek(span.begin)
        layout = Layout(span.names, columns)
    most = sys.maxsize if span.end is None else span.end - span.begin
    for piece in pieces(file, finding, most):
        lines = piece
        if layout is None:
            finding.foreign = foreign(piece)
            names, lines = column_names(piece)
            finding.header = bool(names)
            layout = Layout(names or COLUMNS, columns)
            finding.number += finding.header
        for batch in _read(layout, lines, finding):
            finding.good = finding.good or len(batch) > 0
            yield batch


def _binary_batches(file: BinaryIO, columns: Sequence[str], finding: Finding) -> Iterator[Batch]:
    head = file.read(HEAD)
    kind = layout_of(head)
    if kind is None:
        finding.foreign = "old"
        return
    finding.header = True
    file.seek(0)
    layout = Layout(COLUMNS, columns)
    rows = kind.rows(file)
    while True:
        records: list[ReadRecord] = []
        try:
            for row in islice(rows, TOGETHER):
                records.append(layout.record(row))
        except Unproved as error:
            finding.torn, finding.unproved = error.key == "torn", error.key != "torn"
        except ValueError:
            # A layout that doesn't find out itself is trusted no further.
            finding.unproved = True
        finding.number += len(records)
        finding.good = finding.number > 0
        if records:
            yield layout.batch(records)
        if len(records) < TOGETHER:
            return


def _read(layout: Layout, piece: bytes, finding: Finding) -> Iterator[Batch]:
    """Return the records that the lines are; count the lines, and those that are no records."""
    try:
        batch = layout.read_all(piece)
    except ValueError:
        # One line in a thousand may be odd: the others are to be read fast all the same.
        middle = piece.find(b"\n", len(piece) // 2) + 1
        if len(piece) > CLOSER and 0 < middle < len(piece):
            yield from _read(layout, piece[:middle], finding)
            yield from _read(layout, piece[middle:], finding)
            return
        lines = piece.split(b"\n")[:-1]

        def complain(number: int, why: ValueError) -> None:
            finding.leave_out(finding.number + number, why)

        batch = layout.read_each(lines, complain)
        finding.number += len(lines)
    else:
        finding.number += len(batch)
    yield batch
