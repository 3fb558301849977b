"""Text files on the FAT partition: written by any editor, given back as they were."""

from collections.abc import Iterable
from dataclasses import dataclass

from first_boot.changed import SIZE_LIMIT
from first_boot.notes import BadValue

TAKEN_OVER = "(taken over)"
"""Stands where a secret was: the box has it, the card doesn't show it any more."""

_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))


@dataclass(frozen=True)
class Span:
    """A part of a text and what is to stand there instead."""

    start: int
    end: int
    instead: str


@dataclass(frozen=True)
class BootText:
    """A text with the byte order mark and the encoding that its editor chose."""

    text: str
    encoding: str = "utf-8"
    mark: bytes = b""

    def replaced(self, spans: Iterable[Span]) -> "BootText":
        """Return the text with these parts replaced, and all the rest as it was."""
        text = self.text
        for span in sorted(spans, key=lambda span: span.start, reverse=True):
            text = text[: span.start] + span.instead + text[span.end :]
        return BootText(text, self.encoding, self.mark)

    def encode(self) -> bytes:
        """Return the octets of the file."""
        return self.mark + self.text.encode(self.encoding)


def decode(octets: bytes) -> BootText:
    """Return a file's text.

    Raises:
        BadValue: it is no text.
    """
    if len(octets) > SIZE_LIMIT:
        raise BadValue("file-long")
    mark, encoding = next(
        ((mark, encoding) for mark, encoding in _MARKS if octets.startswith(mark)), (b"", "utf-8")
    )
    try:
        return BootText(octets[len(mark) :].decode(encoding), encoding, mark)
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, len(mark) + error.start) + 1
        raise BadValue("file-encoding", line=line) from error
