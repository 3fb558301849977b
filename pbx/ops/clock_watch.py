"""Whether somebody has set the machine's clock while we ran: a date that is wrong removes what is old by it."""

import time
from collections.abc import Callable

DAY_S = 86_400.0

SETTLED_S = 7 * DAY_S
"""How long a clock that was set isn't trusted: somebody has to see that it is wrong, and put it right."""


STARTING_S = 3600.0
"""How long after the machine's start its clock may still be put right by as long as the machine was off: one
without a battery goes on from where it stood."""

LONGEST_OFF_S = 14 * DAY_S
"""The longest that a machine is thought to have been off: no clock that is wrong by more, as one of a year
to come is, is believed."""


def since_boot() -> float:
    """Return the seconds since the machine's start, its sleep too, which nobody sets."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class ClockWatch:
    """Notices where the clock is set by more than a day.

    A machine without a battery for its clock that was off over the weekend has it set forth by that, once,
    when it reaches a time server after its start: that is no date to be wary of, or nothing would ever
    be old on such a machine.

    Args:
        wall: the clock, seconds since 1970.
        steady: seconds since the machine's start, by a clock that nobody sets.
    """

    def __init__(
        self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = since_boot
    ) -> None:
        self._wall = wall
        self._steady = steady
        self._offset_s = wall() - steady()
        self._moved_s = self._moved_at = 0.0
        self._first = True

    def look(self) -> None:
        """See whether it has been set since the last look; to be called every few seconds."""
        now = self._steady()
        offset_s = self._wall() - now
        moved_s, self._offset_s = offset_s - self._offset_s, offset_s
        if abs(moved_s) <= DAY_S:
            return
        first, self._first = self._first, False
        if first and now < STARTING_S and 0 < moved_s <= LONGEST_OFF_S:
            return
        self._moved_s, self._moved_at = moved_s, now

    @property
    def moved_days(self) -> int:
        """By how many days it was set in the last `SETTLED_S`, at the last time; 0: it wasn't."""
        lately = self._moved_s and self._steady() - self._moved_at < SETTLED_S
        return round(abs(self._moved_s) / DAY_S) if lately else 0
