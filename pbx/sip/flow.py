"""Where a message came from and goes to: one UDP socket and peer, or one connection."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Address:
    """A numeric IP address (IPv6 without brackets) and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Flow:
    """A path to one peer (RFC 5626 §3): what answers and in-dialog requests travel on.

    Args:
        transport: ``udp``, ``tcp`` or ``tls``.
        local: our own address and listening port on this path (never a wildcard): what Via and
            Contact say.
        remote: the peer's address.
        connection: number of the connection; 0 for UDP. A flow with a connection that has ended
            can't be used any more. For a request to a TCP peer that we are not connected to, 0
            asks the transport for a connection; none is made for TLS.
    """

    transport: str
    local: Address
    remote: Address
    connection: int = 0

    @property
    def reliable(self) -> bool:
        """True where the transport itself retransmits (RFC 3261 §17)."""
        return self.transport != "udp"

    def __str__(self) -> str:
        return f"{self.transport} {self.remote}"
