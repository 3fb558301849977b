"""Conversion between any two codecs: a sine comes out as it went in, but for what the codecs cost.

What a pair may cost follows from what each of its codecs may alone (`coders.WORST`, which
`test_codec` holds them to): two noises that know nothing of each other add up by their power. What
models a voice (Opus' LP layer, GSM, G.729) spends its bits on the other codec's noise as well, the more
the higher the tone is, where its model has the least to say.
"""

import itertools
import math
from dataclasses import dataclass

import numpy as np
import pytest

from pbx.media import codecs
from pbx.media.codecs import CODECS, OPUS_RATES
from pbx.media.engine.coder import OpusSettings
from pbx.media.engine.kernels.resample import WINDOW, resample
from tests.media.kernels.coders import LIBRARIES, WORST, decoder, encoder
from tests.media.kernels.sound import Sound, rest_level, sine, tone_level

FRAMES = 70
SETTLED = 20
"""Frames that are left out: what is measured is a second."""

RESAMPLER = -60.0
"""Its images and aliases, in dB (`kernels.resample`)."""

TANDEM_DB = 2.0
"""What the noises of both codecs may come to beyond the sum of their power."""

MODELLING = (codecs.OPUS, codecs.GSM, codecs.G729)
EXACT = (codecs.L16_8000, codecs.L16_16000, codecs.L16_48000)
MODELLED_DB = {404: 6.0, 1004: 6.0, 2804: 12.0, 6004: 6.0}
"""The same of one that models a voice, behind one with a noise of its own."""

UPPER_BAND = -24.0
"""G.722 above 4 kHz, in place of `WORST`: it has two bits for a sample there."""

HIGH_GSM = -7.0
"""GSM above 2 kHz: it codes every third sample of what is left of the sound."""

LEVEL_DB = 0.5
"""What one codec may make louder or quieter; so may the filter between two rates."""

HIGH_GSM_LEVEL_DB = 6.0
TWICE_G729_LEVEL_DB = 2.5
"""G.729 behind itself: its filters are quantized twice."""


@dataclass(frozen=True)
class Coding:
    """One codec at one rate."""

    number: int
    rate: int

    def __str__(self) -> str:
        return f"{codecs.codec(self.number).name}-{self.rate // 1000}"

    def through(self, pcm: Sound) -> Sound:
        frame = self.rate // 50
        with (
            encoder(self.number, OpusSettings(rate=self.rate)) as sender,
            decoder(self.number, opus_rate=self.rate) as receiver,
        ):
            return np.concatenate([receiver.decode(one) for one in sender.frames(pcm, frame)])


CODINGS = [
    Coding(one.number, rate)
    for one in CODECS
    if one.number in LIBRARIES.codecs and one.pcm_rate
    for rate in (OPUS_RATES if one.number == codecs.OPUS else (one.pcm_rate,))
]
TONES = (404, 1004, 2804, 6004)
CASES = [
    pytest.param(one, other, hertz, id=f"{one}-to-{other}-{hertz}")
    for one, other in itertools.product(CODINGS, repeat=2)
    for hertz in TONES
    # What both of them carry.
    if hertz < 0.42 * min(one.rate, other.rate)
]


def resampled(pcm: Sound, rate: int, wanted: int) -> Sound:
    window, out = np.zeros(WINDOW, np.int16), np.zeros(wanted // 50, np.int16)
    frames = []
    for frame in np.split(pcm, len(pcm) * 50 // rate):
        assert resample(window, frame, len(frame), rate, wanted, out) == len(out)
        frames.append(out.copy())
    return np.concatenate(frames)


def peak_hertz(pcm: Sound, rate: int) -> float:
    power = np.abs(np.fft.rfft(pcm * np.hanning(len(pcm))))
    return float(np.argmax(power)) * rate / len(pcm)


def both(*rests: float) -> float:
    """The sum of noises, in dB."""
    return 10 * math.log10(sum(10 ** (one / 10) for one in rests))


def alone(number: int, hertz: int) -> float:
    """The THD+N that a codec may have of a tone, in dB."""
    return UPPER_BAND if number == codecs.G722 and hertz > 4000 else WORST[number]


def bounds(one: int, other: int, hertz: int) -> tuple[float, float]:
    """How much louder or quieter a tone may be behind both codecs, and its THD+N, in dB."""
    if codecs.GSM in (one, other) and hertz > 2000:
        return HIGH_GSM_LEVEL_DB, HIGH_GSM
    noisy = other in MODELLING and one not in EXACT
    more = MODELLED_DB[hertz] if noisy else TANDEM_DB
    level = TWICE_G729_LEVEL_DB if one == other == codecs.G729 else 3 * LEVEL_DB
    return level, both(alone(one, hertz), alone(other, hertz), RESAMPLER) + more


@pytest.mark.parametrize(("one", "other", "hertz"), CASES)
def test_a_sine(one: Coding, other: Coding, hertz: int) -> None:
    tone = sine(hertz, FRAMES * one.rate // 50, one.rate, peak=10000)
    heard = other.through(resampled(one.through(tone), one.rate, other.rate))
    settled = heard[SETTLED * other.rate // 50 :]
    assert len(settled) == (FRAMES - SETTLED) * other.rate // 50
    change = tone_level(settled, hertz, other.rate) - tone_level(tone, hertz, one.rate)
    rest = rest_level(settled, hertz, other.rate)
    print(f"{one} {other} {hertz} Hz: {change:+.2f} dB, rest {rest:.1f}")
    most, noise = bounds(one.number, other.number, hertz)
    assert abs(peak_hertz(settled, other.rate) - hertz) <= 1
    assert abs(change) < most
    assert rest < noise
