"""How punctual the media engine has been lately: a tick of 20 ms that comes too late may be heard as a gap."""

from collections import deque

RECENT_S = 300.0
"""How far back it looks."""

LEAST_TICKS = 3000
"""Those of one minute with one thread: of fewer, a single late one would be many."""

_APART_S = 5.0
"""Between two moments that are kept."""


class TickWatch:
    """Keeps what the engine has told of its ticks, for as long as that is recent."""

    def __init__(self) -> None:
        self._told: deque[tuple[float, int, int]] = deque()
        self._latest = 0, 0

    @property
    def total(self) -> tuple[int, int]:
        """The ticks of the engine that runs, and how many of them were late."""
        return self._latest

    def note(self, now: float, ticks: int, late: int) -> None:
        """Take in what the engine says.

        Args:
            now: seconds, of a clock that goes on evenly.
            ticks, late: its ticks since it began, and the late ones of them.
        """
        self._latest = ticks, late
        if not self._told or now - self._told[-1][0] >= _APART_S:
            self._told.append((now, ticks, late))

    def forget(self) -> None:
        """The engine is gone; the next one counts from 0."""
        self._told.clear()
        self._latest = 0, 0

    def late_percent(self, now: float) -> float:
        """Return how many of a hundred ticks were late in the last `RECENT_S`; 0 where there were few.

        Args:
            now: as with `note`.
        """
        # The newest of those that are too old is where what is recent begins
        while len(self._told) > 1 and now - self._told[1][0] >= RECENT_S:
            self._told.popleft()
        if not self._told:
            return 0.0
        _, ticks, late = self._told[0]
        passed = self._latest[0] - ticks
        return 100.0 * (self._latest[1] - late) / passed if passed >= LEAST_TICKS else 0.0
