"""Sounds to put into a kernel, and what to measure of the sounds that come out."""

import math

import numpy as np
import numpy.typing as npt

Sound = npt.NDArray[np.int16]
Wave = npt.NDArray[np.float64]


def sine(hertz: float, samples: int, rate: int, *, peak: float, turns: float = 0.0) -> Sound:
    """Return a sine, rounded.

    Args:
        hertz: its frequency.
        samples: its length.
        rate: samples in a second.
        peak: its amplitude; 32767 is full scale.
        turns: where it begins, in turns.
    """
    angles = 2 * np.pi * (np.arange(samples) * hertz / rate + turns)
    return np.round(peak * np.sin(angles)).astype(np.int16)


def _split(sound: npt.NDArray[np.generic], hertz: float, rate: int) -> tuple[Wave, Wave]:
    """Return the sine of that frequency that comes nearest (least squares), and the rest."""
    angles = 2 * np.pi * np.arange(len(sound)) * hertz / rate
    columns = np.stack([np.sin(angles), np.cos(angles), np.ones(len(sound))], axis=1)
    wave = sound.astype(np.float64)
    factors, *_ = np.linalg.lstsq(columns, wave, rcond=None)
    return columns[:, :2] @ factors[:2], wave - columns @ factors


def fitted(sound: npt.NDArray[np.generic], hertz: float, rate: int) -> Wave:
    """Return the sine of that frequency that comes nearest."""
    return _split(sound, hertz, rate)[0]


def rms(sound: npt.NDArray[np.generic]) -> float:
    """Return the root of the mean square."""
    return float(np.sqrt(np.mean(sound.astype(np.float64) ** 2)))


def level(sound: npt.NDArray[np.generic]) -> float:
    """Return the level in dBov: 0 is a square wave of full scale, a sine of full scale -3."""
    return decibels(rms(sound) / 32768)


def tone_level(sound: npt.NDArray[np.generic], hertz: float, rate: int) -> float:
    """Return the level of one frequency in dBov."""
    return level(fitted(sound, hertz, rate))


def rest_level(sound: npt.NDArray[np.generic], hertz: float, rate: int) -> float:
    """Return all that isn't the sine of that frequency, in dB below it: THD+N."""
    tone, rest = _split(sound, hertz, rate)
    return decibels(rms(rest) / rms(tone))


def decibels(ratio: float) -> float:
    """Return a ratio of amplitudes in dB; -200 for nothing."""
    return 20 * math.log10(max(ratio, 1e-10))
