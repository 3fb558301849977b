"""What an INVITE usage tells its owner (RFC 3261 §13, §14, §15): its events."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progressed:
    """The callee sent a provisional response above 100; `fork` is its To tag."""

    status: int
    body: bytes
    fork: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """The callee answered our INVITE; `acknowledge` is due. `fork` is its To tag."""

    body: bytes
    fork: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """Our INVITE failed; `local` is true where no response said so (time-out, transport)."""

    status: int
    reason: str
    reasons: list[str]
    """Values of the response's Reason header fields (RFC 3326)."""
    local: bool = False


@dataclass(frozen=True, slots=True)
class CallerCancelled:
    """The caller gave up before an answer; 487 has been sent."""

    reasons: list[str]


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The ACK to our 2xx came; its body is the answer where the 2xx carried the offer."""

    body: bytes


@dataclass(frozen=True, slots=True)
class Reoffered:
    """A re-INVITE came; answer with `accept_reoffer` or `refuse_reoffer`."""

    body: bytes


@dataclass(frozen=True, slots=True)
class ReofferWithdrawn:
    """The peer's re-INVITE wants no answer any more: it was cancelled, or its path has failed."""


@dataclass(frozen=True, slots=True)
class ReofferAccepted:
    """Our re-INVITE was accepted; `acknowledge` is due."""

    body: bytes


@dataclass(frozen=True, slots=True)
class ReofferRefused:
    """Our re-INVITE was refused; the session stays as it was."""

    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class DigitReceived:
    """The peer pressed a key, and said so in an INFO, which has been answered."""

    digit: str


@dataclass(frozen=True, slots=True)
class HungUp:
    """The peer sent BYE, answered 200 already."""

    reasons: list[str]


@dataclass(frozen=True, slots=True)
class Lost:
    """The dialog is dead without a BYE from the peer; ours, where one is due, has been sent."""

    why: str
    timed_out: bool
    gone: bool = False
    """The peer says that it knows no such dialog (481): it has ended it, and we never heard."""


UsageEvent = (
    Progressed
    | Accepted
    | Rejected
    | CallerCancelled
    | Confirmed
    | Reoffered
    | ReofferWithdrawn
    | ReofferAccepted
    | ReofferRefused
    | DigitReceived
    | HungUp
    | Lost
)
