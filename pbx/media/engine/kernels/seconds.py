"""The worst second of a stream: the one of which the largest share has been lost.

It is reckoned from what packets have counted anyhow, once a second for each stream, so that it costs
none of them anything.
"""

from typing import Any

from pbx.media.engine import statistics_row as s
from pbx.media.engine import stream_row as row
from pbx.media.engine.kernels.rtp import lost
from pbx.media.engine.native import kernel

TURNS = 10
"""Looks after streams that are silent, ten a second, of which one ends the stream's second."""

_SHORTEST_NS = 900_000_000
"""Of a stream that has just begun, or come from another thread, the next look is the first one."""

LAST_NS = 500_000_000
"""How much of a second there must be at the end for it to be compared with whole ones."""


@kernel
def is_worse(missing: Any, expected: Any, worst_missing: Any, worst_expected: Any) -> Any:
    """Return whether a larger share is missing of one second than of the worst one before."""
    return expected > 0 and missing * max(worst_expected, 1) > worst_missing * expected


@kernel
def begin(statistics: Any, now: Any) -> None:
    """Make a stream's row of statistics ready, in the moment `now`, CLOCK_MONOTONIC in nanoseconds."""
    for word in range(s.WIDTH):
        statistics[word] = 0
    statistics[s.SECOND_NS] = now
    statistics[s.PEER_LOSS] = -1
    statistics[s.ROUND_TRIP_NS] = -1


@kernel
def _end(stream: Any, statistics: Any, now: Any) -> None:
    # Late ones that come in the second after theirs were lost in that
    missing = max(lost(stream) - statistics[s.SECOND_LOST], 0)
    expected = stream[row.RECEIVED] - statistics[s.SECOND_RECEIVED] + missing
    if is_worse(missing, expected, statistics[s.WORST_LOST], statistics[s.WORST_EXPECTED]):
        statistics[s.WORST_LOST] = missing
        statistics[s.WORST_EXPECTED] = expected
    statistics[s.SECOND_NS] = now
    statistics[s.SECOND_RECEIVED] = stream[row.RECEIVED]
    statistics[s.SECOND_LOST] = lost(stream)


@kernel
def end_second(stream: Any, statistics: Any, now: Any) -> None:
    """Compare the second that has passed, if one has, with the worst one so far.

    Args:
        stream: its row.
        statistics: its row of statistics.
        now: CLOCK_MONOTONIC in nanoseconds.
    """
    if now - statistics[s.SECOND_NS] >= _SHORTEST_NS:
        _end(stream, statistics, now)


@kernel
def end_last_second(stream: Any, statistics: Any, now: Any) -> None:
    """Compare the second that a stream ends in, if there is enough of it; see `end_second`."""
    if now - statistics[s.SECOND_NS] >= LAST_NS:
        _end(stream, statistics, now)
