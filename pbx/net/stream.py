"""SIP over TCP (RFC 3261 §18) and what lies above it: a connection, accepted or made by us."""

import asyncio
import logging
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import cast

from pbx.errors import PeerError
from pbx.net.framing import Framing, PlainFraming
from pbx.sip.flow import Address, Flow
from pbx.sip.framing import KeepAlive
from pbx.sip.source import source_of

log = logging.getLogger(__name__)

BACKLOG_LIMIT = 1 << 20
"""Octets that wait for a peer that doesn't read; more, and the connection is given up."""

FIRST_MESSAGE_S = 30.0
"""How long whoever connects to us may take for its first message; phones register at once."""

HALF_MESSAGE_S = 32.0
"""How long the rest of a message may take: a transaction's 64*T1 (RFC 3261 §17), after which its
sender has given it up."""

LINGER_S = 2.0
"""How long a connection that we end may take to deliver what is queued."""

PROBES: tuple[tuple[int, int, int], ...] = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 32_000),
)
"""A phone that lost its power says no goodbye. An idle connection to it is found dead after some
two minutes (tcp(7)), one that something is sent on as fast as a transaction times out."""


class StreamConnection(asyncio.Protocol):
    """One TCP connection; `TlsConnection` is one with TLS.

    Args:
        number: its name in `Flow.connection`.
        port: our listening port, which Via and Contact say.
        receive: takes each message and its flow.
        opened, closed: told of the connection's life; `closed` with the reason.
        first_message_s: for the peer's first message; None where it needn't send one.
        half_message_s: for the rest of a message whose beginning has come.
        kind: its `Flow.transport`.
        framing: how messages lie in its octets; None for TCP's way.
        name: its `Flow.name`.
    """

    def __init__(
        self,
        number: int,
        port: int,
        receive: Callable[[bytes, Flow], None],
        opened: Callable[["StreamConnection"], None],
        closed: Callable[["StreamConnection", str], None],
        first_message_s: float | None = None,
        half_message_s: float = HALF_MESSAGE_S,
        *,
        kind: str = "tcp",
        framing: Framing | None = None,
        name: str = "",
    ) -> None:
        self._port = port
        self._receive = receive
        self._opened = opened
        self._closed = closed
        self._first_message_s = first_message_s
        self._half_message_s = half_message_s
        self._framing: Framing = framing or PlainFraming()
        self._transport: asyncio.Transport | None = None
        self._socket: socket.socket | None = None
        self._limit: asyncio.TimerHandle | None = None
        # While something has begun and isn't whole yet
        self._rest_limit: asyncio.TimerHandle | None = None
        self._why = ""
        self.flow = Flow(kind, Address("", 0), Address("", 0), number, name)
        self.source = ""
        """What the peer counts as, where connections are counted."""
        self.heard = 0.0
        """When something came last, or when it was made: seconds of the event loop's clock."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Learn both addresses (asyncio calls this)."""
        # uvloop's transports are not asyncio's by class, only by their methods.
        self._transport = cast(asyncio.Transport, transport)
        local, remote = transport.get_extra_info("sockname"), transport.get_extra_info("peername")
        if local is None or remote is None:
            self._transport.abort()
            return
        self._socket = transport.get_extra_info("socket")
        for level, option, value in PROBES:
            self._socket.setsockopt(level, option, value)
        self.flow = replace(
            self.flow,
            local=Address(local[0], self._port),
            remote=Address(remote[0], remote[1]),
        )
        self.source = source_of(remote[0])
        loop = asyncio.get_running_loop()
        self.heard = loop.time()
        if self._first_message_s is not None:
            self._limit = loop.call_later(self._first_message_s, self.close, "it says nothing")
        self._opened(self)

    @property
    def number(self) -> int:
        """Its name in `Flow.connection`."""
        return self.flow.connection

    @property
    def usable(self) -> bool:
        """True until it ends, or is being ended."""
        return self._transport is not None and not self._transport.is_closing()

    def data_received(self, data: bytes) -> None:
        """Cut messages out of the stream (asyncio calls this)."""
        self.heard = asyncio.get_running_loop().time()
        try:
            # Again without data: a fault that comes after the last whole message shows only then.
            while items := self._framing.feed(data):
                data = b""
                for item in items:
                    if not self.usable:
                        return
                    self._take(item)
        except PeerError as error:
            # Where a message ends can't be told any more, so the stream is of no further use.
            self._write(self._framing.owed())
            self.finish(error.reason)
        if self.usable:
            self._write(self._framing.owed())
        self._limit_half_message()
        self._acknowledge()

    def _limit_half_message(self) -> None:
        """See to it that what has begun comes to its end: half messages take memory for nothing.

        What has begun may have been no message: a WebSocket's ping comes in two pieces, too.
        """
        if not self._framing.has_begun:
            self._stop_rest_limit()
        elif self._limit is None and self._rest_limit is None and self.usable:
            loop = asyncio.get_running_loop()
            self._rest_limit = loop.call_later(
                self._half_message_s, self.close, "a message's rest never came"
            )

    def _acknowledge(self) -> None:
        """Acknowledge what came at once, not after 40 ms.

        A phone that leaves Nagle's algorithm on holds its 200 back until its 180 is acknowledged,
        while it speaks already: the caller would miss the first word. The kernel forgets the
        option by itself (tcp(7)), so it is set each time.
        """
        if self._socket is not None and self.usable:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def _take(self, item: bytes | KeepAlive) -> None:
        if isinstance(item, KeepAlive):
            # RFC 5626 §4.4.1: a double CRLF is answered by a single one
            self.send(b"\r\n")
            return
        if b"SIP/" not in item.partition(b"\r\n")[0].upper():
            raise PeerError(400, "It does not speak SIP")
        self._stop_limit()
        self._receive(item, self.flow)

    def connection_lost(self, exc: Exception | None) -> None:
        """Report the end (asyncio calls this)."""
        self._stop_limit()
        self._socket = None
        self._closed(self, self._why or str(exc or "the peer closed the connection"))

    def _stop_limit(self) -> None:
        self._stop_rest_limit()
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def _stop_rest_limit(self) -> None:
        if self._rest_limit is not None:
            self._rest_limit.cancel()
            self._rest_limit = None

    def send(self, data: bytes) -> None:
        """Queue octets for the peer; while the connection ends, they are lost with it."""
        if self._transport is None or self._transport.is_closing():
            return
        if self._transport.get_write_buffer_size() > BACKLOG_LIMIT:
            self.close("the peer does not read")
            return
        self._write(self._framing.wrap(data))

    def _write(self, data: bytes) -> None:
        if data and self._transport is not None:
            self._transport.write(data)

    def close(self, why: str) -> None:
        """Drop the connection at once."""
        if self._transport is not None:
            self._ending(why)
            self._transport.abort()

    def finish(self, why: str) -> None:
        """Close once what is queued has been sent, or `LINGER_S` have passed."""
        if self._transport is not None and not self._transport.is_closing():
            self._ending(why)
            self._write(self._framing.farewell())
            self._end()

    def _end(self) -> None:
        if self._transport is not None:
            self._stop_limit()
            self._transport.close()
            self._limit = asyncio.get_running_loop().call_later(LINGER_S, self._transport.abort)

    def _ending(self, why: str) -> None:
        if not self._why:
            self._why = why
            log.info("%s: connection dropped: %s", self.flow, why)
