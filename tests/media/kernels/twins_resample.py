"""Resampling as the textbook has it: zeros put in, one filter over all, samples left out."""

import math
from collections.abc import Sequence


def _filtered(sound: Sequence[int], taps: Sequence[int], places: int) -> list[int]:
    """Return the convolution with `taps` in 1/2**places, rounded and saturated."""
    heard = []
    for end in range(len(sound)):
        total = sum(
            tap * sound[end - back]
            for back, tap in enumerate(taps)
            if end >= back and sound[end - back]
        )
        heard.append(max(-32768, min(32767, math.floor(total / 2**places + 0.5))))
    return heard


def raised(sound: Sequence[int], half: Sequence[int], factor: int) -> list[int]:
    """Return `sound` at `factor` times its rate."""
    stuffed = [value for sample in sound for value in (sample, *[0] * (factor - 1))]
    return _filtered(stuffed, [*half, *reversed(half)], 14)


def lowered(sound: Sequence[int], half: Sequence[int], factor: int) -> list[int]:
    """Return `sound` at 1/`factor` of its rate."""
    taps = [math.floor(tap * 2 / factor + 0.5) for tap in [*half, *reversed(half)]]
    return _filtered(sound, taps, 15)[factor - 1 :: factor]
