"""Another sampling rate: windowed sinc, for ratios of whole numbers."""

from math import gcd

import numpy as np
import numpy.typing as npt

from hw.softphone.g711 import Samples

ZERO_CROSSINGS = 12
"""On each side of the filter, at the lower rate: -60 dB in less than a fifth of the band."""


class Resampler:
    """A stream of sound at one rate, given on at another; in pieces of any length.

    Args:
        from_hz: samples per second of what comes.
        to_hz: samples per second of what goes.
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        common = gcd(from_hz, to_hz)
        self._up, self._down = to_hz // common, from_hz // common
        cutoff = min(1.0, self._up / self._down)
        self._reach = int(np.ceil(ZERO_CROSSINGS / cutoff))
        # One filter for each place that an output sample can have between two input samples
        offsets = np.arange(-self._reach + 1, self._reach + 1)
        places = np.arange(self._up)[:, None] / self._up
        distance = offsets[None, :] - places
        window = np.cos(np.pi / 2 * np.clip(distance / self._reach, -1, 1)) ** 2
        filters = cutoff * np.sinc(cutoff * distance) * window
        self._filters: npt.NDArray[np.float64] = filters / filters.sum(axis=1, keepdims=True)
        # So that the first output sample is the first input sample
        self._kept: npt.NDArray[np.float64] = np.zeros(self._reach - 1)
        self._next = 0

    def convert(self, samples: Samples) -> Samples:
        """Return what the samples so far give that was not returned yet."""
        known = np.concatenate([self._kept, samples])
        # Output sample n lies at input place n * down / up; its filter begins there in `known`.
        room = len(known) - 2 * self._reach
        count = max(0, (room * self._up - self._next) // self._down + 1) if room >= 0 else 0
        steps = self._next + np.arange(count) * self._down
        first = steps // self._up
        pieces = known[first[:, None] + np.arange(2 * self._reach)[None, :]]
        made = np.einsum("ij,ij->i", pieces, self._filters[steps % self._up])
        after = self._next + count * self._down
        dropped = min(after // self._up, len(known))
        self._next = after - dropped * self._up
        self._kept = known[dropped:]
        given: Samples = np.clip(np.rint(made), -32768, 32767).astype(np.int16)
        return given
