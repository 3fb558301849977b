"""The form of a call record file, ``cdr/CDR_YYYYMMDD.csv``: text in, columns out, and back.

RFC 4180 in UTF-8 with a byte order mark (so that Excel reads Chinese names), CRLF, one record a
line: no value holds a line break. A value that a spreadsheet would take for a formula gets a
leading apostrophe, which `decode_line` takes away again, so that nothing is lost: ``+8613...``
stands in the file as ``'+8613...``, and keeps its plus sign in a spreadsheet too.
"""

import csv
import io
import re
from collections.abc import Sequence

COLUMNS: tuple[str, ...] = (
    "record_id",
    "call_id",
    "cdr_type",
    "caller_number",
    "dialed_number",
    "called_number",
    "setup_time",
    "alert_time",
    "talk_time",
    "release_time",
    "duration",
    "caller_addr",
    "called_addr",
    "route",
    "fci",
)
"""The header row; new columns come at the end."""

FILES = "CDR_????????.csv"
"""Glob pattern of the record files; their names sort by day."""

BOM = b"\xef\xbb\xbf"

# A formula begins with one of = + - @, in full width too; some programs look past blanks first.
# Values that already have apostrophes there get one more, so that decoding is exact.
_RISKY = re.compile(r"[\s']*[=+\-@＝＋－＠]")
_DEFUSED = re.compile(r"'[\s']*[=+\-@＝＋－＠]")

# Control characters, line breaks of every script, and bidirectional controls, which would make
# a line read as another than it is.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

_WITHIN_VALUES = bytes({*range(0x20, 0x100)} - {0x7F, *b","})
"""What values are made of, as long as nothing is quoted: no commas, line ends or other controls."""

_UNPRINTABLE_BEYOND_ASCII = re.compile("[\x80-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""In UTF-8 all of them begin with C2 or E2."""

HEADER = BOM + ",".join(COLUMNS).encode() + b"\r\n"
"""What a file begins with."""


def encode_line(values: Sequence[str]) -> bytes:
    """Return a record's line; bytes of no UTF-8 become U+FFFD, control characters blanks."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerow([_safe(value) for value in values])
    return text.getvalue().encode()


def decode_line(line: bytes) -> list[str]:
    """Return a line's values as they were before `encode_line`.

    Raises:
        ValueError: it is no line of a record file.
    """
    text = line.removeprefix(BOM).rstrip(b"\r\n").decode()
    if _UNPRINTABLE.search(text):
        raise ValueError("control characters in a record")
    try:
        # strict: a quote left open, as a torn line has it, is an error
        rows = list(csv.reader([text], strict=True))
    except csv.Error as error:
        raise ValueError(str(error)) from error
    return [plain(value) for row in rows for value in row]


def plain(value: str) -> str:
    """Return a value as it was before `encode_line`: without the apostrophe."""
    if value[:1] != "'":
        return value
    # Most of them are numbers outside, and need no look that takes longer.
    return value[1:] if value[1:2] == "+" or _DEFUSED.match(value) else value


def printable(text: str) -> bool:
    """Tell whether a value has nothing that would break its line or make it read as another."""
    return _UNPRINTABLE.search(text) is None


def split_lines(piece: bytes, width: int) -> list[str]:
    """Return all values of many lines at once, `width` a line, one after the other.

    The last of a line keeps the line's end, and what `encode_line` has put before values stays.

    Args:
        piece: whole lines, without the byte order mark.

    Raises:
        ValueError: a line is none, or has what wants a closer look, such as quotes; `decode_line` tells which.
    """
    if b'"' in piece or (not piece.isascii() and _has_unprintable(piece)):
        raise ValueError("quotes or control characters")
    frame = piece.translate(None, _WITHIN_VALUES)
    line = b"," * (width - 1) + (b"\r\n" if frame.endswith(b"\r\n") else b"\n")
    if frame != line * (len(frame) // len(line)):
        raise ValueError("too many values in a line, or too few, or control characters")
    values = piece.replace(b"\n", b"\n,").decode().split(",")
    values.pop()
    return values


def _has_unprintable(piece: bytes) -> bool:
    leads = b"\xc2" in piece or b"\xe2" in piece
    return leads and _UNPRINTABLE_BEYOND_ASCII.search(piece.decode()) is not None


def _safe(value: str) -> str:
    octets = value.encode("utf-8", "surrogatepass" if _lone(value) else "surrogateescape")
    value = _UNPRINTABLE.sub(" ", octets.decode("utf-8", "replace"))
    return "'" + value if _RISKY.match(value) else value


def _lone(value: str) -> bool:
    """Whether there are surrogates that stand for no byte."""
    return re.search("[\ud800-\udc7f\udd00-\udfff]", value) is not None
