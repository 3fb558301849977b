"""Where a message came from and goes to: one UDP socket and peer, or one connection."""

from dataclasses import dataclass, field

from pbx.sip.uri import SipUri

DEFAULT_PORT = 5060
"""Where requests and responses go if nothing names a port (RFC 3261 §18.2.2, §19.1.2)."""

DEFAULT_TLS_PORT = 5061
"""The same with TLS."""


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
        transport: ``udp``, ``tcp``, ``tls``, ``ws`` or ``wss``.
        local: our own address and listening port on this path (never a wildcard): what Via and
            Contact say.
        remote: the peer's address.
        connection: number of the connection; 0 for UDP. A flow with a connection that has ended
            can't be used any more. For a request to a TCP or TLS peer that we are not connected
            to, 0 asks the transport for a connection; none is made for WebSocket.
        name: the domain that a TLS peer which we connect to has to prove (RFC 5922 §4); empty for
            its address.
        named: the URI that a request on this path is for, where its host is a name: DNS decides
            (RFC 3263), and this path counts only where nobody knows the name.
        only_way: the peer is behind a NAT and can't be reached by any other transport or address.
    """

    transport: str
    local: Address
    remote: Address
    connection: int = 0
    name: str = ""
    only_way: bool = field(default=False, compare=False)
    named: SipUri | None = field(default=None, compare=False)

    @property
    def reliable(self) -> bool:
        """True where the transport itself retransmits (RFC 3261 §17)."""
        return self.transport != "udp"

    @property
    def is_stream(self) -> bool:
        """True where Content-Length alone tells where a message ends (RFC 3261 §18.3).

        A WebSocket's frame ends with its message, as a datagram does (RFC 7118 §4.2).
        """
        return self.transport in ("tcp", "tls")

    @property
    def is_secure(self) -> bool:
        """True with TLS, as sips asks for (RFC 5630 §4)."""
        return self.transport in ("tls", "wss")

    def same_source(self, other: "Flow") -> bool:
        """Whether what comes by this path has the sender that what came by `other` had."""
        if self.connection or other.connection:
            return self.connection == other.connection
        return (self.transport, self.remote) == (other.transport, other.remote)

    def __str__(self) -> str:
        return f"{self.transport} {self.remote}"
