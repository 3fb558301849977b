"""Spans of whole lines of a large record file, which can be read apart from each other."""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from pbx.cdr.binary import SUFFIX
from pbx.cdr.finding import Finding
from pbx.cdr.layout import Layout
from pbx.cdr.pieces import CHUNK, column_names, pieces
from pbx.store.record_file import COLUMNS, decode_line

SPAN = 16 * 1024 * 1024
"""Octets of a span, more or less; files that have no more in all are read by one process."""


@dataclass(frozen=True, slots=True)
class Span:
    """Whole lines of a file, or all of it.

    Args:
        path: of the file.
        begin: its first octet.
        end: the octet after its last; None: all that there is when it is read.
        names: of the file's columns; empty where the span begins with the file, which tells them.
    """

    path: Path
    begin: int = 0
    end: int | None = None
    names: tuple[str, ...] = ()

    @property
    def is_all(self) -> bool:
        """Whether it is all of the file."""
        return self.begin == 0 and self.end is None


def cut(path: Path) -> list[Span]:
    """Return the spans that a file is, in order.

    The exchange writes the records of a call one after the other, so that a span ends where a call does: as far
    as the neighbouring lines tell.

    Raises:
        OSError: it can't be read.
    """
    size = path.stat().st_size
    if size <= SPAN or path.suffix.lower() == SUFFIX:
        return [Span(path)]
    with path.open("rb", buffering=0) as file:
        names = tuple(column_names(next(pieces(file, Finding()), b""))[0] or COLUMNS)
        layout = Layout(names, ("call_id",))
        places = sorted({0, *_places(file, size, layout)})
    ends = [*places[1:], None]
    return [
        Span(path, begin, end, names if begin else ())
        for begin, end in zip(places, ends, strict=True)
    ]


def _places(file: BinaryIO, size: int, layout: Layout) -> Iterator[int]:
    for place in range(SPAN, size, SPAN):
        file.seek(place)
        line, _, piece = file.read(CHUNK).partition(b"\n")
        place += len(line) + 1
        before: tuple[str, str] | None = None
        for line in BytesIO(piece):
            call = _call(layout, line)
            if before and call and call != before:
                yield place
                break
            before = call
            place += len(line)


def _call(layout: Layout, line: bytes) -> tuple[str, str] | None:
    """Return what the records of a call have in common; None of what is no record."""
    try:
        _, _, values = layout.record(decode_line(line))
    except ValueError:
        return None
    return values.get("call_id") or values["record_id"], values["setup_time"]
