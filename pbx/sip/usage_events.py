"""What an INVITE usage tells its owner (RFC 3261 §13, §14, §15): its events."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pbx.sip.crossing import Headers
from pbx.sip.headers import NameAddr

if TYPE_CHECKING:
    from pbx.sip.referral import Referral
    from pbx.sip.texts import Text


@dataclass(frozen=True, slots=True)
class Progressed:
    """The callee sent a provisional response above 100; `fork` is its To tag."""

    status: int
    body: bytes
    fork: str
    reason: str = ""
    headers: Headers = ()
    """What the other party gets as it came."""
    hidden: bool = False
    """The other party isn't to know who this one is (RFC 3323)."""
    offered: bool = False
    """`body` is an offer, whose answer is to be given by `answer_early` (RFC 3262 §5)."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The callee answered our INVITE; `acknowledge` is due. `fork` is its To tag."""

    body: bytes
    fork: str
    headers: Headers = ()
    """As in `Progressed`, like the next one."""
    hidden: bool = False
    settled: bool = False
    """The session was agreed on before, and what this response says of it counts no more."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """Our INVITE failed; `local` is true where no response said so (time-out, transport)."""

    status: int
    reason: str
    reasons: list[str]
    """Values of the response's Reason header fields (RFC 3326)."""
    local: bool = False
    headers: Headers = ()
    """As in `Progressed`."""
    contacts: tuple[NameAddr, ...] = ()
    """Of a 3xx: whom to try instead, those first that it likes best (§8.1.3.4)."""
    diversions: tuple[str, ...] = ()
    """Of a 3xx: its Diversion values (RFC 5806)."""


@dataclass(frozen=True, slots=True)
class CallerCancelled:
    """The caller gave up before an answer; 487 has been sent."""

    reasons: list[str]


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The ACK to our 2xx came; its body is the answer where the 2xx carried the offer."""

    body: bytes


@dataclass(frozen=True, slots=True)
class EarlyAnswered:
    """The PRACK to the offer in our reliable provisional response came, with the answer."""

    body: bytes


@dataclass(frozen=True, slots=True)
class Reoffered:
    """A re-INVITE came, or another request with an offer; answer with `accept_reoffer` or `refuse_reoffer`."""

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
class Renewed:
    """The peer has answered our refresh with another description than its last one."""

    body: bytes


@dataclass(frozen=True, slots=True)
class PrackRefused:
    """The callee asked for a PRACK and then refused it (405, 501): it doesn't mean it."""


@dataclass(frozen=True, slots=True)
class DigitReceived:
    """The peer pressed a key, and said so in an INFO, which has been answered.

    Args:
        digit: one of `digit_info.DIGITS`.
        duration_ms: how long it was held down.
    """

    digit: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Referred:
    """The peer sent a REFER; answer with its `accept` or `refuse`."""

    referral: "Referral"


@dataclass(frozen=True, slots=True)
class TextReceived:
    """The peer has a text for the other party, whose answer it waits for."""

    text: "Text"


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
    expired: bool = False
    """Nothing has refreshed the session in time (RFC 4028 §10)."""


UsageEvent = (
    Progressed
    | Accepted
    | Rejected
    | CallerCancelled
    | Confirmed
    | EarlyAnswered
    | Reoffered
    | ReofferWithdrawn
    | ReofferAccepted
    | ReofferRefused
    | Renewed
    | PrackRefused
    | DigitReceived
    | Referred
    | TextReceived
    | HungUp
    | Lost
)
