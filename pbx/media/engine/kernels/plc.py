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

from pbx.media.engine.native import kernel

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


@kernel
def _difference(sound: Any, end: Any, span: Any, lag: Any) -> Any:
    """Return how unlike the `span` samples before `end` are to those `lag` earlier."""
    late = sound[end - span : end]
    early = sound[end - span - lag : end - lag]
    total = np.int32(0)
    for index in range(span):
        total = np.int32(total + abs(np.int32(np.int32(late[index]) - np.int32(early[index]))))
    return total


@kernel
def _best_lag(sound: Any, end: Any, span: Any, first: Any, last: Any) -> Any:
    best = first
    least = _difference(sound, end, span, first)
    for lag in range(first + 1, last + 1):
        unlike = _difference(sound, end, span, lag)
        if unlike < least:
            least = unlike
            best = lag
    return best


@kernel
def _find_period(concealer: Any, memory: Any) -> Any:
    """Return the pitch period at the end of the history: roughly at 8 kHz, then to the sample."""
    step = concealer[STEP]
    span = concealer[SPAN]
    shortest = concealer[SHORTEST]
    longest = concealer[LONGEST]
    end = concealer[END]
    if step == 1:
        return _best_lag(memory, end, span, shortest, longest)
    rough = memory[_ROUGH:MEMORY]
    begin = end - span - longest
    rough_end = (span + longest) // step
    for index in range(rough_end):
        total = 0
        for part in range(step):
            total += memory[begin + index * step + part]
        rough[index] = total // step
    lag = step * _best_lag(rough, rough_end, span // step, shortest // step, longest // step)
    first = max(lag - step + 1, shortest)
    return _best_lag(memory, end, span, first, min(lag + step - 1, longest))


@kernel
def _begin(concealer: Any, memory: Any) -> None:
    """Find the period to repeat, and make its end lead smoothly into its beginning."""
    period = _find_period(concealer, memory)
    end = concealer[END]
    overlap = period >> 2
    for index in range(period):
        memory[_CYCLE + index] = memory[end - period + index]
    weight = _UNIT // (overlap + 1)
    for index in range(overlap):
        share = (index + 1) * weight
        last = memory[end - overlap + index]
        before = memory[end - period - overlap + index]
        mixed = (last * (_UNIT - share) + before * share) >> 15
        memory[_CYCLE + period - overlap + index] = mixed
    concealer[PERIOD] = period
    concealer[PHASE] = 0


@kernel
def _faded(sample: Any, left: Any, slope: Any) -> Any:
    """Return a sample of the period as it sounds `left` samples before there is silence."""
    gain = min(max((left * slope) >> 5, 0), _UNIT)
    return (np.int64(sample) * gain) >> 15


@kernel
def _after(phase: Any, period: Any) -> Any:
    """Return the next phase."""
    return 0 if phase + 1 == period else phase + 1


@kernel
def _remember(concealer: Any, memory: Any, pcm: Any, count: Any) -> None:
    """Append `count` samples to the history."""
    fresh = min(count, concealer[SPAN] + concealer[LONGEST])
    end = concealer[END]
    if end + fresh > _CYCLE:
        kept = concealer[SPAN] + concealer[LONGEST] - fresh
        late = memory[end - kept : end]
        for index in range(kept):
            memory[index] = late[index]
        end = kept
    newest = pcm[count - fresh : count]
    target = memory[end : end + fresh]
    for index in range(fresh):
        target[index] = newest[index]
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
    error = 0
    overlap = 1
    if concealer[MISSING] == 0:
        _begin(concealer, memory)
        end = concealer[END]
        overlap = concealer[PERIOD] >> 2
        error = memory[end - 1] - memory[end - concealer[PERIOD] - 1]
    weight = _UNIT // (overlap + 1)
    phase, period, missing = concealer[PHASE], concealer[PERIOD], concealer[MISSING]
    left, slope = concealer[FADE_END] - missing, concealer[SLOPE]
    for index in range(count):
        sample = _faded(memory[np.uint64(_CYCLE + phase)], left - index, slope)
        if index < overlap:
            sample += (error * (_UNIT - (index + 1) * weight)) >> 15
        pcm[index] = min(max(sample, -32768), 32767)
        phase = _after(phase, period)
    concealer[PHASE] = phase
    concealer[MISSING] = missing + count
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
        weight = _UNIT // (blend + 1)
        phase, period = concealer[PHASE], concealer[PERIOD]
        left, slope = concealer[FADE_END] - concealer[MISSING], concealer[SLOPE]
        for index in range(blend):
            share = (index + 1) * weight
            concealed = _faded(memory[np.uint64(_CYCLE + phase)], left - index, slope)
            pcm[index] = (pcm[index] * share + concealed * (_UNIT - share)) >> 15
            phase = _after(phase, period)
        concealer[PHASE] = phase
        concealer[MISSING] = 0
    _remember(concealer, memory, pcm, count)
