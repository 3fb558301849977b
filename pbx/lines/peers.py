"""Whose requests are taken for a line's: addresses, networks and names (`Line.peers`)."""

import ipaddress
from dataclasses import replace

from pbx.lines.server import ANY, base_path, hop_of
from pbx.sip.endpoint import Endpoint
from pbx.sip.numeric_host import Ip, numeric
from pbx.sip.uri import SipUri

REFRESH_S = 60.0
"""How often the names are looked up; DNS itself is asked as its answers run out."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Peers:
    """The peers of one line, beside its server.

    Args:
        texts: as the line has them.
        endpoint: knows what DNS has said.
    """

    def __init__(self, texts: tuple[str, ...], endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._networks: list[Network] = []
        self._names: list[SipUri] = []
        self._found: dict[tuple[SipUri, str], set[Ip]] = {}
        for text in texts:
            try:
                self._networks.append(ipaddress.ip_network(text.strip("[]"), strict=False))
            except ValueError:
                if (hop := hop_of(text, "")) is not None:
                    self._names.append(hop)

    @property
    def named(self) -> bool:
        """Whether there is anything to look up."""
        return bool(self._names)

    def locate(self, now: float) -> None:
        """Look the names up; what DNS no longer knows stays as it was."""
        for name in self._names:
            for local in ANY:
                paths = self._endpoint.paths(replace(base_path(local), named=name), now)
                found = {numeric(path.remote.host) for path in paths or ()}
                if known := {one for one in found if one is not None}:
                    self._found[name, local] = known

    def have(self, host: str, *, alone: bool = False) -> bool:
        """Whether an address is one of theirs.

        Args:
            host: the address.
            alone: by itself, or by a name: not as one of a whole network.
        """
        address = numeric(host)
        if address is None:
            return False
        networks = (one for one in self._networks if not alone or one.num_addresses == 1)
        return any(address in network for network in networks) or any(
            address in found for found in self._found.values()
        )
