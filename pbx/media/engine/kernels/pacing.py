"""How much is decoded of one stream for nobody to hear: for its recording, or for keys in it.

What is heard has the pace of the ticks. This has none by itself, and who floods would take the time of
all others.
"""

from typing import Any

import numpy as np

from pbx.media.engine.native import kernel

_PACE = 2
"""Seconds of sound that are decoded of one stream in each second: a network may double packets."""

_AHEAD_NS = 1_000_000_000
"""How far ahead of that: what a network has held up comes at once."""

_LEAST_NS = 1_000_000
"""What a packet counts at the least: one that holds nothing, or can't be decoded, takes its time, too."""


@kernel
def may_decode(until: Any, now: Any) -> Any:
    """Return whether a stream may have another packet decoded.

    Args:
        until: what `decoded_until` has returned last; 0 at first.
        now: CLOCK_MONOTONIC in nanoseconds.
    """
    return until - now <= _AHEAD_NS


@kernel
def decoded_until(until: Any, samples: Any, rate: Any, now: Any) -> Any:
    """Return until when a stream has had its time with one packet more.

    Args:
        until, now: as for `may_decode`.
        samples: what the packet held, 0 or less for nothing.
        rate: samples in a second.
    """
    each = np.uint64(_PACE) * np.uint64(rate)
    takes = np.int64(np.uint64(max(samples, 0)) * np.uint64(1_000_000_000) // each)
    return max(until, now) + max(takes, _LEAST_NS)
