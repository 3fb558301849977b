"""Packet loss concealment at 8, 16 and 48 kHz, in the manner of ITU-T G.711 appendix I.

A lost stretch is filled with repetitions of the last pitch period, which fade out from 10 to 60 ms.
Unlike the appendix this one delays nothing: what the beginning lacks in smoothness because sound
that has been played can't be altered any more, a correction that decays within a quarter of a
period makes good. Nor does it spend up to 10 ms of received sound on leading back to it, but
1.25: what has come is worth more than what was made up, and longer ones spoil more than they smooth.
A concealer's state is a row of `WIDTH` int64 and `MEMORY` int16.
"""

from typing import Any

import numpy as np

from pbx.media.engine.kernels.lanes import (
    abs32,
    add32,
    mac16,
    max32,
    min32,
    mul16,
    mul32,
    sar32,
    sat16,
    sub32,
)
from pbx.media.engine.native import copy_items, inlined, kernel, part

# --- words of the row -----------------------------------------------------------------------------
SPAN = 0
"""Samples that are compared to find the pitch: 20 ms."""
SHORTEST = 1
"""Shortest period, in samples: 2.5 ms."""
LONGEST = 2
"""Longest period, in samples: 15 ms."""
STEP = 3
"""How many samples one stands for in the rough search."""
BLEND = 4
"""Samples that lead back to what is received: 1.25 ms."""
FADE_FROM = 5
"""Concealed samples after which the fade begins: 10 ms."""
FADE_END = 6
"""Concealed samples after which there is silence: 60 ms."""
SLOPE = 7
"""Loss of gain in a sample, in 2^-20."""
MISSING = 8
"""Concealed samples since the last received one."""
PERIOD = 9
PHASE = 10
"""Where in the period the next sample is."""
END = 11
"""Where in the memory the history ends."""
WIDTH = 12

# --- the memory -----------------------------------------------------------------------------------
# First the history, the last `SPAN` + `LONGEST` samples before `END`. At the low rates there is room
# for several frames more, so that it needn't be moved with each.
_CYCLE = 1680
"""The period that is repeated."""
_ROUGH = 2400
"""The history at the rate of the rough search."""
MEMORY = 2688

_UNIT = 1 << 15


@kernel
def start(concealer: Any, memory: Any, rate: Any) -> Any:
    """Make a concealer that has heard silence; returns False, having done nothing, for other rates.

    Args:
        concealer: `WIDTH` int64.
        memory: `MEMORY` int16.
        rate: samples per second: 8000, 16000 or 48000.
    """
    if rate not in (8000, 16000, 48000):
        return False
    step = rate // 8000
    per_ms = rate // 1000
    concealer[:] = 0
    memory[:] = 0
    concealer[SPAN] = 20 * per_ms
    concealer[SHORTEST] = 5 * per_ms // 2
    concealer[LONGEST] = 15 * per_ms
    concealer[STEP] = step
    concealer[BLEND] = 5 * per_ms // 4
    concealer[FADE_FROM] = 10 * per_ms
    concealer[FADE_END] = 60 * per_ms
    concealer[SLOPE] = (1 << 20) // (50 * per_ms)
    concealer[END] = concealer[SPAN] + concealer[LONGEST]
    return True


@inlined
def _difference(late: Any, early: Any, span: Any) -> Any:
    """Return how unlike the first `span` samples of two places are."""
    total = np.int32(0)
    for index in range(span):
        total = add32(total, abs32(sub32(late[index], early[index])))
    return total


@inlined
def _two_differences(late: Any, near: Any, far: Any, span: Any) -> Any:
    """Return the same of two earlier places; the later one is read once for both."""
    first, second = np.int32(0), np.int32(0)
    for index in range(span):
        sample = np.int32(late[index])
        first = add32(first, abs32(sub32(sample, near[index])))
        second = add32(second, abs32(sub32(sample, far[index])))
    return first, second


@kernel
def _best_lag(sound: Any, end: Any, span: Any, first: Any, last: Any) -> Any:
    """Return how much earlier sound was most like the `span` samples before `end`."""
    begin = end - span
    late = part(sound, begin, span)
    best = first
    least = _difference(late, part(sound, begin - first, span), span)
    for lag in range(first + 1, last + 1, 2):
        beside = min(lag + 1, last)
        near, far = part(sound, begin - lag, span), part(sound, begin - beside, span)
        unlike, farther = _two_differences(late, near, far, span)
        if unlike < least:
            least = unlike
            best = lag
        if farther < least:
            least = farther
            best = beside
    return best


@kernel
def _find_period(concealer: Any, memory: Any) -> Any:
    """Return the pitch period at the end of the history: roughly at 8 kHz, then to the sample."""
    step = concealer[STEP]
    span = concealer[SPAN]
    shortest = concealer[SHORTEST]
    longest = concealer[LONGEST]
    end = concealer[END]
    if step != 1:
        rough = part(memory, _ROUGH, MEMORY - _ROUGH)
        begin = end - span - longest
        rough_end = (span + longest) // step
        for index in range(rough_end):
            total = 0
            for number in range(step):
                total += memory[np.uint64(begin + index * step + number)]
            rough[index] = total // step
        lag = step * _best_lag(rough, rough_end, span // step, shortest // step, longest // step)
        shortest, longest = max(lag - step + 1, shortest), min(lag + step - 1, longest)
    return _best_lag(memory, end, span, shortest, longest)


@kernel
def _weight(count: Any) -> Any:
    """Return by how much, in 2^-15, each of `count` samples has more of another sound than the one before."""
    return np.int32(np.uint32(_UNIT) // np.uint32(count + 1))


@inlined
def _begin(concealer: Any, memory: Any) -> None:
    """Find the period to repeat, and make its end lead smoothly into its beginning."""
    period = _find_period(concealer, memory)
    overlap = period >> 2
    at = concealer[END] - period
    copy_items(part(memory, at, period), period, part(memory, _CYCLE, period))
    target = part(memory, _CYCLE + period - overlap, overlap)
    before = part(memory, at - overlap, overlap)
    weight = _weight(overlap)
    for index in range(overlap):
        share = mul32(index + 1, weight)
        mixed = mul16(target[index], np.int16(sub32(_UNIT, share)))
        target[index] = np.int16(sar32(mac16(mixed, before[index], np.int16(share)), 15))
    concealer[PERIOD] = period
    concealer[PHASE] = 0


@inlined
def _faded(sample: Any, left: Any, slope: Any) -> Any:
    """Return a sample of the period as it sounds `left` samples before there is silence."""
    gain = min32(max32(sar32(mul32(left, slope), 5), 0), _UNIT)
    return np.int16(sar32(mul32(sample, gain), 15))


@inlined
def _left(concealer: Any) -> Any:
    """Return in how many samples there is silence, 32 bits: 0 where there is."""
    return np.int32(max(concealer[FADE_END] - concealer[MISSING], 0))


@inlined
def _repeat(concealer: Any, memory: Any, pcm: Any, count: Any) -> None:
    """Write `count` samples of the period that is repeated, as loud as they still are."""
    phase, period = concealer[PHASE], concealer[PERIOD]
    done = 0
    while done < count:
        length = min(period - phase, count - done)
        copy_items(part(memory, _CYCLE + phase, length), length, part(pcm, done, length))
        done += length
        phase = 0 if phase + length == period else phase + length
    concealer[PHASE] = phase
    left, slope = _left(concealer), np.int32(concealer[SLOPE])
    for index in range(count):
        pcm[index] = _faded(pcm[index], sub32(left, index), slope)
    concealer[MISSING] += count


@kernel
def _remember(concealer: Any, memory: Any, pcm: Any, count: Any) -> None:
    """Append `count` samples to the history."""
    history = concealer[SPAN] + concealer[LONGEST]
    fresh = min(count, history)
    end = concealer[END]
    if end + fresh > _CYCLE:
        kept = history - fresh
        copy_items(part(memory, end - kept, kept), kept, memory)
        end = kept
    copy_items(part(pcm, count - fresh, fresh), fresh, part(memory, end, fresh))
    concealer[END] = end + fresh


@kernel
def conceal(concealer: Any, memory: Any, pcm: Any, samples: Any) -> Any:
    """Fill a stretch that was lost; returns False once that is silence.

    Args:
        concealer: `WIDTH` int64.
        memory: `MEMORY` int16.
        pcm: int16 to write to.
        samples: how many; more than `pcm` has room for are left out.
    """
    count = max(min(samples, pcm.shape[0]), 0)
    if concealer[MISSING] == 0:
        _begin(concealer, memory)
        end, period = concealer[END], concealer[PERIOD]
        _repeat(concealer, memory, pcm, count)
        # What has been played ends elsewhere than the period begins: less than 2^16 times 2^15 less
        # a weight, which is as much as 32 bits hold.
        error = np.int32(memory[np.uint64(end - 1)]) - np.int32(memory[np.uint64(end - period - 1)])
        overlap = period >> 2
        weight = _weight(overlap)
        for index in range(min(overlap, count)):
            share = sub32(_UNIT, mul32(index + 1, weight))
            pcm[index] = sat16(add32(pcm[index], sar32(mul32(error, share), 15)))
    else:
        _repeat(concealer, memory, pcm, count)
    _remember(concealer, memory, pcm, count)
    return concealer[MISSING] < concealer[FADE_END]


@kernel
def heard(concealer: Any, memory: Any, pcm: Any, samples: Any) -> None:
    """Learn from received sound; behind a concealed stretch, lead over to it.

    Args:
        concealer: `WIDTH` int64.
        memory: `MEMORY` int16.
        pcm: int16; its beginning is changed behind a concealed stretch.
        samples: how many.
    """
    count = max(min(samples, pcm.shape[0]), 0)
    if concealer[MISSING] != 0 and count > 0:
        blend = min(concealer[BLEND], count)
        weight = _weight(blend)
        phase, period = concealer[PHASE], concealer[PERIOD]
        left, slope = _left(concealer), np.int32(concealer[SLOPE])
        done = 0
        while done < blend:
            length = min(period - phase, blend - done)
            repeated, target = part(memory, _CYCLE + phase, length), part(pcm, done, length)
            for index in range(length):
                concealed = _faded(repeated[index], sub32(left, done + index), slope)
                share = mul32(done + index + 1, weight)
                mixed = mul16(concealed, np.int16(sub32(_UNIT, share)))
                target[index] = np.int16(sar32(mac16(mixed, target[index], np.int16(share)), 15))
            done += length
            phase = 0 if phase + length == period else phase + length
        concealer[PHASE] = phase
        concealer[MISSING] = 0
    _remember(concealer, memory, pcm, count)
