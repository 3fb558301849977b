"""One pitch period more or less, and nobody hears it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.media.engine.kernels.timescale import lengthen, shorten
from tests.media.kernels import twins_timescale as twins
from tests.media.kernels.networks import jumps, sine

twin = settings(deadline=None, max_examples=60)

loud = st.integers(-32768, 32767)
sounds = st.one_of(
    st.lists(loud, max_size=120),
    st.lists(st.integers(-70, 70), max_size=200),
    st.tuples(st.lists(loud, min_size=1, max_size=25), st.integers(1, 8)).map(
        lambda p: p[0] * p[1]
    ),
    st.integers(0, 160).map(lambda count: [-32768, 32767] * count),
)
bounds = st.tuples(st.integers(-1, 50), st.integers(-1, 80))


class TestBesideTheTwin:
    @twin
    @given(sounds, bounds, st.sampled_from([0, 9, 10, 29, 30, 10**6]), st.integers(0, 30))
    def test_any_sound(
        self, sound: list[int], limits: tuple[int, int], refusals: int, room: int
    ) -> None:
        for longer in (False, True):
            line = np.full(len(sound) + room, 111, np.int16)
            line[: len(sound)] = sound
            if longer:
                change = lengthen(line, len(sound), *limits, refusals)
                expected = twins.lengthened(sound, len(line), *limits, refusals)
            else:
                change = -shorten(line, len(sound), *limits, refusals)
                expected = twins.shortened(sound, *limits, refusals)
            assert len(sound) + change == len(expected)
            assert line[: len(expected)].tolist() == expected
            # What is behind the sound is nobody's.
            assert (line[max(len(sound), len(expected)) :] == 111).all()

    def test_more_than_there_is(self) -> None:
        line = sine(0, 100, 431, 8000)
        assert shorten(line, 101, 20, 40, 0) == 0
        assert lengthen(line, 101, 20, 40, 0) == 0


class TestSound:
    @pytest.mark.parametrize("rate", [8000, 16000, 48000])
    @pytest.mark.parametrize("hertz", [110.0, 431.0, 997.0, 1800.0])
    def test_sine_keeps_its_phase(self, rate: int, hertz: float) -> None:
        count = rate // 50
        for change in (shorten, lengthen):
            line = np.zeros(2 * count, np.int16)
            line[:count] = sine(0, count, hertz, rate)
            period = change(line, count, rate // 400, rate // 100, 0)
            assert rate // 400 <= period <= rate // 100
            left = count + (period if change is lengthen else -period)
            whole = np.ones(left, np.bool_)
            assert jumps(line[:left], whole, hertz, rate) < 0.03

    def test_white_noise_is_left_alone_for_a_while(self) -> None:
        noise = np.random.default_rng(5).integers(-8000, 8000, 160).astype(np.int16)
        before = noise.copy()
        assert shorten(noise, 160, 20, 80, 0) == 0
        assert (noise == before).all()
        assert shorten(noise, 160, 20, 80, 30) > 0

    def test_quiet_noise_is_not(self) -> None:
        noise = np.random.default_rng(5).integers(-90, 90, 160).astype(np.int16)
        assert shorten(noise, 160, 20, 80, 0) > 0

    def test_silence(self) -> None:
        line = np.zeros(320, np.int16)
        assert shorten(line, 160, 20, 80, 0) == 20
        assert lengthen(line, 160, 20, 80, 0) == 20
