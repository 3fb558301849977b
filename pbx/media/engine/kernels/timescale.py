"""Sound a little shorter or longer, by one period of what repeats itself.

The period is the distance at which the sound is most like itself: the smallest difference of
magnitudes, so that no product and no division is needed for a candidate. The two places are faded
over into each other along that period. Neither is done where the sound has nothing alike.
"""

from typing import Any

import numpy as np

from pbx.media.engine.native import kernel

QUIET = 64
"""Mean magnitude (-54 dBov) under which any change goes unheard."""

PATIENT = 10
IMPATIENT = 30
"""Refusals after which less alike, and then any places will do."""


@kernel
def _difference(line: Any, period: Any, count: Any) -> Any:
    """Return the summed difference of `count` samples and those a period later."""
    first = line[:count]
    second = line[period : period + count]
    total = np.int32(0)
    for index in range(count):
        change = np.int32(np.int32(first[index]) - np.int32(second[index]))
        total = np.int32(total + (change if change >= 0 else np.int32(-change)))
    return np.int64(total)


@kernel
def _magnitude(line: Any, begin: Any, count: Any) -> Any:
    samples = line[begin : begin + count]
    total = np.int32(0)
    for index in range(count):
        value = np.int32(samples[index])
        total = np.int32(total + (value if value >= 0 else np.int32(-value)))
    return np.int64(total)


@kernel
def _best(line: Any, count: Any, low: Any, high: Any, step: Any) -> Any:
    """Return the period of `low` to `high`, in steps, at which the sound is most like itself."""
    best = low
    best_difference = _difference(line, low, count)
    best_sum = _magnitude(line, low, count)
    own = _magnitude(line, 0, count)
    period = low + step
    while period <= high:
        difference = _difference(line, period, count)
        magnitude = own + _magnitude(line, period, count)
        if difference * (own + best_sum) < best_difference * magnitude:
            best, best_difference, best_sum = period, difference, magnitude - own
        period += step
    return best


@kernel
def _period(line: Any, held: Any, shortest: Any, longest: Any, refusals: Any) -> Any:
    """Return a period that can be taken out or put in unheard, or 0."""
    count = held >> 1
    longest = min(longest, count)
    count = min(count, max(longest, 3 * shortest))
    if shortest < 1 or longest < shortest or held > line.shape[0]:
        return 0
    # At 48 kHz every sixth period is enough for a first look, at 16 kHz every second.
    step = max(shortest // 20, 1)
    best = _best(line, count, shortest, longest, step)
    if step > 1:
        best = _best(line, count, max(best - step, shortest), min(best + step, longest), 1)
    difference = _difference(line, best, count)
    magnitude = _magnitude(line, 0, count) + _magnitude(line, best, count)
    alike = difference * 4 <= magnitude
    if refusals >= PATIENT:
        alike = alike or difference * 2 <= magnitude or refusals >= IMPATIENT
    return best if alike or magnitude <= 2 * count * QUIET else 0


@kernel
def _fade(target: Any, old: Any, new: Any, count: Any) -> None:
    """Fade from one place to another over `count` samples; `target` may be one of them."""
    step = np.int32(32768 // count)
    weight = np.int32(0)
    for index in range(count):
        mixed = np.int32(np.int32(old[index]) * np.int32(32768 - weight))
        mixed = np.int32(mixed + np.int32(np.int32(new[index]) * weight))
        target[index] = np.int16(np.int32(mixed + 16384) >> 15)
        weight = np.int32(weight + step)


@kernel
def shorten(line: Any, held: Any, shortest: Any, longest: Any, refusals: Any) -> Any:
    """Take one period out of the beginning of the line.

    Args:
        line: int16 sound.
        held: samples of it that count.
        shortest, longest: bounds of the period, in samples.
        refusals: how often this has been refused already.

    Returns:
        The samples by which the line is shorter; 0 where it would be heard.
    """
    period = _period(line, held, shortest, longest, refusals)
    if period == 0:
        return 0
    _fade(line, line, line[period : 2 * period], period)
    left = held - 2 * period
    target = line[period : period + left]
    source = line[2 * period : held]
    for index in range(left):
        target[index] = source[index]
    return period


@kernel
def lengthen(line: Any, held: Any, shortest: Any, longest: Any, refusals: Any) -> Any:
    """Put one period more into the line; arguments and result as with `shorten`.

    Nothing is done where the line has no room.
    """
    period = _period(line, held, shortest, longest, refusals)
    if period == 0 or held + period > line.shape[0]:
        return 0
    for index in range(held - 1, period - 1, -1):
        line[index + period] = line[index]
    _fade(line[period : 2 * period], line[period : 2 * period], line, period)
    return period
