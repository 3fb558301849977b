"""DTMF (ITU-T Q.23) for tests, reckoned with numpy alone: keys pressed, and keys found in a sound."""

import itertools

import numpy as np

from tests.media.kernels.sound import Sound, sine

LOW = (697, 770, 852, 941)
HIGH = (1209, 1336, 1477, 1633)
ROWS = ("123A", "456B", "789C", "*0#D")
CODES = "0123456789*#ABCD"
"""By RFC 4733's event codes."""


def key(digit: str, milliseconds: int, rate: int, peak: float = 5000.0) -> Sound:
    """The sound of one key."""
    row = next(number for number, keys in enumerate(ROWS) if digit in keys)
    count = rate * milliseconds // 1000
    low, high = LOW[row], HIGH[ROWS[row].index(digit)]
    return sine(low, count, rate, peak=peak) + sine(high, count, rate, peak=peak)


def dialled(digits: str, rate: int, on_ms: int = 80, off_ms: int = 80) -> Sound:
    """The sound of keys one after the other, with a pause before each and after the last."""
    pause = np.zeros(rate * off_ms // 1000, np.int16)
    parts = [pause]
    for digit in digits:
        parts += [key(digit, on_ms, rate), pause]
    return np.concatenate(parts)


def _powers(window: Sound, rate: int, frequencies: tuple[int, ...]) -> list[float]:
    """The share of a window's energy that each frequency has."""
    angles = 2 * np.pi * np.arange(len(window)) / rate
    wave = window.astype(np.float64)
    energy = float(np.sum(wave**2)) * len(window) / 2
    return [
        float(abs(np.sum(wave * np.exp(-1j * angles * one))) ** 2) / energy for one in frequencies
    ]


def _key_of(window: Sound, rate: int) -> str:
    if np.sqrt(np.mean(window.astype(np.float64) ** 2)) < 200:
        return ""
    low, high = _powers(window, rate, LOW), _powers(window, rate, HIGH)
    if max(low) + max(high) < 0.8 or min(max(low), max(high)) < 0.2:
        return ""
    return ROWS[low.index(max(low))][high.index(max(high))]


def keys_in(sound: Sound, rate: int, window_ms: int = 30) -> list[tuple[str, int]]:
    """The keys that a sound holds, and for how many milliseconds about."""
    width, hop = rate * window_ms // 1000, rate // 200
    found = [_key_of(sound[at : at + width], rate) for at in range(0, len(sound) - width + 1, hop)]
    runs = [(one, len(list(run))) for one, run in itertools.groupby(found)]
    return [(one, 5 * count + window_ms - 5) for one, count in runs if one and count > 1]
