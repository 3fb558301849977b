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

_CONTROLS = bytes({*range(0x20), 0x7F} - {0x0A, 0x0D})

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
    return value[1:] if value.startswith("'") and _DEFUSED.match(value) else value


def decode_lines(piece: bytes) -> list[str] | None:
    """Return the texts of whole lines without their ends; for reading many of them fast.

    None where one of them has what no record has; `decode_line` tells which.
    """
    piece = piece.removeprefix(BOM)
    if piece.translate(None, _CONTROLS) != piece:
        return None
    try:
        text = piece.decode()
    except UnicodeDecodeError:
        return None
    lines = text.splitlines()
    # More: a lone carriage return, or a line break of another script. What other control characters
    # there are is no ASCII.
    if len(lines) != piece.count(b"\n") or (
        not text.isascii() and any(map(_UNPRINTABLE.search, lines))
    ):
        return None
    return lines


def _safe(value: str) -> str:
    octets = value.encode("utf-8", "surrogatepass" if _lone(value) else "surrogateescape")
    value = _UNPRINTABLE.sub(" ", octets.decode("utf-8", "replace"))
    return "'" + value if _RISKY.match(value) else value


def _lone(value: str) -> bool:
    """Whether there are surrogates that stand for no byte."""
    return re.search("[\ud800-\udc7f\udd00-\udfff]", value) is not None
