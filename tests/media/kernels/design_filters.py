"""Designs the filters of `pbx.media.engine.kernels.resample`; prints them when run.

Linear phase, even length, equal ripples: least squares over a grid of frequencies, with weights
that grow where the error is greatest (Lawson's method). `test_resample` compares the numbers in
the kernel with what comes out here.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Taps = npt.NDArray[np.float64]

PHASE_TAPS = 24


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter between a low and a high rate.

    Args:
        name: the constant in the kernel.
        factor: high rate / low rate.
        passes, stops: edges of the bands in Hz, symmetric about half the low rate.
        high: the high rate in Hz.
    """

    name: str
    factor: int
    passes: int
    stops: int
    high: int

    @property
    def length(self) -> int:
        """Taps in all."""
        return PHASE_TAPS * self.factor

    def design(self) -> Taps:
        """Return the whole filter with a gain of one at 0 Hz."""
        half = self.length // 2
        grid = np.concatenate(
            [
                np.linspace(0, self.passes, 8 * half),
                np.linspace(self.stops, self.high / 2, 8 * half * (self.factor - 1)),
            ]
        )
        wanted = (grid <= self.passes).astype(float)
        # The ripple of the passband may be 25 times that of the stopband.
        importance = np.where(wanted > 0, 0.04, 1.0)
        columns = 2 * np.cos(2 * np.pi * np.outer(grid / self.high, np.arange(half) + 0.5))
        weights: Taps = np.ones(len(grid))
        side: Taps = np.zeros(half)
        for _ in range(40):
            weighted = columns * (weights * importance**2)[:, None]
            side = np.linalg.solve(weighted.T @ columns, weighted.T @ wanted)
            error = importance * np.abs(columns @ side - wanted)
            weights *= error / error.max() + 1e-3
            weights /= weights.mean()
        whole: Taps = np.concatenate([side[::-1], side])
        scaled: Taps = whole / whole.sum()
        return scaled

    def quantized(self) -> list[int]:
        """Return the first half of the filter, as whole numbers: gain `factor` in 1/2**14."""
        return [round(tap) for tap in self.design()[: self.length // 2] * self.factor * 2**14]


FILTERS = (
    Filter("_TAPS_8_16", 2, 3400, 4600, 16000),
    Filter("_TAPS_16_48", 3, 7000, 9000, 48000),
    Filter("_TAPS_8_48", 6, 3400, 4600, 48000),
)


def response(taps: npt.NDArray[np.generic], hertz: Taps, rate: int) -> Taps:
    """Return the gain of a filter at frequencies, as a ratio."""
    turns = np.outer(hertz / rate, np.arange(len(taps)))
    gains: Taps = np.abs(np.exp(-2j * np.pi * turns) @ taps.astype(np.float64))
    return gains


if __name__ == "__main__":
    for item in FILTERS:
        print(f"{item.name} = {tuple(item.quantized())}")
