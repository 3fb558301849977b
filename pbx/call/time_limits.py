"""How long one call may ring, and how long it may last."""

from pbx.call.facts import CallFacts
from pbx.sip.timers import TimerQueue

NO_ANSWER = "no-answer"
MAX_DURATION = "max-duration"

_LEAST_LEFT_S = 1.0
"""0 would be no limit at all."""


def shortest(*limits_s: float) -> float:
    """Return the shortest of time limits; 0 is none, and the answer where all are."""
    return min((one for one in limits_s if one), default=0.0)


def left_s(facts: CallFacts, now: float) -> float:
    """Return what is left of the time that the dial plan gives a call; 0 for no limit.

    Args:
        facts: the call's; an emergency call has no limits.
        now: the time.
    """
    return left_of(facts.max_duration_s, facts, now)


def left_of(limit_s: float, facts: CallFacts, now: float) -> float:
    """Return what is left of a limit of a call's; arguments besides as for `left_s`."""
    if not limit_s or facts.emergency:
        return 0.0
    talked_s = 0.0 if facts.talk is None else now - facts.talk
    return at_least(limit_s - talked_s)


def at_least(left_s: float) -> float:
    """Return a time that is left, as a limit: when it is up, it is no limit that there is none."""
    return max(left_s, _LEAST_LEFT_S)


class TimeLimits:
    """Sets the call's timers: its `timer_fired` gets `NO_ANSWER`, or `MAX_DURATION` at the end.

    Args:
        call: whose limits they are.
        facts: the call's: it may have a limit of the dial plan's, an emergency call has none.
        timers: the exchange's timers.
        no_answer_s: how long it may ring; 0 for ever.
        max_duration_s: how long any call may last; 0 for ever.
    """

    def __init__(
        self,
        call: object,
        facts: CallFacts,
        timers: TimerQueue,
        *,
        no_answer_s: float,
        max_duration_s: float,
    ) -> None:
        self._call = call
        self._facts = facts
        self._timers = timers
        self._no_answer_s = no_answer_s
        self._max_duration_s = max_duration_s

    def shorten(self, max_duration_s: float) -> None:
        """Let it last no longer than that; 0 changes nothing."""
        self._max_duration_s = shortest(self._max_duration_s, max_duration_s)

    def ringing(self, now: float, own_s: float = 0.0) -> None:
        """It rings from now on, or elsewhere.

        Args:
            now: the time.
            own_s: the limit of who is called; 0 for the usual one.
        """
        limit_s = own_s or self._no_answer_s
        if self._facts.emergency:
            self.answered()
        elif limit_s:
            self._timers.set((self._call, NO_ANSWER), now + limit_s)

    def answered(self) -> None:
        """It has been answered."""
        self._timers.cancel((self._call, NO_ANSWER))

    def talking(self, now: float, since: float | None = None) -> None:
        """Its parties talk, and have done so `since`."""
        limit_s = shortest(self._max_duration_s, self._facts.max_duration_s)
        if limit_s and not self._facts.emergency:
            began = now if since is None else since
            self._timers.set((self._call, MAX_DURATION), max(began + limit_s, now))

    def stop(self) -> None:
        """It has ended."""
        self.answered()
        self._timers.cancel((self._call, MAX_DURATION))
