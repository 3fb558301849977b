"""Wrong answers counted, so that guessing gets nowhere and fills no log."""

from collections import OrderedDict
from collections.abc import Hashable

REMEMBERED = 1024
"""Who is counted at once; the oldest is forgotten for a new one."""


class Misses:
    """Counts wrong answers by who gave them.

    Args:
        most: after so many within the window nobody listens any more, until it is over.
        window_s: its length in seconds, from the first wrong answer on.
    """

    def __init__(self, most: int, window_s: float) -> None:
        self._most = most
        self._window_s = window_s
        self._counts: OrderedDict[Hashable, tuple[float, int]] = OrderedDict()

    def add(self, who: Hashable, now: float) -> int:
        """Count one wrong answer; return how many it has been within the window."""
        since, count = self._counts.pop(who, (now, 0))
        if now - since >= self._window_s:
            since, count = now, 0
        self._counts[who] = (since, count + 1)
        if len(self._counts) > REMEMBERED:
            self._counts.popitem(last=False)
        return count + 1

    def wait_s(self, who: Hashable, now: float) -> float:
        """Return for how many seconds more nobody listens to `who`; 0 where they are heard."""
        since, count = self._counts.get(who, (now, 0))
        return max(since + self._window_s - now, 0.0) if count >= self._most else 0.0

    def too_many(self, now: float) -> list[Hashable]:
        """Return all who aren't listened to at `now`."""
        return [who for who in self._counts if self.wait_s(who, now)]
