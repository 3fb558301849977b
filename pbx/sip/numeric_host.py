"""Which IP address a host is, where it is one and no name."""

import ipaddress
from functools import lru_cache

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address

_LONGEST = 64
"""Characters of an address, its zone included. Whatever is longer is a name, and isn't remembered:
a peer's names may have as many characters as a message."""


def numeric(host: str) -> Ip | None:
    """Return the address that a host, without brackets, stands for; None for a name."""
    return _numeric(host) if len(host) <= _LONGEST else None


def same_host(one: str, other: str) -> bool:
    """Whether two hosts, without brackets, are the same address, however written, or one name.

    An IPv4 address is the same where it is written as an IPv6 one (RFC 4291 §2.5.5.2).
    """
    addresses = _plain(one), _plain(other)
    if addresses == (None, None):
        return one.lower().rstrip(".") == other.lower().rstrip(".")
    return addresses[0] == addresses[1]


def _plain(host: str) -> Ip | None:
    address = numeric(host)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


@lru_cache(maxsize=1024)
def _numeric(host: str) -> Ip | None:
    # The same few addresses are asked for with each message.
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
