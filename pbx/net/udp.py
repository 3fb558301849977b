"""SIP over UDP: one socket for each local address, so that every answer leaves from where it was asked."""

import asyncio
import errno
import logging
import select
import socket
from collections.abc import Callable

from pbx.net.errqueue import ask_for_errors, take_errors
from pbx.sip.flow import Address, Flow

log = logging.getLogger(__name__)

RECEIVE_BUFFER = 1 << 20
"""Octets that wait in the kernel while the exchange is busy (it grants what rmem_max allows)."""

SEND_BUFFER = 1 << 20
"""Octets that wait in the kernel for the network (it grants what wmem_max allows); more are lost, as
on a full link."""

BIGGEST = 65535
"""Octets that a datagram has at most."""

AT_ONCE = 32
"""Datagrams that are taken before others have their turn."""

PASSING = frozenset({errno.ENOBUFS, errno.ENOMEM, errno.EAGAIN, errno.EINTR})
"""Refusals that only mean that this datagram is lost: retransmission cures that."""


class UdpSocket:
    """One bound UDP socket.

    The event loop never sees it, only an epoll that it is in. libuv 1.52 (uvloop 0.23) reads the
    kernel's queue of errors, wherever the socket's own wake-up has told of one, and takes an error
    that it finds there for 4 GB of data: the program crashes. And an error may come at any time.

    Args:
        local: its address.
        receive: takes each datagram and its flow.
        failed: told when the kernel refuses to send on a flow, and when ICMP says that nobody
            is reached by it.
        bound: the socket itself, non-blocking, bound to `local`.
    """

    def __init__(
        self,
        local: Address,
        receive: Callable[[bytes, Flow], None],
        failed: Callable[[Flow, str], None],
        bound: socket.socket,
    ) -> None:
        self._local = local
        self._receive = receive
        self._failed = failed
        self._socket = bound
        self._loop = asyncio.get_running_loop()
        self._wakes = select.epoll()
        # EPOLLERR comes unasked
        self._wakes.register(bound, select.EPOLLIN)
        self._loop.add_reader(self._wakes.fileno(), self._take)

    @classmethod
    def open(
        cls,
        local: Address,
        receive: Callable[[bytes, Flow], None],
        failed: Callable[[Flow, str], None],
    ) -> "UdpSocket":
        """Return a socket bound to `local`; raises OSError where that is impossible."""
        family = socket.AF_INET6 if ":" in local.host else socket.AF_INET
        bound = socket.socket(family, socket.SOCK_DGRAM)
        try:
            bound.setblocking(False)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            ask_for_errors(bound)
            bound.bind((local.host, local.port))
            return cls(local, receive, failed, bound)
        except BaseException:
            bound.close()
            raise

    @property
    def _closed(self) -> bool:
        return self._socket.fileno() < 0

    def _take(self) -> None:
        """Pass on what has come, and what ICMP tells."""
        for _ in range(AT_ONCE):
            if self._closed:
                return
            try:
                data, sender = self._socket.recvfrom(BIGGEST)
            except BlockingIOError:
                # An error may be kept that no operation has failed by
                self._report_unreachable()
                return
            except OSError as error:
                if not self._report_unreachable():
                    log.debug("udp %s: a datagram is lost: %s", self._local, error)
            else:
                self._receive(data, Flow("udp", self._local, Address(sender[0], sender[1])))

    def _report_unreachable(self) -> bool:
        """Fail the flows that reach nobody; False where ICMP has said nothing.

        RFC 3261 §18.4: "Host, network, port or protocol unreachable errors [...] SHOULD cause the
        transport layer to inform the transport user of a failure in sending."
        """
        # All of them first: whoever is told of one may send, and what is left would be in the way.
        told = list(take_errors(self._socket))
        for remote, why in told:
            self._failed(Flow("udp", self._local, remote), why)
        return bool(told)

    def send(self, data: bytes, flow: Flow) -> None:
        """Send one datagram."""
        if self._closed:
            self._failed(flow, "the socket is closed")
            return
        refusal = self._try_to_send(data, flow.remote)
        if refusal is not None and self._report_unreachable():
            # What the kernel refused was a reminder of an earlier datagram's fate; this one hasn't
            # been sent at all.
            refusal = self._try_to_send(data, flow.remote)
        if refusal is None:
            return
        if getattr(refusal, "errno", None) in PASSING or self._report_unreachable():
            log.debug("udp %s: a datagram is lost: %s", self._local, refusal)
        else:
            self._failed(flow, getattr(refusal, "strerror", None) or str(refusal))

    def _try_to_send(self, data: bytes, remote: Address) -> Exception | None:
        """Send one datagram, or return why the kernel doesn't."""
        try:
            self._socket.sendto(data, (remote.host, remote.port))
        except (OSError, ValueError, OverflowError) as error:
            return error
        return None

    def close(self) -> None:
        """Close the socket: its port is free, and the kernel still sends what waits."""
        if self._closed:
            return
        self._loop.remove_reader(self._wakes.fileno())
        self._wakes.close()
        self._socket.close()
