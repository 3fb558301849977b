"""Comfort noise (RFC 3389): a hiss of the level that the silent side has told.

A row of `WIDTH` int64 holds a generator's state; all zeros is silence at 8 kHz. The noise gets the
gentle fall towards high frequencies that a room's noise has. The spectrum that a peer may send
along is left out, as RFC 3389 §3.3 allows: implementations don't agree on the sign of its numbers,
and noise with its spectrum upside down is worse than a plain one.
"""

from typing import Any

import numpy as np

from pbx.media.engine.native import kernel

SEED = 0
AMPLITUDE = 1
"""What is heard now, in 2^-16 of a sample's unit; it glides towards `TARGET`."""
TARGET = 2
POLE = 3
"""Of the filter, in 2^-15."""
SHAPE = 4
"""What brings the filter's output back to the level of its input, in 2^-15."""
PAST = 5
"""The filter's last output, in 2^-16."""
WIDTH = 8

SILENT = 127
"""-dBov that are taken for silence."""

_CORNER_HZ = 800.0
_UNIT = 1 << 16

# Amplitude of an even distribution that has the power of each level; 0 dBov is a full square wave.
_AMPLITUDES = np.array(
    [round(32767 * 10 ** (-level / 20) * 3**0.5 * _UNIT) for level in range(SILENT)] + [0], np.int64
)


@kernel
def start(noise: Any, rate: Any, seed: Any) -> None:
    """Make `noise` a silent generator.

    Args:
        noise: `WIDTH` int64.
        rate: samples per second.
        seed: any number; two listeners' noise with the same one is the same.
    """
    pole = np.exp(-2 * np.pi * _CORNER_HZ / rate)
    noise[:] = 0
    noise[SEED] = seed & 0xFFFFFFFF
    noise[POLE] = int(pole * 32768 + 0.5)
    noise[SHAPE] = int((1 - pole * pole) ** 0.5 * 32768 + 0.5)


@kernel
def set_noise(noise: Any, payload: Any, length: Any) -> None:
    """Take the level out of a comfort noise packet; an empty one changes nothing.

    Args:
        noise: `WIDTH` int64.
        payload: uint8.
        length: octets of it.
    """
    if 0 < length <= payload.shape[0]:
        noise[TARGET] = _AMPLITUDES[payload[0] & 0x7F]


@kernel
def make_noise(noise: Any, pcm: Any, samples: Any) -> Any:
    """Write noise to `pcm`; returns the number of samples.

    Args:
        noise: `WIDTH` int64.
        pcm: int16.
        samples: how many; more than `pcm` has room for are left out.
    """
    count = max(min(samples, pcm.shape[0]), 0)
    seed = noise[SEED]
    amplitude = noise[AMPLITUDE]
    target = noise[TARGET]
    pole = noise[POLE]
    shape = noise[SHAPE]
    past = noise[PAST]
    for index in range(count):
        amplitude += (target - amplitude) >> 7
        seed = (seed * 1664525 + 1013904223) & 0xFFFFFFFF
        # The generator's high bits are the random ones.
        fresh = (((seed >> 16) - 32768) * ((amplitude * shape) >> 15)) >> 15
        past = ((past * pole) >> 15) + fresh
        pcm[index] = min(max((past + 32768) >> 16, -32768), 32767)
    noise[SEED] = seed
    noise[AMPLITUDE] = amplitude
    noise[PAST] = past
    return count
