"""SIP over UDP: one socket for each local address, so that every answer leaves from where it was asked."""

import asyncio
import errno
import logging
import socket
from collections.abc import Callable
from typing import cast

from pbx.sip.flow import Address, Flow

log = logging.getLogger(__name__)

RECEIVE_BUFFER = 1 << 20
"""Octets that wait in the kernel while the exchange is busy (it grants what rmem_max allows)."""

BACKLOG_LIMIT = 1 << 20
"""Octets that wait for the kernel to take them; more are lost, as on a full link."""

LINGER_S = 1.0
"""How long a socket that is closed may take to send what waits."""

PASSING = frozenset({errno.ENOBUFS, errno.ENOMEM, errno.EAGAIN, errno.EINTR})
"""Refusals that only mean that this datagram is lost: retransmission cures that."""


class UdpSocket(asyncio.DatagramProtocol):
    """One bound UDP socket.

    Args:
        local: its address.
        receive: takes each datagram and its flow.
        failed: told when the kernel refuses to send on a flow.
    """

    def __init__(
        self,
        local: Address,
        receive: Callable[[bytes, Flow], None],
        failed: Callable[[Flow, str], None],
    ) -> None:
        self._local = local
        self._receive = receive
        self._failed = failed
        self._transport: asyncio.DatagramTransport | None = None
        self._sending: Flow | None = None
        self._full = False
        self._closed = asyncio.Event()

    @classmethod
    async def open(
        cls,
        local: Address,
        receive: Callable[[bytes, Flow], None],
        failed: Callable[[Flow, str], None],
    ) -> "UdpSocket":
        """Return a socket bound to `local`; raises OSError where that is impossible."""
        loop = asyncio.get_running_loop()
        family = socket.AF_INET6 if ":" in local.host else socket.AF_INET
        # Bound here: uvloop's own error doesn't tell that a port is in use from anything else.
        bound = socket.socket(family, socket.SOCK_DGRAM)
        try:
            bound.setblocking(False)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            bound.bind((local.host, local.port))
            _, udp = await loop.create_datagram_endpoint(
                lambda: cls(local, receive, failed), sock=bound
            )
        except BaseException:
            bound.close()
            raise
        return udp

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport (asyncio calls this)."""
        # uvloop's transports are not asyncio's by class, only by their methods.
        self._transport = cast(asyncio.DatagramTransport, transport)
        cast(asyncio.WriteTransport, transport).set_write_buffer_limits(high=BACKLOG_LIMIT)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Pass a datagram on (asyncio calls this)."""
        self._receive(data, Flow("udp", self._local, Address(addr[0], addr[1])))

    def error_received(self, exc: Exception) -> None:
        """Report a refusal of the kernel (asyncio calls this).

        RFC 3261 §18.4: "Host, network, port or protocol unreachable errors [...] SHOULD cause the
        transport layer to inform the transport user of a failure in sending."
        """
        flow = self._sending
        if flow is None or getattr(exc, "errno", None) in PASSING:
            # Of a datagram that had waited nobody can tell whose it was.
            log.debug("udp %s: a datagram is lost: %s", self._local, exc)
        else:
            self._failed(flow, getattr(exc, "strerror", None) or str(exc))

    def pause_writing(self) -> None:
        """Lose what is sent until `resume_writing` (asyncio calls this)."""
        self._full = True

    def resume_writing(self) -> None:
        """Send again (asyncio calls this)."""
        self._full = False

    def send(self, data: bytes, flow: Flow) -> None:
        """Send one datagram."""
        if self._transport is None or self._transport.is_closing():
            self._failed(flow, "the socket is closed")
            return
        if self._full:
            return
        self._sending = flow
        try:
            self._transport.sendto(data, (flow.remote.host, flow.remote.port))
        except (OSError, ValueError) as error:
            self._failed(flow, str(error))
        finally:
            self._sending = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the port is free again (asyncio calls this)."""
        self._closed.set()

    async def close(self) -> None:
        """Close the socket, once it has sent what waits, and return when its port is free."""
        if self._transport is not None:
            self._transport.close()
            try:
                await asyncio.wait_for(self._closed.wait(), LINGER_S)
            except TimeoutError:
                self._transport.abort()
