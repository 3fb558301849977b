"""What legs tell the call: neutral words, so that one leg knows nothing of another's protocol."""

from dataclasses import dataclass

from pbx.call.cause import Cause
from pbx.sip.crossing import Headers
from pbx.sip.headers import NameAddr
from pbx.sip.referral import Referral
from pbx.sip.texts import Text


@dataclass(frozen=True, slots=True)
class Ringing:
    """The party is being alerted; with another status than 180 it waits, or is looked for."""

    status: int
    reason: str
    headers: Headers = ()
    """What the other party is told as it came."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The party sends media before it answers; `sdp` is its answer, or its offer where it got none."""

    sdp: bytes
    status: int
    reason: str
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Answered:
    """The party took the call; `sdp` is its answer, or its offer where it got none."""

    sdp: bytes
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The party heard that it was answered; `sdp` is its answer to a late offer, else empty."""

    sdp: bytes


@dataclass(frozen=True, slots=True)
class EarlyConfirmed:
    """The party has answered, before it was answered itself, the offer that a phone's progress was."""

    sdp: bytes


@dataclass(frozen=True, slots=True)
class MediaOffered:
    """The party wants to change the session (hold, resume, another codec); empty: asks us."""

    sdp: bytes


@dataclass(frozen=True, slots=True)
class MediaWithdrawn:
    """The party doesn't want the change any more that it offered."""


@dataclass(frozen=True, slots=True)
class MediaAnswered:
    """The party agreed to a changed session."""

    sdp: bytes


@dataclass(frozen=True, slots=True)
class MediaRefused:
    """The party keeps the session as it was; `status` is what to tell whoever asked."""

    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class MediaRenewed:
    """The party has described itself anew, when nothing was asked of it but a sign of life."""

    sdp: bytes


@dataclass(frozen=True, slots=True)
class Dialled:
    """The party says, beside the sound, that it pressed a key.

    Args:
        digit: one of ``0123456789*#ABCD``, or ``!`` for a flash.
        duration_ms: how long it was held down.
    """

    digit: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Moved:
    """The phone is gone, and names others to ring instead of it.

    Args:
        contacts: those first that it likes best.
        diversions: what it says of why (RFC 5806), the latest first.
        status, reason: what it answered.
        cause: why the call ends if none of them can be rung.
    """

    contacts: tuple[NameAddr, ...]
    diversions: tuple[str, ...]
    status: int
    reason: str
    cause: Cause


@dataclass(frozen=True, slots=True)
class TransferAsked:
    """The party wants the other one to talk with somebody else: answer the referral."""

    referral: Referral


@dataclass(frozen=True, slots=True)
class Texted:
    """The party has a text for the other one: answer it."""

    text: Text


@dataclass(frozen=True, slots=True)
class Ended:
    """The party is gone."""

    cause: Cause


LegEvent = (
    Ringing
    | Progress
    | Answered
    | Confirmed
    | EarlyConfirmed
    | MediaOffered
    | MediaWithdrawn
    | MediaAnswered
    | MediaRefused
    | MediaRenewed
    | Dialled
    | Moved
    | TransferAsked
    | Texted
    | Ended
)
