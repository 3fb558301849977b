"""The machine's own addresses, and when they change: rtnetlink (RFC 3549, rtnetlink(7))."""

import asyncio
import ipaddress
import socket
import struct
from collections.abc import Callable, Iterator

RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLM_F_REQUEST, NLM_F_DUMP = 0x1, 0x300
RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR = 0x10, 0x100
IFA_ADDRESS, IFA_LOCAL = 1, 2
IFA_F_TENTATIVE = 0x40
_HEADER = struct.Struct("=IHHII")
_IFADDR = struct.Struct("=BBBBI")
_ATTRIBUTE = struct.Struct("=HH")


def local_addresses() -> list[str]:
    """Return this machine's numeric IPv4 and IPv6 addresses, loopback last.

    Link-local IPv6 addresses are left out: they mean nothing in a Contact header, and so are
    addresses that the kernel still checks for duplicates.
    """
    found: list[str] = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
        request = _HEADER.pack(
            _HEADER.size + _IFADDR.size, RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, 1, 0
        )
        netlink.send(request + _IFADDR.pack(socket.AF_UNSPEC, 0, 0, 0, 0))
        done = False
        while not done:
            for kind, body in _messages(netlink.recv(65536)):
                if kind in (NLMSG_DONE, NLMSG_ERROR):
                    done = True
                elif kind == RTM_NEWADDR:
                    address = _address(body)
                    if address is not None and address not in found:
                        found.append(address)
    return sorted(found, key=lambda text: ipaddress.ip_address(text).is_loopback)


def own_address(host: str) -> str | None:
    """Return the address of this machine that packets to a numeric host leave from.

    None where there is no way there. Nothing is sent: connecting a UDP socket only asks the
    routing table (udp(7)).
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, 9))
        except OSError:
            return None
        return str(probe.getsockname()[0])


def alike(one: str, other: str) -> bool:
    """Whether packets from one numeric address can get to the other one, as far as they tell."""
    a, b = ipaddress.ip_address(one), ipaddress.ip_address(other)
    return (a.version, a.is_loopback) == (b.version, b.is_loopback)


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= _HEADER.size:
        length, kind, _, _, _ = _HEADER.unpack_from(data)
        yield kind, data[_HEADER.size : length]
        data = data[(length + 3) & ~3 :]


def _address(body: bytes) -> str | None:
    _, _, flags, _, _ = _IFADDR.unpack_from(body)
    attributes: dict[int, bytes] = {}
    rest = body[_IFADDR.size :]
    while len(rest) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(rest)
        attributes[kind] = rest[_ATTRIBUTE.size : length]
        rest = rest[(length + 3) & ~3 :]
    # On point-to-point links IFA_ADDRESS is the other end; IFA_LOCAL is ours where both stand.
    raw = attributes.get(IFA_LOCAL) or attributes.get(IFA_ADDRESS)
    if raw is None or flags & IFA_F_TENTATIVE:
        return None
    address = ipaddress.ip_address(raw)
    if address.version == 6 and address.is_link_local:
        return None
    return str(address)


class AddressWatch:
    """Calls back when an address comes or goes.

    Args:
        changed: called on the event loop, once a burst of changes has been read.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._netlink = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE
        )
        self._netlink.bind((0, RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR))

    def start(self) -> None:
        """Begin to watch; needs a running event loop."""
        asyncio.get_running_loop().add_reader(self._netlink.fileno(), self._readable)

    def stop(self) -> None:
        """Stop watching."""
        asyncio.get_running_loop().remove_reader(self._netlink.fileno())
        self._netlink.close()

    def _readable(self) -> None:
        while True:
            try:
                self._netlink.recv(65536)
            except OSError:
                # EAGAIN: all read. ENOBUFS: changes were lost; reading all addresses finds them.
                break
        self._changed()
