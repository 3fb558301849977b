"""What kernels are given to work on: sound of every loudness and length, the same for a seed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FRAME = 160
"""Samples of 20 ms at 8 kHz."""

_EXTREMES = (-32768, 32767, -32767, 0, 1, -1)


@dataclass(frozen=True, slots=True)
class Material:
    """One case; methods that are asked for the same give the same.

    Args:
        seed: of all that is random.
        samples: length of a frame at 8 kHz.
        kind: "usual" sound, "loud" sound, the "extreme" numbers that 16 bits have, or "silent".
    """

    seed: int = 20
    samples: int = FRAME
    kind: str = "usual"

    def random(self, salt: int = 0) -> np.random.Generator:
        """Return a generator; another one for each `salt`."""
        return np.random.default_rng([self.seed, salt, self.samples])

    def number(self, least: int, most: int, salt: int = 0) -> int:
        """Return a number of `least` to `most`."""
        return int(self.random(salt).integers(least, most, endpoint=True))

    def noise(self, *shape: int, peak: int = 3000, salt: int = 0) -> np.ndarray:
        """Return noise as this case has it; `peak` is that of usual sound."""
        if self.kind == "silent":
            return np.zeros(shape, np.int16)
        if self.kind == "extreme":
            return self.random(salt).choice(np.array(_EXTREMES, np.int16), shape)
        peak = 32767 if self.kind == "loud" else peak
        return self.random(salt).integers(-peak, peak, shape, endpoint=True).astype(np.int16)

    def octets(self, count: int) -> np.ndarray:
        """Return `count` octets."""
        return self.random().integers(0, 256, count).astype(np.uint8)

    def voice(self, count: int, rate: int, salt: int = 0) -> np.ndarray:
        """Return what repeats itself as a voice does, with a little noise; extremes are extremes."""
        if self.kind in ("extreme", "silent"):
            return self.noise(count, salt=salt)
        turns = np.arange(count) * self.number(70, 320, salt) / rate
        wave = sum(np.sin(2 * math.pi * turns * part + part) / part for part in range(1, 9))
        peak = 16000 if self.kind == "loud" else 5000
        return np.round(peak * wave + self.noise(count, peak=100, salt=salt) * 0.01).astype(
            np.int16
        )


MEASURED = Material()
"""The frame whose cycles are reckoned."""

LENGTHS = (160, 0, 1, 7, 33, 80, 161, 240, 479)
KINDS = ("usual", "loud", "extreme", "silent")

THOROUGH: Sequence[Material] = [
    *(Material(seed, samples) for seed in range(2) for samples in LENGTHS),
    *(Material(seed, samples, "extreme") for seed in range(2, 4) for samples in LENGTHS),
    *(Material(seed, seed % 2 + FRAME, kind) for seed in range(4, 8) for kind in KINDS),
]
"""What bits are compared on."""

QUICK: Sequence[Material] = [
    MEASURED,
    Material(1, 33, "loud"),
    Material(2, 161, "extreme"),
]
"""The same for who can't wait."""
