"""How messages lie in the octets of a connection: what `StreamConnection` asks of it."""

from typing import Protocol

from pbx.sip.framing import KeepAlive, StreamFramer


class Framing(Protocol):
    """Finds messages in what comes, and makes octets of what goes; one for each connection."""

    @property
    def has_begun(self) -> bool:
        """True while a message's beginning waits for its rest."""

    def feed(self, data: bytes) -> list[bytes | KeepAlive]:
        """Take octets in, and return what they complete.

        Raises:
            PeerError: nothing more can come; the reason is for the log. It is raised by itself,
                after all that was complete.
        """

    def wrap(self, message: bytes) -> bytes:
        """Return the octets that carry a message; none where none can be carried now."""

    def owed(self) -> bytes:
        """Return what the peer is to be sent for the framing's own sake, once."""

    def farewell(self) -> bytes:
        """Return the octets that say that the connection ends."""


class PlainFraming(StreamFramer):
    """Messages one after the other, as over TCP and TLS (RFC 3261 §18.3)."""

    def wrap(self, message: bytes) -> bytes:
        """Return the message itself."""
        return message

    def owed(self) -> bytes:
        """Return nothing: CRLFs are the connection's matter."""
        return b""

    def farewell(self) -> bytes:
        """Return nothing: the end of the stream says it."""
        return b""
