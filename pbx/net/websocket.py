"""SIP over WebSocket (RFC 7118, RFC 6455): messages in frames, after a handshake in HTTP."""

import logging
import re
from collections.abc import Sequence

from websockets.exceptions import InvalidState
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Origin, Subprotocol

from pbx.errors import PeerError
from pbx.sip.framing import KeepAlive
from pbx.sip.grammar import MAX_MESSAGE_BYTES

log = logging.getLogger(__name__)

SUBPROTOCOL = Subprotocol("sip")
"""RFC 7118 §4.1: what both sides must name in the handshake."""

_MOST_OF_A_FAULT = 120

_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")

_LONGEST_HEAD = 16_384
"""Octets of the handshake; browsers' cookies are what may make it long."""


class WebSocketFraming:
    """The server's side of one WebSocket connection; a message is what one frame, or a chain, holds.

    Args:
        origins: web sites, as ``https://example.org``, whose pages may connect; empty for all. What
            is no browser names none, and always may.
    """

    def __init__(self, origins: Sequence[str] = ()) -> None:
        self._protocol = ServerProtocol(
            origins=[*map(Origin, origins), None] if origins else None,
            subprotocols=[SUBPROTOCOL],
            max_size=MAX_MESSAGE_BYTES,
            logger=log,
        )
        self._head = bytearray()
        self._shaken = False
        self._parts: list[bytes] = []
        self._is_text = False
        self._fault = ""

    @property
    def has_begun(self) -> bool:
        """True while a frame, or a chain of frames, waits for its rest."""
        return bool(self._head or self._parts or self._protocol.reader.buffer)

    def feed(self, data: bytes) -> list[bytes | KeepAlive]:
        """Take octets in, and return the messages that they complete.

        Raises:
            PeerError: the handshake failed, the peer breaks the protocol or ends the connection;
                `owed` then has what tells it so.
        """
        items: list[bytes | KeepAlive] = []
        self._feed(data if self._shaken else self._shake_hands(data))
        for event in self._protocol.events_received():
            if isinstance(event, Frame) and (item := self._item(event)) is not None:
                items.append(item)
        if not items and (over := self._over()):
            raise PeerError(400, over)
        return items

    def _feed(self, data: bytes) -> None:
        if data:
            self._protocol.receive_data(data)

    def _shake_hands(self, data: bytes) -> bytes:
        """Take the handshake's octets in; return what has come after it.

        A peer has to wait for our answer (RFC 6455 §4.1). The library takes that for granted, so
        what comes too early waits here.
        """
        head = self._head
        head += data
        end = _END_OF_HEAD.search(head)
        if end is None and len(head) <= _LONGEST_HEAD:
            return b""
        place = end.end() if end is not None else len(head)
        early, self._head, self._shaken = bytes(head[place:]), bytearray(), True
        self._feed(bytes(head[:place]))
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._protocol.send_response(self._protocol.accept(event))
        return early if self._protocol.state is State.OPEN else b""

    def _over(self) -> str:
        """Why nothing more can come; empty while something can."""
        error = self._protocol.handshake_exc or self._protocol.parser_exc
        if error is not None:
            # Printable whatever the peer has put in.
            return f"no WebSocket with it: {ascii(str(error))[1:-1][:_MOST_OF_A_FAULT]}"
        if self._protocol.state in (State.CONNECTING, State.OPEN):
            return ""
        return self._fault or "the peer closed the connection"

    def _item(self, frame: Frame) -> bytes | KeepAlive | None:
        """The message that ends with `frame`; None where none does."""
        if self._fault or frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            # Pings and closes are answered by the protocol itself (RFC 6455 §5.5).
            return None
        if frame.opcode is not Opcode.CONT:
            self._is_text = frame.opcode is Opcode.TEXT
        self._parts.append(bytes(frame.data))
        if not frame.fin:
            return None
        message, self._parts = b"".join(self._parts), []
        if self._is_text and not _is_utf8(message):
            # RFC 6455 §8.1
            self._fault = "text that is not UTF-8"
            self._protocol.fail(CloseCode.INVALID_DATA)
            return None
        if message == KeepAlive.PING.value:
            # RFC 5626 §4.4.1, as JsSIP and SIP.js send it, too
            return KeepAlive.PING
        return message.lstrip(b"\r\n") or None

    def wrap(self, message: bytes) -> bytes:
        """Return a frame with the message: of text where it is UTF-8 (RFC 7118 §4.2 has both)."""
        try:
            if _is_utf8(message):
                self._protocol.send_text(message)
            else:
                self._protocol.send_binary(message)
        except InvalidState:
            # There is no connection yet, or none any more.
            return b""
        return self.owed()

    def owed(self) -> bytes:
        """Return the handshake's answer, pongs, and what else waits to be sent."""
        return b"".join(self._protocol.data_to_send())

    def farewell(self) -> bytes:
        """Return a Close frame: we go away (RFC 6455 §7.4.1)."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(CloseCode.GOING_AWAY)
        return self.owed()


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
