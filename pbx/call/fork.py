"""Parallel ringing: all phones of a user at once, first answer wins (RFC 3261 §16.7)."""

from pbx.call.cause import Cause
from pbx.call.leg import Leg


class Fork:
    """The phones that one call rings.

    Args:
        branches: the outgoing legs.
    """

    def __init__(self, branches: list[Leg]) -> None:
        self.branches = branches
        self._failures: list[Cause] = []

    @property
    def ringing(self) -> list[Leg]:
        """The legs that have not ended."""
        return [leg for leg in self.branches if not leg.ended]

    def failed(self, cause: Cause) -> None:
        """Note that a branch ended without an answer."""
        self._failures.append(cause)

    @property
    def settled(self) -> bool:
        """True when no other branch can change the outcome: a 6xx, or all have ended."""
        return not self.ringing or any(cause.heard >= 600 for cause in self._failures)

    def best_failure(self) -> Cause:
        """Return what the caller is told when nobody answers (§16.7 step 6).

        A 6xx counts for the user as a whole; else a phone's own word counts more than silence,
        and among those «busy» and «declined» more than the rest.
        """
        return min(self._failures, key=_rank)


def _rank(cause: Cause) -> tuple[int, int]:
    if cause.heard >= 600:
        return 0, cause.heard
    if cause.heard == 486:
        return 1, cause.heard
    if cause.heard in (404, 408, 410, 480):
        return 3, cause.heard
    return (2, cause.heard) if cause.heard else (4, 0)
