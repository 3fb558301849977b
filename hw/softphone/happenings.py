"""What the user agent tells the rest of the phone: its events."""

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hw.softphone.call import Call


class Why(Enum):
    """Why something failed or ended; the value is part of a sentence's key."""

    PEER_HUNG_UP = "peer-hung-up"
    WE_HUNG_UP = "we-hung-up"
    CALLER_GAVE_UP = "caller-gave-up"
    REFUSED = "refused"
    """By a response, whose status says more."""
    WRONG_PASSWORD = "wrong-password"
    NO_RESPONSE = "no-response"
    UNREACHABLE = "unreachable"
    """The path itself failed."""
    NO_COMMON_SOUND = "no-common-sound"
    LOST = "lost"
    """The other side knows no such call any more, or has gone."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, and where a response or the kernel said it, in which words."""

    why: Why
    status: int = 0
    phrase: str = ""


@dataclass(frozen=True, slots=True)
class Registered:
    """The server knows where we are, for so many seconds."""

    expires_s: int


@dataclass(frozen=True, slots=True)
class Unregistered:
    """The server has forgotten us, as we have asked it to."""


@dataclass(frozen=True, slots=True)
class RegistrationFailed:
    """The server doesn't know where we are; `final`: there is no use in trying again."""

    reason: Reason
    final: bool


@dataclass(frozen=True, slots=True)
class Dialled:
    """We call somebody; told before anything can become of it."""

    call: "Call"


@dataclass(frozen=True, slots=True)
class Invited:
    """Somebody calls us: answer, or refuse."""

    call: "Call"


@dataclass(frozen=True, slots=True)
class Alerting:
    """The other phone rings; with early media there is something to hear."""

    call: "Call"


@dataclass(frozen=True, slots=True)
class Answered:
    """The two are connected."""

    call: "Call"


@dataclass(frozen=True, slots=True)
class MediaChanged:
    """What was agreed on about sound has changed: `call.agreed`."""

    call: "Call"


@dataclass(frozen=True, slots=True)
class Ended:
    """The call is over, or never came to be."""

    call: "Call"
    reason: Reason


Happening = (
    Registered
    | Unregistered
    | RegistrationFailed
    | Dialled
    | Invited
    | Alerting
    | Answered
    | MediaChanged
    | Ended
)
