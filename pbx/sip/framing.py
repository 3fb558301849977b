"""Cutting a byte stream into messages by Content-Length (RFC 3261 §7.5, §18.3)."""

import enum
import re

from pbx.errors import PeerError
from pbx.sip.grammar import MAX_MESSAGE_BYTES, parse_digits
from pbx.sip.status import REASONS

# Content-Length = ( "Content-Length" / "l" ) HCOLON 1*DIGIT, with folds still in it
_LENGTH_RE = re.compile(
    rb"\r\n(?:content-length|l)[ \t]*+:((?:[^\r\n]++|\r\n[ \t])*+)(?=\r\n)", re.IGNORECASE
)


class KeepAlive(enum.Enum):
    """What a peer sends only to keep its path open."""

    PING = b"\r\n\r\n"
    """A double CRLF between messages, to be answered by a single one (RFC 5626 §4.4.1)."""


class StreamFramer:
    """Cuts what one connection brings into messages.

    Feed it as octets come, and give each message to ``parse_message(..., stream=True)``. Once it
    has raised, nothing can be told from the stream any more: close the connection.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0
        self._fault: PeerError | None = None

    @property
    def has_begun(self) -> bool:
        """True while a message's beginning waits for its rest."""
        # Up to three octets of CRLFs may be a ping's beginning.
        return len(self._buffer) > 3 or bool(self._buffer.strip(b"\r\n"))

    def feed(self, data: bytes) -> list[bytes | KeepAlive]:
        """Take octets in, and return what they complete, in its order.

        A message whose length can't be told is returned as its header alone, so that it can be
        answered; the fault is raised by the next call.

        Raises:
            PeerError: 400 or 513, where the stream can't be followed any further.
        """
        self._buffer += data
        items: list[bytes | KeepAlive] = []
        while (item := self._next()) is not None:
            items.append(item)
        if self._fault is not None and not items:
            raise self._fault
        return items

    def _next(self) -> bytes | KeepAlive | None:
        """The next complete item; None where more octets must come first."""
        if self._fault is not None:
            return None
        buffer = self._buffer
        # "Implementations processing SIP messages over stream-oriented transports MUST ignore any
        # CRLF appearing before the start-line" (§7.5). A CRLF at the very end waits: the next
        # octets tell whether it's the first half of a ping.
        if not self._searched:
            while buffer.startswith(b"\r\n") and len(buffer) > 2:
                if buffer.startswith(KeepAlive.PING.value):
                    del buffer[:4]
                    return KeepAlive.PING
                if buffer == b"\r\n\r":
                    return None
                del buffer[:2]
            if len(buffer) < 4:
                return None
        end = buffer.find(b"\r\n\r\n", max(0, self._searched - 3))
        if end < 0:
            self._searched = len(buffer)
            if len(buffer) > MAX_MESSAGE_BYTES:
                self._fault = PeerError(513, REASONS[513])
            return None
        return self._cut(end + 4)

    def _cut(self, body: int) -> bytes | None:
        """The message whose body begins at the offset; None while it isn't complete."""
        head = bytes(self._buffer[:body])
        length = _content_length(head)
        if length is None:
            self._fault = PeerError(400, "Content-Length missing or bad")
            return head
        if body + length > MAX_MESSAGE_BYTES:
            self._fault = PeerError(513, REASONS[513])
            return head
        if len(self._buffer) < body + length:
            self._searched = body - 1
            return None
        message = bytes(self._buffer[: body + length])
        del self._buffer[: body + length]
        self._searched = 0
        return message


def _content_length(head: bytes) -> int | None:
    """The one Content-Length in the header; None where there is none, a bad one, or several."""
    values = _LENGTH_RE.findall(head)
    if len(values) != 1:
        return None
    return parse_digits(values[0].strip(b" \t\r\n").decode("latin-1"), MAX_MESSAGE_BYTES)
