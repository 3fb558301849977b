"""What is said over the networks: a tone, and under it a noise of which no two pieces are alike.

Where a packet is lost, a tone alone is easily made up: it goes on as it was. The noise tells what
was really said from what was made up, and when it was said.
"""

import numpy as np
import numpy.typing as npt

from tests.media.kernels.sound import Sound, decibels, sine

Wave = npt.NDArray[np.float64]

HERTZ = 500
PEAK = 6000.0
LEVEL = decibels(PEAK / np.sqrt(2) / 32768)
"""Of the tone, in dBov."""

RATE = 8000
"""Samples in a second of what is judged."""

PIECE = RATE // 50
"""Samples of what one packet carries."""

_NOISE_RMS = PEAK / np.sqrt(2) / 3
_NOISE_BAND = (1200.0, 3200.0)


def band(sound: npt.NDArray[np.generic], rate: int, low: float, high: float) -> Wave:
    """Return what of a sound lies between two frequencies, in Hz, without delay."""
    spectrum = np.fft.rfft(sound.astype(np.float64))
    hertz = np.fft.rfftfreq(len(sound), 1 / rate)
    # Edges of 50 Hz: sharper ones ring for longer than a piece.
    spectrum *= np.clip((hertz - low) / 50 + 0.5, 0, 1) * np.clip((high - hertz) / 50 + 0.5, 0, 1)
    return np.fft.irfft(spectrum, len(sound))


def noise_of(sound: npt.NDArray[np.generic], rate: int) -> Wave:
    """Return the noise in what was heard."""
    return band(sound, rate, *_NOISE_BAND)


def noise(seconds: float) -> Wave:
    """Return the noise of a talk of that length, at `RATE`."""
    dice = np.random.default_rng(5)
    made = band(dice.standard_normal(round(seconds * RATE)), RATE, *_NOISE_BAND)
    found: Wave = made * (_NOISE_RMS / np.sqrt(np.mean(made**2)))
    return found


def speech(seconds: float) -> Sound:
    """Return the whole talk, at `RATE`."""
    tone = sine(HERTZ, round(seconds * RATE), RATE, peak=PEAK)
    return np.round(tone + noise(seconds)).astype(np.int16)
