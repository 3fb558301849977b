"""Pieces of whole lines out of a record file, and what the first one tells of the rest."""

import re
import sys
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from pbx.cdr.finding import Finding
from pbx.store.record_file import BOM, decode_line

CHUNK = 64 * 1024
"""Octets read at a time: a hundred records or two, which stay in the processor's cache."""

LONGEST = 1024 * 1024
"""Octets of a line at most; what goes on without a line's end is no record file."""

_UTF16 = (b"\xff\xfe", b"\xfe\xff")

_OTHER_SEPARATORS = re.compile(rb"[\"']?record_id[\"']?[;\t|]")


def pieces(file: BinaryIO, finding: Finding, most: int = sys.maxsize) -> Iterator[bytes]:
    """Read on in a file, and return what is read in pieces of whole lines.

    Args:
        finding: told of lines that are too long, and of a last one that isn't whole.
        most: octets to read.
    """
    rest, skips = b"", False
    while data := file.read(min(CHUNK, most)):
        most -= len(data)
        if skips:
            # the rest of a line that is too long
            _, feed, data = data.partition(b"\n")
            skips = not feed
        data = rest + data
        if len(data) > LONGEST:
            line, feed, after = data.partition(b"\n")
            if len(line) > LONGEST:
                finding.number += 1
                finding.leave_out(finding.number)
                data, skips = after, not feed
        end = data.rfind(b"\n") + 1
        if end:
            yield data[:end]
        rest = data[end:]
    if rest.endswith(b"\r"):
        # as the writer sees it: all of the record is there
        yield rest + b"\n"
    elif rest.strip():
        finding.torn = True


def column_names(piece: bytes) -> tuple[Sequence[str], bytes]:
    """Return the columns by the header row, none where there is none; and what comes after it.

    Args:
        piece: the file's first.
    """
    piece = piece.removeprefix(BOM)
    head, _, rest = piece.partition(b"\n")
    try:
        names = decode_line(head)
    except ValueError:
        names = []
    return (names, rest) if "record_id" in names else ((), piece)


def foreign(piece: bytes) -> str:
    """Return how a spreadsheet program has saved the file, where not in the form of a record file.

    Args:
        piece: the file's first.
    """
    if piece.startswith(_UTF16):
        return "utf-16"
    return "separators" if _OTHER_SEPARATORS.match(piece.removeprefix(BOM)) else ""
