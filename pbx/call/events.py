"""What legs tell the call: neutral words, so that one leg knows nothing of another's protocol."""

from dataclasses import dataclass

from pbx.call.cause import Cause


@dataclass(frozen=True, slots=True)
class Ringing:
    """The party is being alerted."""

    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class Progress:
    """The party sends media before it answers."""

    sdp: bytes
    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class Answered:
    """The party took the call; `sdp` is its answer, or its offer where it got none."""

    sdp: bytes


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The party heard that it was answered; `sdp` is its answer to a late offer, else empty."""

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
class Dialled:
    """The party says, beside the sound, that it pressed a key: one of ``0123456789*#ABCD``, or ``!`` for a flash."""

    digit: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The party is gone."""

    cause: Cause


LegEvent = (
    Ringing
    | Progress
    | Answered
    | Confirmed
    | MediaOffered
    | MediaWithdrawn
    | MediaAnswered
    | MediaRefused
    | Dialled
    | Ended
)
