"""The call-back service's UDP port: opened, moved and closed while the exchange runs."""

import asyncio
import ipaddress
import logging
import socket
from collections.abc import Callable

from pbx.net.udp import AT_ONCE
from pbx.sip.flow import Address

log = logging.getLogger(__name__)

READ = 4096
"""Octets that are read of a datagram: more than any message has, so that a longer one is noticed."""

_MAPPED = "::ffff:"


class CallBackPort:
    """The port; none before `follow`.

    Args:
        received: takes each datagram and who has sent it.
    """

    def __init__(self, received: Callable[[bytes, Address], None]) -> None:
        self._received = received
        self._socket: socket.socket | None = None
        self._wanted: tuple[str, int] = "", 0
        self.failure = ""
        """Why it can't be opened; empty where it is open, or isn't to be."""

    @property
    def address(self) -> str:
        """Where it listens, as ``udp 127.0.0.1:5080``; empty where it doesn't."""
        if self._socket is None:
            return ""
        host, port = self._socket.getsockname()[:2]
        return f"udp {Address(host, port)}"

    def follow(self, server: str, port: int) -> None:
        """Listen as the settings in force say; what isn't new changes nothing, but where it failed.

        Args:
            server: the application server's address; empty for any.
            port: the UDP port; 0 opens nothing.
        """
        wanted, former = (_listen_at(server), port), self.failure
        if wanted == self._wanted and not former:
            return
        again = wanted == self._wanted
        self.close()
        self._wanted = wanted
        if not port:
            log.info("the call-back service is off")
            return
        try:
            self._socket = _opened(*wanted)
        except OSError as error:
            self.failure = error.strerror or str(error)
            if not again:
                log.error("the call-back service can't listen on port %d: %s", port, self.failure)
            return
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._take)
        log.info("the call-back service listens on %s for %s", self.address, server or "ANYBODY")
        if not server:
            log.warning("anybody who can reach the call-back service can have calls made")

    def send(self, data: bytes, to: Address) -> None:
        """Send a datagram, where the port is open; one that gets lost is sent again by its sender."""
        if self._socket is None:
            return
        mapped = self._socket.family == socket.AF_INET6 and ":" not in to.host
        try:
            self._socket.sendto(data, (_MAPPED * mapped + to.host, to.port))
        except (OSError, ValueError, OverflowError) as error:
            log.debug("call-back: a datagram to %s is lost: %s", to, error)

    def close(self) -> None:
        """Close the port."""
        self.failure, self._wanted = "", ("", 0)
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def _take(self) -> None:
        for _ in range(AT_ONCE):
            if self._socket is None:
                # Closed by what has come
                return
            try:
                data, sender = self._socket.recvfrom(READ)
            except BlockingIOError:
                return
            except OSError as error:
                # That a datagram of ours has reached nobody
                log.debug("call-back: %s", error)
                continue
            self._received(data, Address(sender[0].removeprefix(_MAPPED), sender[1]))


def _listen_at(server: str) -> str:
    """The address to listen on for who is at `server`; empty for all of the machine's."""
    if not server:
        return ""
    address = ipaddress.ip_address(server)
    if address.is_loopback:
        # Nothing from outside gets even as far as this program
        return "127.0.0.1" if address.version == 4 else "::1"
    return "0.0.0.0" if address.version == 4 else "::"  # noqa: S104 - others are dropped


def _opened(host: str, port: int) -> socket.socket:
    """Return a bound socket.

    Raises:
        OSError: it can't be bound.
    """
    if host:
        return _bound(socket.AF_INET6 if ":" in host else socket.AF_INET, host, port)
    try:
        return _bound(socket.AF_INET6, "::", port)
    except OSError:
        # A machine without IPv6
        return _bound(socket.AF_INET, "0.0.0.0", port)  # noqa: S104 - so it is configured


def _bound(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_DGRAM)
    try:
        bound.setblocking(False)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        bound.bind((host, port))
    except BaseException:
        bound.close()
        raise
    return bound
