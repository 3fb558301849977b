"""The peer's clock runs too fast or too slow: what is taken out or put in isn't heard.

Sines, which have an exact period, are in `test_jitter`; here are sounds that have none.
"""

from dataclasses import dataclass, field
from functools import cache

import numpy as np
import pytest

from pbx.media.engine.kernels import jitter_row as c
from pbx.media.engine.kernels.timescale import PATIENT
from tests.media.kernels import twins_timescale as twins
from tests.media.kernels.networks import Listener, Network, Packet, Samples, Talker, uniform
from tests.media.kernels.speech import RATE, speech

SECONDS = 600
SHORTEST, LONGEST = RATE // 400, RATE // 100
"""Of what is taken out or put in at once, as `playout` has it."""


@dataclass
class Cut:
    """One time that the sound got shorter or longer.

    Args:
        line: the sound that it was done to.
        change: samples more.
        refused: how often it had not been done before.
        left: samples that were in the line when the packet was decoded, at the least.
    """

    line: list[int]
    change: int
    refused: int
    left: int

    @property
    def unheard(self) -> bool:
        """Whether it was done in quiet, or where the sound is as alike as the kernel wants it."""
        longest = {LONGEST, min(LONGEST, self.left)}
        periods = [twins.find_period(self.line, SHORTEST, one, PATIENT) for one in longest]
        return abs(self.change) in periods


@dataclass
class Ear(Listener):
    """Keeps what was done to the sound."""

    cuts: list[Cut] = field(default_factory=list)
    _held: list[int] = field(default_factory=list)
    _refused: int = 0
    _left: int = 0

    def check(self) -> None:
        """As in `test_jitter`, where it is done; here it would take most of the time."""

    def decode(self) -> int:
        samples = super().decode()
        self._held = self.line[: int(self.row[c.LINE]) + samples].tolist()
        self._refused = int(self.row[c.REFUSALS])
        self._left = int(self.row[c.LOW_LEFT])
        return samples

    def _stretch_marks(self, held: int, change: int) -> None:
        super()._stretch_marks(held, change)
        if change:
            self.cuts.append(Cut(self._held, change, self._refused, self._left))


def heard(sound: Samples, ppm: float, seconds: float = SECONDS) -> Ear:
    """Return what has heard a sound, again and again, by a clock that is wrong.

    Nothing may get lost of it, and the buffer must follow the clock.
    """
    packets = []
    for number, (sent, packet) in enumerate(Talker(clock_ppm=ppm).packets(seconds + 1)):
        at = 160 * number % (len(sound) - 160)
        payload = sound[at : at + 160].astype(">i2").tobytes()
        moment = packet.sequence, packet.timestamp
        packets.append((sent, Packet(sent, *moment, payload, packet.marker)))
    ear = Ear()
    ear.run(Network(delay=uniform(8)).carry(iter(packets)), seconds)
    assert ear.row[c.CONCEALED] == ear.row[c.RESYNCS] == 0
    assert ear.row[c.LATE] == ear.row[c.DISCARDED] == 0
    assert max(ear.delays[200:]) <= 60
    moved = sum(cut.change for cut in ear.cuts)
    # 200 ppm of the time; the delay itself may wander by a tick and a half.
    assert abs(moved + ppm * 1e-6 * seconds * RATE) <= 0.030 * RATE
    return ear


@cache
def music() -> Samples:
    """Chords that swell, with vibrato, over a beat of noise: nothing repeats itself exactly."""
    moments = np.arange(60 * RATE) / RATE
    dice = np.random.default_rng(4)
    sound = np.zeros(len(moments))
    for number, hertz in enumerate((220.0, 277.18, 329.63, 415.3, 554.37)):
        vibrato = 0.004 * hertz * np.sin(2 * np.pi * (4.5 + 0.3 * number) * moments)
        phase = 2 * np.pi * np.cumsum(hertz + vibrato) / RATE
        swell = 0.6 + 0.4 * np.sin(moments * (1 + number) / 3)
        sound += 1800 * swell * (np.sin(phase) + 0.5 * np.sin(2 * phase) + 0.3 * np.sin(3 * phase))
    beat = np.exp(-12 * (moments % 0.5)) * dice.normal(0, 2500, len(moments))
    return np.clip(np.rint(sound + beat), -32768, 32767).astype(np.int16)


@pytest.mark.parametrize("ppm", [-200, 200])
class TestTenMinutes:
    def test_speech(self, ppm: float) -> None:
        ear = heard(np.rint(0.5 * speech("en")).astype(np.int16), ppm)
        assert [cut for cut in ear.cuts if not cut.unheard] == []

    def test_music(self, ppm: float) -> None:
        ear = heard(music(), ppm)
        assert [cut for cut in ear.cuts if not cut.unheard] == []

    def test_noise(self, ppm: float) -> None:
        """It is alike nowhere, and one place in it sounds as another: only the clock matters."""
        noise = np.random.default_rng(6).normal(0, 3000, 60 * RATE)
        assert heard(np.rint(noise).astype(np.int16), ppm, 150).cuts
