"""Tones: written for a phone to send, found again in what the other phone heard."""

import struct
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float64]

LEVEL_DB = -12.0
"""Level of every tone that is sent, in dB of the loudest sine: far from clipping and from noise."""

WINDOW_S = 0.02


def write_tone(path: Path, frequency_hz: float, seconds: float, rate_hz: int = 8000) -> None:
    """Write a sine at `LEVEL_DB` as 16-bit mono WAV."""
    write_tones(path, [(frequency_hz, seconds)], rate_hz)


def write_tones(path: Path, parts: Sequence[tuple[float, float]], rate_hz: int = 8000) -> None:
    """Write such sines, a frequency and a time each, one after the other; 0 Hz is silence."""
    times = [(hertz, np.arange(int(seconds * rate_hz)) / rate_hz) for hertz, seconds in parts]
    sines = [np.sin(2 * np.pi * hertz * t) for hertz, t in times]
    sine = 32767 * 10 ** (LEVEL_DB / 20) * np.concatenate(sines)
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate_hz)
        out.writeframes(np.rint(sine).astype("<i2").tobytes())


@dataclass(frozen=True, slots=True)
class Recording:
    """What a phone heard: samples between -1 and 1."""

    samples: Samples
    rate_hz: int

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate_hz

    def level_db(self, frequency_hz: float) -> float:
        """Return the level of one frequency over the whole recording, in dB of the loudest sine."""
        return 20 * float(np.log10(np.abs(self._phasor(self.samples, frequency_hz)) + 1e-9))

    def windows(self, frequency_hz: float) -> npt.NDArray[np.complex128]:
        """Return amplitude and phase of one frequency in each window of 20 ms."""
        size = int(WINDOW_S * self.rate_hz)
        count = len(self.samples) // size
        cut = self.samples[: count * size].reshape(count, size)
        t = np.arange(count * size).reshape(count, size) / self.rate_hz
        spun: npt.NDArray[np.complex128] = cut * np.exp(-2j * np.pi * frequency_hz * t)
        phasors: npt.NDArray[np.complex128] = 2 * spun.mean(axis=1)
        return phasors

    def _phasor(self, samples: Samples, frequency_hz: float) -> complex:
        t = np.arange(len(samples)) / self.rate_hz
        return complex(2 * np.mean(samples * np.exp(-2j * np.pi * frequency_hz * t)))

    def part(self, start_s: float, end_s: float) -> "Recording":
        """Return what was heard between two times."""
        return Recording(
            self.samples[int(start_s * self.rate_hz) : int(end_s * self.rate_hz)], self.rate_hz
        )

    def talking(self, frequency_hz: float) -> "Recording":
        """Return the recording from the tone's first full window to its last."""
        loud = np.flatnonzero(np.abs(self.windows(frequency_hz)) > 10 ** ((LEVEL_DB - 3) / 20))
        if len(loud) == 0:
            return Recording(self.samples[:0], self.rate_hz)
        size = int(WINDOW_S * self.rate_hz)
        return Recording(self.samples[loud[0] * size : (loud[-1] + 1) * size], self.rate_hz)


def read_recording(path: Path) -> Recording:
    """Read a WAV file that may still be growing (its header's lengths are not believed).

    linphonec 5.1 writes the header when the recording ends: until then 8000 Hz mono is assumed.
    """
    data = path.read_bytes()
    if not data.startswith(b"RIFF"):
        whole = len(data) // 2 * 2
        return Recording(np.frombuffer(data[44:whole], "<i2").astype(np.float64) / 32767, 8000)
    at, rate_hz, channels = 12, 0, 0
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        if name == b"fmt ":
            _, channels, rate_hz = struct.unpack_from("<HHI", data, at + 8)
        if name == b"data":
            break
        at += 8 + size + (size & 1)
    if rate_hz == 0:
        return Recording(np.zeros(0), 8000)
    raw = data[at + 8 :]
    frame = 2 * channels
    samples = np.frombuffer(raw[: len(raw) // frame * frame], "<i2").reshape(-1, channels)
    return Recording(samples[:, 0].astype(np.float64) / 32767, rate_hz)


def heard_seconds(path: Path, frequency_hz: float) -> float:
    """Return for how long the tone has been heard in a recording that may still be growing."""
    return read_recording(path).talking(frequency_hz).seconds


def assert_pure_tone(
    recording: Recording,
    wanted_hz: float,
    other_hz: float,
    *,
    at_least_s: float,
) -> None:
    """Assert that one tone arrived, at its level, without gap, and nothing of the other one.

    Args:
        recording: what a phone heard.
        wanted_hz, other_hz: what the other phone played, and what this one played itself.
        at_least_s: how much of it there must be.
    """
    heard = recording.talking(wanted_hz)
    assert heard.seconds >= at_least_s, (
        f"{wanted_hz:g} Hz heard for {heard.seconds:.2f} s of {recording.seconds:.2f} s only: "
        f"{recording.level_db(wanted_hz):.1f} dB, {other_hz:g} Hz {recording.level_db(other_hz):.1f} dB"
    )
    level = heard.level_db(wanted_hz)
    assert abs(level - LEVEL_DB) < 1, f"{wanted_hz:g} Hz arrived with {level:.2f} dB"
    other = heard.level_db(other_hz)
    assert other < LEVEL_DB - 30, f"{other_hz:g} Hz came to the wrong side with {other:.1f} dB"
    assert_no_gap(heard, wanted_hz)


def assert_no_gap(heard: Recording, frequency_hz: float) -> None:
    """Assert that no window of 20 ms is quiet and that the sine goes on smoothly.

    A lost packet shows as a jump of phase even where the recording hides its silence.
    """
    phasors = heard.windows(frequency_hz)
    quiet = np.flatnonzero(np.abs(phasors) < 10 ** ((LEVEL_DB - 2) / 20))
    assert len(quiet) == 0, f"quiet at {(quiet * WINDOW_S).round(2).tolist()} s"
    steps = np.abs(np.angle(phasors[1:] / phasors[:-1]))
    jumps = np.flatnonzero(steps > 0.5)
    assert len(jumps) == 0, f"the tone jumps at {((jumps + 1) * WINDOW_S).round(2).tolist()} s"
