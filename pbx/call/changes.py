"""What a call is going through: a change of its session, or a transfer of one of its parties."""

from dataclasses import dataclass
from typing import Protocol

from pbx.call.cause import Cause
from pbx.call.leg import Leg
from pbx.sip.timers import TimerQueue

MOST_TRIES = 10
"""How often a change of our own is tried that the party refuses for now."""


class Asker(Protocol):
    """Who has asked for a call, and is told what becomes of it, as by a transfer's NOTIFYs."""

    def tell(self, status: int, reason: str, now: float) -> None:
        """Hear a response to the call; after a final one nothing counts."""


class Successor(Protocol):
    """A call that a party of this one is being transferred to."""

    caller: Leg
    adopted: bool

    def adopt(self, now: float) -> None:
        """Take the party over."""

    def end(self, cause: Cause, now: float) -> None:
        """Give the transfer up."""


@dataclass(slots=True)
class Reoffer:
    """A session change under way: `asker` offered, `other` is to answer.

    Without an asker it is our own: `other` is told the session that the other party has.
    """

    asker: Leg | None
    other: Leg
    late: bool
    plain: bool = False


class Retries:
    """Changes of our own that met another one: each is tried again when the peers have had time for theirs.

    Args:
        owner: whose timers they are.
        timers: the exchange's timers.
    """

    def __init__(self, owner: object, timers: TimerQueue) -> None:
        self._owner = owner
        self._timers = timers
        self._waiting: dict[str, Reoffer] = {}
        self.tried = 0
        """How often, since the parties agreed the last time."""

    def wait(self, change: Reoffer, now: float) -> None:
        """Have a change tried again, unless that has been in vain too often."""
        self.tried += 1
        if self.tried <= MOST_TRIES:
            name = f"align {change.other.name}"
            self._waiting[name] = change
            self._timers.set((self._owner, name), now + change.other.usage.glare_wait_s)

    def take(self, name: str) -> Reoffer | None:
        """Return the change whose timer has fired; None where that is another timer."""
        return self._waiting.pop(name, None)

    def forget(self) -> None:
        """Try none again."""
        for name in self._waiting:
            self._timers.cancel((self._owner, name))
        self._waiting.clear()
