"""Speech as espeak-ng makes it, at a telephone's rate."""

import subprocess
import tempfile
import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt

RATE = 8000

_BAND_HZ = 3600
"""What is left of it, before it gets that rate."""


def speech(voice: str) -> npt.NDArray[np.float64]:
    """Return our licence, read aloud; its loudest sample is at 28000.

    Args:
        voice: espeak-ng's name of it.
    """
    text = (Path(__file__).parents[3] / "LICENSE").read_text("utf-8")
    with tempfile.TemporaryDirectory(prefix="speech-") as folder:
        file = str(Path(folder) / "speech.wav")
        words = ["espeak-ng", "-v", voice, "-s", "170", "-w", file, "--", text]
        subprocess.run(words, check=True, timeout=60)
        with wave.open(file) as opened:
            rate = opened.getframerate()
            said = np.frombuffer(opened.readframes(opened.getnframes()), np.int16).astype(float)
    assert len(said) > 20 * rate
    spectrum = np.fft.rfft(said)
    spectrum[int(len(said) * _BAND_HZ / rate) :] = 0
    said = np.fft.irfft(spectrum, len(said))
    moments = np.arange(int(len(said) / rate * RATE)) * rate / RATE
    signal = np.interp(moments, np.arange(len(said)), said)
    loud: npt.NDArray[np.float64] = signal * (28000 / np.abs(signal).max())
    return loud
