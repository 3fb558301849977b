"""Addresses as the kernels keep them: `struct sockaddr` and IP_PKTINFO in whole 64-bit words."""

import ipaddress
import socket
import struct

import numpy as np

from pbx.media.engine.tables import Words
from pbx.media.protocol import Address

_IPV6_PKTINFO = 50
_IP_PKTINFO = 8
_MAPPED = bytes(10) + b"\xff\xff"


class AddressError(ValueError):
    """An address that nothing can be sent to or from."""


IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


def parse_host(host: str) -> IpAddress:
    """Read a numeric address; a v4-mapped one becomes the IPv4 address that it is.

    Raises:
        AddressError: it isn't numeric.
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError as error:
        raise AddressError(f"{host!r:.60} is no IP address") from error
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _scope(address: IpAddress) -> int:
    zone = address.scope_id if isinstance(address, ipaddress.IPv6Address) else None
    if not zone:
        return 0
    try:
        return int(zone) if zone.isdecimal() else socket.if_nametoindex(zone)
    except OSError as error:
        raise AddressError(f"there is no interface {zone!r:.20}") from error


def _mapped(address: IpAddress) -> bytes:
    return address.packed if address.version == 6 else _MAPPED + address.packed


def address_words(host: IpAddress, port: int, *, dual_stack: bool) -> Words:
    """Return a socket address in four words.

    Args:
        host: the peer's.
        port: its port, 1 to 65535.
        dual_stack: for an AF_INET6 socket.

    Raises:
        AddressError: no packet can go there.
    """
    if not 1 <= port <= 65535:
        raise AddressError(f"{port} is no port")
    if host.is_unspecified:
        raise AddressError(f"{host} is nobody's address")
    if dual_stack:
        family = struct.pack("=H", socket.AF_INET6)
        octets = family + struct.pack("!HI16s", port, 0, _mapped(host))
        octets += struct.pack("=I", _scope(host) & 0xFFFFFFFF)
    else:
        if host.version == 6:
            raise AddressError("this machine has no IPv6")
        octets = struct.pack("=H", socket.AF_INET) + struct.pack("!H4s", port, host.packed)
    return np.frombuffer(octets.ljust(32, b"\0"), np.int64)


def address_of(words: Words, *, dual_stack: bool) -> Address:
    """Return the address that four words hold."""
    octets = words.tobytes()
    (port,) = struct.unpack_from("!H", octets, 2)
    if not dual_stack:
        return Address(socket.inet_ntop(socket.AF_INET, octets[4:8]), port)
    host = octets[8:24]
    if host.startswith(_MAPPED):
        return Address(socket.inet_ntop(socket.AF_INET, host[12:]), port)
    return Address(socket.inet_ntop(socket.AF_INET6, host), port)


def source_control(local: IpAddress, *, dual_stack: bool) -> tuple[Words, int]:
    """Return the control message that makes a packet leave from `local`, and its length.

    RFC 3542 §6.1; Linux takes a v4-mapped address on a dual-stack socket.

    Raises:
        AddressError: `local` names an interface that isn't there.
    """
    if dual_stack:
        data = struct.pack("=16sI", _mapped(local), _scope(local) & 0xFFFFFFFF)
        level, kind = socket.IPPROTO_IPV6, _IPV6_PKTINFO
    else:
        data = struct.pack("=I4s4s", 0, local.packed, bytes(4))
        level, kind = socket.IPPROTO_IP, _IP_PKTINFO
    octets = struct.pack("@nii", 16 + len(data), level, kind) + data
    space = (len(octets) + 7) & ~7
    return np.frombuffer(octets.ljust(48, b"\0"), np.int64), space
