"""The phone's UDP sockets, and where names lead."""

import asyncio
import contextlib
import errno
import os
import re
import socket
import struct
from collections.abc import Callable, Iterator

from hw.softphone.locale import say
from hw.softphone.words import error_in_words
from pbx.errors import StartError
from pbx.sip.flow import Address

PORTS_TRIED = 40

BURST = 64
"""Datagrams that are read between two ticks of the sound: a flood must not hold it up."""

_IP_RECVERR, _IPV6_RECVERR = 11, 25
"""ip(7), ipv6(7)."""

_HOST_PORT = re.compile(
    r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[^:\[\]\s/]+))(?::(?P<port>\d{1,5}))?"
)
_BARE_SIX = re.compile(r"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")


def split_host(text: str) -> tuple[str, int | None]:
    """Return host and port of ``name``, ``name:port``, ``[::1]:port`` or ``::1``.

    Raises:
        ValueError: it is none of these.
    """
    if _BARE_SIX.fullmatch(text):
        return text, None
    match = _HOST_PORT.fullmatch(text)
    port = int(match["port"]) if match and match["port"] else None
    if match is None or (port is not None and not 0 < port < 65536):
        raise ValueError(text)
    return match["six"] or match["host"], port


async def locate(host: str, port: int) -> Address:
    """Return the address of a host that this machine has a way to.

    Raises:
        StartError: there is none.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        sentence = say("no-such-host", host=host, why=_unresolved(error))
        raise StartError(sentence, os.EX_NOHOST) from error
    why = ""
    for *_, where in found:
        address = Address(str(where[0]), int(where[1]))
        try:
            own_address(address)
        except OSError as error:
            why = error_in_words(error)
        else:
            return address
    raise StartError(say("no-way", host=host, why=why), os.EX_NOHOST)


def _unresolved(error: OSError | UnicodeError) -> str:
    """Return why a name leads nowhere; one that isn't even a name is not known either."""
    if isinstance(error, UnicodeError) or error.errno in (socket.EAI_NONAME, socket.EAI_NODATA):
        return say("name-unknown")
    if error.errno == socket.EAI_AGAIN:
        return say("name-unanswered")
    return error_in_words(error)


def own_address(remote: Address) -> str:
    """Return the address of this machine that a packet to `remote` leaves from.

    Raises:
        OSError: there is no way there.
    """
    with socket.socket(_family(remote.host), socket.SOCK_DGRAM) as probe:
        probe.connect((remote.host, remote.port))
        return str(probe.getsockname()[0])


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


class UdpPort:
    """A UDP socket of the running event loop.

    Args:
        host, port: its own address; port 0: any that is free.
        receive: takes each datagram and where it came from.
        refused: told of an address that can't be reached, and why.

    Raises:
        StartError: the socket can't be had.
    """

    def __init__(
        self,
        host: str,
        port: int,
        receive: Callable[[bytes, Address], None],
        refused: Callable[[Address, str], None],
    ) -> None:
        self._receive = receive
        self._refused = refused
        self._socket = _bound(host, port)
        self.local = Address(host, int(self._socket.getsockname()[1]))
        if ":" in host:
            self._socket.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
        else:
            self._socket.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket, self._readable)

    def _readable(self) -> None:
        self._read_refusals()
        while self._socket.fileno() >= 0:
            try:
                data, where = self._socket.recvfrom(65536)
            except BlockingIOError:
                return
            except OSError:
                # A refusal, which stands in the error queue too
                continue
            self._receive(data, Address(where[0], where[1]))

    def _read_refusals(self) -> None:
        """Empty the error queue: it names the address that each datagram was for (ip(7))."""
        while self._socket.fileno() >= 0:
            try:
                _, extra, _, where = self._socket.recvmsg(0, 512, socket.MSG_ERRQUEUE)
            except OSError:
                return
            # struct sock_extended_err begins with the errno
            number = struct.unpack_from("=I", extra[0][2])[0] if extra else errno.EIO
            self._refused(Address(where[0], where[1]), os.strerror(number))

    def send(self, data: bytes, remote: Address) -> str:
        """Send a datagram; return why that was impossible, or nothing."""
        for _ in range(2):
            try:
                self._socket.sendto(data, (remote.host, remote.port))
            except BlockingIOError:
                # Lost, as on a full link
                return ""
            except OSError as error:
                why = error.strerror or str(error)
                if error.errno != errno.ECONNREFUSED:
                    return why
                # That was an earlier datagram's.
            else:
                return ""
        return why

    def close(self) -> None:
        """Close the socket."""
        self._loop.remove_reader(self._socket)
        self._socket.close()


class RtpPort:
    """A UDP socket for RTP, which the sound's thread reads and writes.

    No thread waits for packets: the sound's, when it has been held up and catches up, would take
    what is due before that one has passed on what has come meanwhile.

    Args:
        host: its own address.

    Raises:
        StartError: the socket can't be had.
    """

    def __init__(self, host: str) -> None:
        self._socket = _even_port(host)
        self.local = Address(host, int(self._socket.getsockname()[1]))

    def receive(self) -> Iterator[tuple[bytes, Address]]:
        """Return the datagrams that have come, each with where from: `BURST` at most."""
        for _ in range(BURST):
            try:
                data, where = self._socket.recvfrom(65536)
            except BlockingIOError:
                return
            except OSError:
                # A refusal of what was sent before is no packet.
                continue
            yield data, Address(where[0], where[1])

    def send(self, data: bytes, remote: Address) -> None:
        """Send a packet, or lose it, as networks do."""
        with contextlib.suppress(OSError):
            self._socket.sendto(data, (remote.host, remote.port))

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def _even_port(host: str) -> socket.socket:
    """Return a socket of any even port: RTP's should be (RFC 3550 §11)."""
    odd: list[socket.socket] = []
    try:
        for _ in range(PORTS_TRIED):
            udp = _bound(host, 0)
            if udp.getsockname()[1] % 2 == 0:
                return udp
            odd.append(udp)
    finally:
        for udp in odd:
            udp.close()
    raise _deaf(host, OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL)))


def _deaf(address: str | Address, error: OSError) -> StartError:
    sentence = say("cannot-listen", address=address, why=error_in_words(error))
    return StartError(sentence, os.EX_UNAVAILABLE)


def _bound(host: str, port: int) -> socket.socket:
    udp = socket.socket(_family(host), socket.SOCK_DGRAM)
    try:
        udp.setblocking(False)
        udp.bind((host, port))
    except OSError as error:
        udp.close()
        raise _deaf(Address(host, port), error) from error
    return udp
