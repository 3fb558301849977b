"""What a call is going through: a change of its session, or a transfer of one of its parties."""

from dataclasses import dataclass
from typing import Protocol

from pbx.call.cause import Cause
from pbx.call.leg import Leg

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
