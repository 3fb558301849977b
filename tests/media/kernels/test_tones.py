"""Tones: their frequencies, levels and cadences, as one would measure them."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.media.engine import tone_plans
from pbx.media.engine.kernels import tones
from pbx.media.engine.tone_plans import Sine, Step, dtmf, parse_tone, program, tone
from tests.media.kernels import sound

ZERO_DBM0 = -3.01 - tone_plans.FULL_SCALE_SINE
"""In dBov."""

ALL = [(country, name) for country in tone_plans.plans() for name in tone_plans.TONES]


def played(words: tone_plans.Program, samples: int, *, frame: int = 160) -> sound.Sound:
    """Return the first samples, fetched frame by frame."""
    row = np.zeros(tones.WIDTH, np.int64)
    heard = []
    for start in range(0, samples, frame):
        out = np.full(frame + 4, 77, np.int16)
        wanted = min(frame, samples - start)
        done = tones.play_tone(row, words, wanted, out)
        assert 0 <= done <= wanted
        assert (out[wanted:] == 77).all()
        assert not out[done:wanted].any()
        heard.append(out[:wanted])
    return np.concatenate(heard)


def expected(steps: tuple[Step, ...], level: float, rate: int, samples: int) -> np.ndarray:
    """The twin: the sum of sines in floating point; each runs on while it is in the next step."""
    loudest = max(step.power for step in steps)
    peak = 32767 * 10 ** ((level - tone_plans.FULL_SCALE_SINE) / 20) / math.sqrt(loudest)
    wave, at, phases = np.zeros(samples), 0, [0.0] * tones.SINES
    while at < samples:
        for step in steps:
            length = step.milliseconds * rate // 1000 or samples
            part = min(length, max(samples - at, 0))
            for place in range(tones.SINES):
                if place >= len(step.sines):
                    phases[place] = 0.0
                    continue
                sine = step.sines[place]
                turns = phases[place] + np.arange(part) * sine.hertz / rate
                wave[at : at + part] += peak * math.sqrt(sine.power) * np.sin(2 * np.pi * turns)
                phases[place] += part * sine.hertz / rate
            at += part
    return wave


class TestGenerator:
    @settings(deadline=None, max_examples=40)
    @given(
        st.lists(
            st.tuples(
                st.lists(
                    st.builds(Sine, st.integers(50, 3800), st.integers(-20, 0)), max_size=4
                ).map(tuple),
                st.integers(1, 90),
            ),
            min_size=1,
            max_size=5,
        ),
        st.sampled_from([8000, 16000, 48000]),
        st.sampled_from([160, 960, 7]),
    )
    def test_like_its_twin(
        self, parts: list[tuple[tuple[Sine, ...], int]], rate: int, frame: int
    ) -> None:
        steps = (Step((Sine(1000),), 5), *(Step(*part) for part in parts))
        words = program(steps, rate, level=-13.0)
        samples = 300 * rate // 1000
        twin = expected(steps, -13.0, rate, samples)
        difference = played(words, samples, frame=frame) - twin
        # A sample's rounding and the polynomial's, for each of the sines.
        assert np.abs(difference).max() < 5

    @pytest.mark.parametrize("rate", [8000, 16000, 48000])
    @pytest.mark.parametrize("hertz", [350, 425, 1400, 3400])
    def test_purity_and_level(self, hertz: int, rate: int) -> None:
        words = program((Step((Sine(hertz),)),), rate, level=0.0)
        heard = played(words, rate, frame=rate // 50)
        assert sound.tone_level(heard, hertz, rate) == pytest.approx(ZERO_DBM0, abs=0.01)
        assert sound.rest_level(heard, hertz, rate) < -80

    def test_a_tone_that_lasts_an_hour_keeps_its_frequency(self) -> None:
        words = program(tone("CN", "dial"), 8000)
        row = np.zeros(tones.WIDTH, np.int64)
        out = np.zeros(160, np.int16)
        for _ in range(180_000):
            assert tones.play_tone(row, words, 160, out) == 160
        # 450 Hz is a whole number of turns in a second; the step is right to 1e-6 Hz.
        turns = row[tones.PHASES] / 2**32
        assert min(turns, 1 - turns) < 3600 * 1e-6

    def test_no_sample_jumps_where_frames_meet(self) -> None:
        whole = played(program(tone("US", "dial"), 8000), 8000)
        for frame in (80, 240, 1):
            assert (played(program(tone("US", "dial"), 8000), 8000, frame=frame) == whole).all()

    def test_a_tone_that_ends_is_silent_then(self) -> None:
        words = program(dtmf("5", on_ms=50, off_ms=30), 8000, repeats=False)
        row, out = np.zeros(tones.WIDTH, np.int64), np.zeros(160, np.int16)
        done = [tones.play_tone(row, words, 160, out) for _ in range(6)]
        assert done == [160, 160, 160, 160, 0, 0]
        assert row[tones.STEP] == -1

    @settings(deadline=None, max_examples=80)
    @given(
        st.lists(st.integers(-(2**40), 2**40), min_size=30, max_size=30),
        st.lists(st.integers(-(2**40), 2**40), min_size=6, max_size=6),
        st.integers(-5, 400),
    )
    def test_any_words_do_no_harm(self, words: list[int], state: list[int], samples: int) -> None:
        row, steps = np.array(state, np.int64), np.array(words, np.int64).reshape(3, 10)
        row[tones.STEP] %= 4
        steps[:, tones.NEXT] %= 5
        guarded = np.full(360, 77, np.int16)
        done = tones.play_tone(row, steps, samples, guarded[20:340])
        assert 0 <= done <= max(min(samples, 320), 0)
        assert (guarded[:20] == 77).all()
        assert (guarded[340:] == 77).all()


class TestItuE180:
    @pytest.mark.parametrize(("country", "name"), ALL)
    def test_every_tone_sounds_at_its_level_in_its_cadence(self, country: str, name: str) -> None:
        steps = tone(country, name)
        # What lasts to the end is not followed by the begin
        twice = (*steps, *steps) if steps[-1].milliseconds else steps
        samples = sum(step.milliseconds * 8 or 8000 for step in twice)
        heard = played(program(steps, 8000), samples).astype(float)
        at = 0
        for step in twice:
            length = step.milliseconds * 8 or 8000
            part = heard[at : at + length]
            at += length
            if not step.sines:
                assert not part.any()
                continue
            level = sound.level(part)
            weaker = 10 * math.log10(step.power / max(step.power for step in steps))
            assert level == pytest.approx(ZERO_DBM0 - 10 + weaker, abs=0.5)
            spectrum = np.abs(np.fft.rfft(part * np.hanning(length), 16000)) ** 2
            near = sum(
                spectrum[int(2 * sine.hertz) - 90 : int(2 * sine.hertz) + 91].sum()
                for sine in step.sines
            )
            assert near > 0.99 * spectrum.sum()

    def test_what_everybody_knows(self) -> None:
        assert tone("CN", "busy") == (Step((Sine(450),), 350), Step((), 350))
        assert tone("DE", "dial") == (Step((Sine(425),)),)
        assert tone("US", "ringback") == (Step((Sine(440), Sine(480)), 2000), Step((), 4000))
        assert [step.milliseconds for step in tone("GB", "ringback")] == [400, 200, 400, 2000]
        assert [step.sines for step in tone("FR", "information")] == [
            (Sine(950),),
            (Sine(1400),),
            (Sine(1800),),
            (),
        ]

    @pytest.mark.parametrize("country", tone_plans.plans())
    def test_each_country_has_its_own_tones(self, country: str) -> None:
        own = set(tone_plans.plans()[country])
        assert own <= set(tone_plans.TONES)
        assert own >= {"dial", "ringback", "busy", "congestion"}
        # E.180 knows no call waiting tone of theirs
        assert "waiting" in own or country in ("AE", "LU")

    def test_korea(self) -> None:
        """Its congestion tone isn't North America's, though the frequencies are."""
        assert tone("KR", "busy") == (Step((Sine(480), Sine(620)), 500), Step((), 500))
        assert [step.milliseconds for step in tone("KR", "congestion")] == [300, 200]

    def test_a_country_that_is_not_known_has_the_general_ones(self) -> None:
        assert tone("VN", "busy") == tone("general", "busy")
        with pytest.raises(KeyError):
            tone("CN", "howler")

    def test_a_loudness_that_swings(self) -> None:
        heard = played(program(parse_tone("400*20"), 8000, level=-10), 8000).astype(float)
        loudness = np.abs(heard).reshape(-1, 20).max(1)
        # From nothing to twice its mean, 20 times in a second.
        swings = np.abs(np.fft.rfft(loudness - loudness.mean()))
        assert np.argmax(swings) == 20
        assert loudness.min() < 0.05 * loudness.max()

    @pytest.mark.parametrize(
        "wrong",
        [
            "",
            "a",
            "425/",
            "425/x",
            "425/0",
            "425/-5",
            "425 0/500",
            "1+2+3+4+5",
            "425@3",
            "400*25*2",
        ],
    )
    def test_what_is_no_tone(self, wrong: str) -> None:
        with pytest.raises(ValueError):
            parse_tone(wrong)


class TestItuQ23:
    @pytest.mark.parametrize("digit", tone_plans.DTMF_DIGITS)
    def test_a_digit_is_two_frequencies(self, digit: str) -> None:
        heard = played(program(dtmf(digit), 8000, level=-4.0), 800)
        row, column = divmod("123A456B789C*0#D".index(digit), 4)
        low, high = (697, 770, 852, 941)[row], (1209, 1336, 1477, 1633)[column]
        rest = heard - sound.fitted(heard, low, 8000)
        rest = rest - sound.fitted(rest, high, 8000)
        assert sound.decibels(sound.rms(rest) / sound.rms(heard)) < -20
        assert sound.tone_level(heard, high, 8000) - sound.tone_level(
            heard, low, 8000
        ) == pytest.approx(2.0, abs=0.3)

    @pytest.mark.parametrize(("digits", "on"), [("", 100), ("12x", 100), ("5", 0)])
    def test_what_cannot_be_dialled(self, digits: str, on: int) -> None:
        with pytest.raises(ValueError):
            dtmf(digits, on_ms=on)

    def test_too_loud(self) -> None:
        with pytest.raises(ValueError, match="too loud"):
            program(dtmf("1"), 8000, level=3.0)
