"""What counts as one sender, where senders are counted."""

import ipaddress

from pbx.sip.numeric_host import numeric

NETWORK_BITS = 64
"""Of an IPv6 address that tell senders apart."""


def source_of(host: str) -> str:
    """Return the name by which a peer's address is counted: an IPv4 address, or an IPv6 network.

    Who has IPv6 has a /64 at the least (RFC 6177 §2), and with it more addresses than can be counted.

    Args:
        host: numeric, without brackets.
    """
    address = numeric(host)
    if not isinstance(address, ipaddress.IPv6Address):
        return host
    return str(ipaddress.IPv6Address(int(address) >> NETWORK_BITS << NETWORK_BITS))
