"""What every service is: the exchange's own end of a call, driven by what the engine reports."""

from dataclasses import dataclass

from pbx.call.cause import Cause
from pbx.call.heard import ALIKE, Heard
from pbx.call.sound import Sound


@dataclass(frozen=True, slots=True)
class Mode:
    """How the party of a service sounds.

    Args:
        room, echo: as in `protocol.Voice`.
        keys: the service does something with keys. Only then is a phone that sends no telephone-events
            listened to for tones: speech may sound like one, and listening has its price.
        line: it does something when the party has gone without a word of signalling, or is silent.
    """

    room: int = 0
    echo: bool = False
    keys: bool = False
    line: bool = False


class Service:
    """One party's use of a service; this one is silent.

    Args:
        sound: the conversation's.
    """

    def __init__(self, sound: Sound) -> None:
        self.sound = sound
        self.due: float | None = None
        """When `timer_fired` is to be called; None for never."""
        self.over: Cause | None = None
        """Set where the service ends the call."""
        self.heard = ALIKE
        """How the others hear the party, where there are others; it may change at any time."""

    @property
    def mode(self) -> Mode:
        """How its party sounds; it doesn't change while the call lasts."""
        return Mode()

    def begin(self, now: float) -> None:
        """Play what is to be played: the party's voice is there, or there anew, and nothing runs."""

    def dialled(self, digit: str, now: float) -> None:
        """The party has pressed a key."""

    def hear(self, heard: Heard) -> None:
        """Let the others hear the party so."""
        self.heard = heard

    def played(self, player: int, failure: str, now: float) -> None:
        """A player has ended (`protocol.Played`).

        Who can't be heard by its only party has nothing to give, and ends the call.
        """

    def recorded(self, seconds: float, failure: str, now: float) -> None:
        """The recording has ended (`protocol.Recorded`)."""

    def line(self, tone: str, silent_s: float, now: float) -> None:
        """Busy or congestion tone, or silence, begins or ends on the party's line (`protocol.Line`)."""

    def timer_fired(self, now: float) -> None:
        """`due` is reached."""

    def end(self, now: float) -> None:
        """The call is over."""
