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


@lru_cache(maxsize=1024)
def _numeric(host: str) -> Ip | None:
    # The same few addresses are asked for with each message.
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
