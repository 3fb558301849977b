"""Name servers as settings name them."""

import ipaddress
import re

DNS_PORT = 53
"""Where a name server listens, if the setting doesn't say otherwise."""

# 192.0.2.53, 2001:db8::53, 192.0.2.53:5353, [2001:db8::53]:5353
_WITH_PORT = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):([0-9]{1,5})")


def parse_name_server(text: str) -> tuple[str, int]:
    """Return address and port of a name server.

    Raises:
        ValueError: it is no IP address, or no port.
    """
    match = _WITH_PORT.fullmatch(text)
    host = (match[1] or match[2]) if match else text
    port = int(match[3]) if match else DNS_PORT
    address = ipaddress.ip_address(host)
    if address.is_unspecified or address.is_multicast or not 0 < port < 65536:
        raise ValueError(text)
    return str(address), port
