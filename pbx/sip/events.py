"""What the endpoint tells the transaction user (RFC 3261 §8, §17): its events."""

from dataclasses import dataclass

from pbx.sip.client_transaction import ClientTransaction
from pbx.sip.flow import Flow
from pbx.sip.message import Request, Response
from pbx.sip.server_transaction import ServerTransaction


@dataclass(frozen=True, slots=True)
class RequestReceived:
    """A new request: answer it with `Endpoint.respond`."""

    transaction: ServerTransaction | None
    """None only for an ACK that acknowledges a 2xx: it has no transaction (§13.3.1.4)."""
    request: Request
    flow: Flow
    """The path that it came on."""


@dataclass(frozen=True, slots=True)
class Cancelled:
    """A CANCEL came for an INVITE without a final response; the CANCEL has been answered (§9.2)."""

    transaction: ServerTransaction
    """The INVITE's transaction: answer it with 487."""
    reasons: list[str]
    """Values of the CANCEL's Reason header fields (RFC 3326)."""


@dataclass(frozen=True, slots=True)
class ResponseReceived:
    """A response to our request: each provisional, the final, and every 2xx to an INVITE.

    2xx include retransmissions and those of other forks (RFC 6026 §7.2): each wants an ACK.
    """

    transaction: ClientTransaction
    response: Response
    flow: Flow
    """The path that it came on."""


@dataclass(frozen=True, slots=True)
class TransactionTimedOut:
    """No final response came: Timer B or F, or 64*T1 after a CANCEL (§17.1.1.2, §17.1.2.2, §9.1)."""

    transaction: ClientTransaction


NO_TLS = "no TLS with it: "
"""How the reason for a path's failure begins where there is a peer, but no TLS with it: its certificate
isn't trusted, or is another one's."""


@dataclass(frozen=True, slots=True)
class TransportFailed:
    """The transaction's path failed and the transaction has ended (§17.1.4, §17.2.4)."""

    transaction: ClientTransaction | ServerTransaction
    why: str

    @property
    def no_tls(self) -> str:
        """Why there is no TLS with the peer; empty where something else has failed."""
        return self.why.removeprefix(NO_TLS) if self.why.startswith(NO_TLS) else ""


@dataclass(frozen=True, slots=True)
class AckTimedOut:
    """No ACK came for our 3xx-6xx: Timer H (§17.2.1)."""

    transaction: ServerTransaction


@dataclass(frozen=True, slots=True)
class AcceptedEnded:
    """64*T1 after our first 2xx the INVITE server transaction has ended: Timer L (RFC 6026 §7.1)."""

    transaction: ServerTransaction


Event = (
    RequestReceived
    | Cancelled
    | ResponseReceived
    | TransactionTimedOut
    | TransportFailed
    | AckTimedOut
    | AcceptedEnded
)
