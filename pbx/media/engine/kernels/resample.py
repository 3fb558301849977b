"""Between 8, 16 and 48 kHz, by polyphase filters.

Each filter passes the voice of the lower rate (3.4 of 4 kHz, 7 of 8 kHz) within 0.16 dB and stops
what would be an image or an alias of it by 66 dB (tests/media/kernels/design_filters.py makes the
numbers). 24 taps for each sample of the lower rate delay it by 12 of them: 1.5 or 0.75 ms.

A voice's window is WINDOW int16 words, zeros at first: what the filter still needs of the frames
before, then the frame. A window belongs to one direction between two rates; after a change of
rates it has to be zeroed.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pbx.media.engine.kernels.lanes import dot16, sar32, sat16
from pbx.media.engine.native import kernel

WINDOW = 1104
"""Words of a window: 960 samples, and 138 before them for the longest filter."""

_TAPS = 24
"""Of each phase."""

# The first halves of symmetric filters, in 1/2**14, with a gain of high rate / low rate.
# fmt: off
_TAPS_8_16 = (5, 38, 51, -17, -82, 12, 140, 6, -222, -44, 333, 109, -481, -217, 680, 391, -960, -681, 1396, 1222, -2241, -2581, 5121, 14406)
_TAPS_16_48 = (4, 47, 93, 112, 62, -43, -124, -94, 47, 179, 158, -41, -252, -252, 21, 344, 383, 19, -459, -565, -89, 604, 823, 206, -800, -1211, -409, 1094, 1871, 802, -1646, -3326, -1851, 3388, 10299, 15181)
_TAPS_8_48 = (-5, 5, 12, 23, 36, 47, 54, 52, 39, 16, -15, -47, -73, -83, -72, -40, 10, 66, 115, 141, 133, 87, 9, -84, -170, -223, -223, -162, -47, 98, 238, 334, 352, 276, 114, -102, -321, -481, -532, -444, -222, 90, 420, 680, 788, 694, 397, -50, -545, -959, -1167, -1083, -687, -41, 716, 1394, 1795, 1762, 1228, 245, -1005, -2239, -3116, -3312, -2587, -848, 1811, 5118, 8650, 11911, 14413, 15771)
# fmt: on


def _whole(half: Sequence[int]) -> list[int]:
    return [*half, *reversed(half)]


def _phases(half: Sequence[int], factor: int) -> Any:
    """Return a row for each phase of the higher rate, the oldest sample's tap first."""
    rows = [_whole(half)[phase::factor][::-1] for phase in range(factor)]
    return np.array(rows, np.int16)


def _decimating(half: Sequence[int], factor: int) -> Any:
    """Return the same filter with a gain of one, in 1/2**15, rounded as integers."""
    return np.array([(4 * tap + factor) // (2 * factor) for tap in _whole(half)], np.int16)


def _interpolator(half: Sequence[int], factor: int) -> Any:
    # A row after the other, for `dot`.
    taps = _phases(half, factor).reshape(-1)
    before = _TAPS - 1
    dot = dot16(_TAPS, 1 << 13)

    def interpolate(window: Any, pcm: Any, samples: Any, out: Any) -> Any:
        length = min(samples, pcm.shape[0], out.shape[0] // factor, window.shape[0] - before)
        frame = window[before:]
        for i in range(length):
            frame[i] = pcm[i]
        for i in range(length):
            for phase in range(factor):
                total = dot(taps, _TAPS * phase, window, i)
                out[factor * i + phase] = sat16(sar32(total, 14))
        _shift(window, length, before)
        return factor * max(length, 0)

    return kernel(interpolate)


def _decimator(half: Sequence[int], factor: int) -> Any:
    taps = _decimating(half, factor)
    length = _TAPS * factor
    before = length - factor
    dot = dot16(length, 1 << 14)

    def decimate(window: Any, pcm: Any, samples: Any, out: Any) -> Any:
        room = min(samples, pcm.shape[0], window.shape[0] - before)
        made = max(min(room // factor, out.shape[0]), 0)
        frame = window[before:]
        for i in range(made * factor):
            frame[i] = pcm[i]
        for i in range(made):
            out[i] = sat16(sar32(dot(taps, 0, window, i * factor), 15))
        _shift(window, made * factor, before)
        return made

    return kernel(decimate)


@kernel
def _shift(window: Any, samples: Any, before: Any) -> None:
    """Keep the end of the window for the next frame."""
    if samples > 0:
        rest = window[samples:]
        for i in range(before):
            window[i] = rest[i]


up_8_16 = _interpolator(_TAPS_8_16, 2)
up_16_48 = _interpolator(_TAPS_16_48, 3)
up_8_48 = _interpolator(_TAPS_8_48, 6)
down_16_8 = _decimator(_TAPS_8_16, 2)
down_48_16 = _decimator(_TAPS_16_48, 3)
down_48_8 = _decimator(_TAPS_8_48, 6)


@kernel
def resample(window: Any, pcm: Any, samples: Any, rate: Any, wanted: Any, out: Any) -> Any:
    """Write a frame at another rate; returns its samples, 0 for rates that aren't known.

    Args:
        window: int16, see above.
        pcm: int16.
        samples: length of the frame; what isn't a whole sample of a lower rate is left, and so is
            what `out` or `window` has no room for.
        rate: of `pcm`: 8000, 16000 or 48000.
        wanted: of `out`; the same rate copies.
        out: int16.
    """
    made = 0
    if rate == wanted:
        made = max(min(samples, pcm.shape[0], out.shape[0]), 0)
        for i in range(made):
            out[i] = pcm[i]
    elif rate == 8000 and wanted == 16000:
        made = up_8_16(window, pcm, samples, out)
    elif rate == 16000 and wanted == 48000:
        made = up_16_48(window, pcm, samples, out)
    elif rate == 8000 and wanted == 48000:
        made = up_8_48(window, pcm, samples, out)
    elif rate == 16000 and wanted == 8000:
        made = down_16_8(window, pcm, samples, out)
    elif rate == 48000 and wanted == 16000:
        made = down_48_16(window, pcm, samples, out)
    elif rate == 48000 and wanted == 8000:
        made = down_48_8(window, pcm, samples, out)
    return made
