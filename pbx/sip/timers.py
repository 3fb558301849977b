"""The timers of RFC 3261 §17 (table 4) with RFC 6026, and the queue that every machine waits in."""

from collections.abc import Hashable, Iterator
from enum import Enum
from heapq import heapify, heappop, heappush

T1 = 0.5
"""Round-trip time estimate, seconds (RFC 3261 §17.1.1.1)."""

T2 = 4.0
"""Longest interval between retransmissions of non-INVITE requests and INVITE responses, seconds."""

T4 = 5.0
"""Longest time that a message stays in the network, seconds."""

TRANSACTION_LIMIT_S = 64 * T1
"""How long a transaction goes on without the message it waits for."""


class Timer(Enum):
    """The timers of RFC 3261 table 4 and RFC 6026 §7, and the wait after a CANCEL (§9.1)."""

    A = "A"
    """INVITE request retransmission."""
    B = "B"
    """INVITE client transaction time-out."""
    D = "D"
    """Wait for response retransmissions."""
    E = "E"
    """Non-INVITE request retransmission."""
    F = "F"
    """Non-INVITE client transaction time-out."""
    G = "G"
    """INVITE response retransmission."""
    H = "H"
    """Wait for the ACK."""
    I = "I"  # noqa: E741 - the RFC's name
    """Wait for ACK retransmissions."""
    J = "J"
    """Wait for non-INVITE request retransmissions."""
    K = "K"
    """Wait for response retransmissions."""
    L = "L"
    """Wait for INVITE retransmissions after a 2xx (RFC 6026)."""
    M = "M"
    """Wait for 2xx retransmissions and other forks' 2xx (RFC 6026)."""
    CANCELLED = "cancelled"
    """Wait for the INVITE's final response after a CANCEL (§9.1)."""

    # Enum's own hash is a Python function; members are singletons, so identity serves.
    __hash__ = object.__hash__


RETRANSMISSION_LIMIT_S: dict[Timer, float] = {
    Timer.A: float("inf"),
    Timer.E: T2,
    Timer.G: T2,
}
"""Timers that double each time they are set, beginning with T1, and where they stop doubling."""

_DURATION_S: dict[Timer, tuple[float, float]] = {
    # timer: over an unreliable transport, over a reliable one
    Timer.B: (TRANSACTION_LIMIT_S, TRANSACTION_LIMIT_S),
    Timer.D: (32.0, 0.0),
    Timer.F: (TRANSACTION_LIMIT_S, TRANSACTION_LIMIT_S),
    Timer.H: (TRANSACTION_LIMIT_S, TRANSACTION_LIMIT_S),
    Timer.I: (T4, 0.0),
    Timer.J: (TRANSACTION_LIMIT_S, 0.0),
    Timer.K: (T4, 0.0),
    Timer.L: (TRANSACTION_LIMIT_S, TRANSACTION_LIMIT_S),
    Timer.M: (TRANSACTION_LIMIT_S, TRANSACTION_LIMIT_S),
    Timer.CANCELLED: (TRANSACTION_LIMIT_S, TRANSACTION_LIMIT_S),
}


def timer_duration(timer: Timer, *, reliable: bool, last_s: float = 0.0) -> float | None:
    """Say for how long a timer is to be set (RFC 3261 table 4, RFC 6026 §7).

    Args:
        timer: which one.
        reliable: whether the transport retransmits by itself.
        last_s: the interval before this one, seconds, of a retransmission timer; 0 for the first.

    Returns:
        Seconds; 0 fires at once; None where the timer isn't used: nothing is retransmitted over a
        reliable transport.
    """
    limit_s = RETRANSMISSION_LIMIT_S.get(timer)
    if limit_s is None:
        return _DURATION_S[timer][reliable]
    if reliable:
        return None
    return min(2 * last_s, limit_s) if last_s else T1


class TimerQueue:
    """Deadlines by key: a heap with lazy deletion, so that setting and cancelling are cheap.

    A key has one deadline; setting it again moves it. A key is anything hashable, usually a pair
    of the object that waits and the timer's name.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Hashable]] = []
        self._armed: dict[Hashable, int] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self._armed)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._armed

    def set(self, key: Hashable, when: float) -> None:
        """Set, or move, the timer `key` to fire at `when` (seconds, the clock of `pop_due`)."""
        self._count += 1
        self._armed[key] = self._count
        heappush(self._heap, (when, self._count, key))
        # What is cancelled stays in the heap until its time; a flood of short transactions must
        # not fill the memory with that.
        if len(self._heap) > 2 * len(self._armed) + 64:
            armed = self._armed
            self._heap = [entry for entry in self._heap if armed.get(entry[2]) == entry[1]]
            heapify(self._heap)

    def cancel(self, key: Hashable) -> None:
        """Stop the timer `key`; nothing happens if it isn't set."""
        self._armed.pop(key, None)

    def next_timer(self) -> float | None:
        """Return when the earliest timer fires, or None."""
        heap, armed = self._heap, self._armed
        while heap:
            when, number, key = heap[0]
            if armed.get(key) == number:
                return when
            heappop(heap)
        return None

    def pop_due(self, now: float) -> Iterator[Hashable]:
        """Yield the keys whose time has come, earliest first, each no longer set when yielded.

        What a key's owner sets or cancels between two yields counts.
        """
        while True:
            when = self.next_timer()
            if when is None or when > now:
                return
            key = heappop(self._heap)[2]
            del self._armed[key]
            yield key
