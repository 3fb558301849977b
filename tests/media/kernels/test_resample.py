"""The filters between the rates: beside the twin, and by ear: levels, images, aliases."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.media.engine.kernels import resample as r
from tests.media.kernels import sound
from tests.media.kernels import twins_resample as slow
from tests.media.kernels.design_filters import FILTERS, Filter, response

HALVES = {2: r._TAPS_8_16, 3: r._TAPS_16_48, 6: r._TAPS_8_48}
PAIRS = [(8000, 16000), (16000, 48000), (8000, 48000), (16000, 8000), (48000, 16000), (48000, 8000)]
pairs = pytest.mark.parametrize(("rate", "wanted"), PAIRS)


def through(pcm: sound.Sound, rate: int, wanted: int, *, frame_ms: int = 20) -> sound.Sound:
    """Return what comes out, frame by frame."""
    window = np.zeros(r.WINDOW, np.int16)
    length = rate * frame_ms // 1000
    heard = []
    for start in range(0, len(pcm), length):
        frame = pcm[start : start + length]
        out = np.full(length * 6 + 8, 77, np.int16)
        made = r.resample(window, frame, len(frame), rate, wanted, out)
        assert made == len(frame) * wanted // rate
        assert (out[made:] == 77).all()
        heard.append(out[:made])
    return np.concatenate(heard)


class TestDesign:
    @pytest.mark.parametrize("item", FILTERS, ids=lambda item: item.name)
    def test_the_numbers_are_those_of_the_design(self, item: Filter) -> None:
        # Another linear algebra may round a tap the other way.
        assert np.abs(np.array(getattr(r, item.name)) - item.quantized()).max() <= 1

    @pytest.mark.parametrize("item", FILTERS, ids=lambda item: item.name)
    def test_bands(self, item: Filter) -> None:
        half = getattr(r, item.name)
        for taps in (
            np.array([*half, *half[::-1]]) / (item.factor * 2**14),
            r._decimating(half, item.factor) / 2**15,
        ):
            passed = response(taps, np.linspace(0, item.passes, 400), item.high)
            assert sound.decibels(passed.max()) < 0.01
            assert sound.decibels(passed.min()) > -0.16
            stopped = response(taps, np.linspace(item.stops, item.high / 2, 4000), item.high)
            assert sound.decibels(stopped.max()) < -66

    @pytest.mark.parametrize("factor", HALVES)
    def test_no_sound_overflows_a_sum(self, factor: int) -> None:
        half = HALVES[factor]
        phases = np.abs(r._phases(half, factor).astype(int)).sum(1)
        assert phases.max() * 32768 + (1 << 13) < 2**31
        assert np.abs(r._decimating(half, factor).astype(int)).sum() * 32768 + (1 << 14) < 2**31


class TestTwins:
    @settings(deadline=None, max_examples=10)
    @given(st.integers(0, 2**32 - 1), st.sampled_from([100, 3000, 32767]), st.sampled_from(PAIRS))
    def test_like_its_twin(self, seed: int, peak: int, pair: tuple[int, int]) -> None:
        rate, wanted = pair
        generator = np.random.default_rng(seed)
        pcm = generator.integers(-peak - 1, peak, 12 * rate // 1000, np.int16, endpoint=True)
        if peak == 32767:
            # The worst of sums: every sample at one end or the other.
            pcm = np.where(pcm < 0, np.int16(-32768), np.int16(32767))
        factor = max(rate, wanted) // min(rate, wanted)
        twin = slow.raised if wanted > rate else slow.lowered
        expected = twin(pcm.tolist(), HALVES[factor], factor)
        assert through(pcm, rate, wanted, frame_ms=4).tolist() == expected

    @pairs
    @pytest.mark.parametrize("frame_ms", [10, 2])
    def test_frames_leave_no_seam(self, rate: int, wanted: int, frame_ms: int) -> None:
        pcm = np.random.default_rng(4).integers(-9000, 9000, rate // 10).astype(np.int16)
        whole = through(pcm, rate, wanted)
        assert (through(pcm, rate, wanted, frame_ms=frame_ms) == whole).all()


def edge(low: int) -> int:
    """Return the highest frequency that the voice of a rate has."""
    return {8000: 3400, 16000: 7000}[low]


class TestSound:
    @pairs
    @pytest.mark.parametrize("part", [0.03, 0.1, 0.3, 0.6, 0.9, 1.0])
    def test_a_sine_keeps_level_and_purity(self, rate: int, wanted: int, part: float) -> None:
        """Within 0.25 dB, and all images, aliases, harmonics and noise 62 dB below."""
        hertz = edge(min(rate, wanted)) * part
        given = sound.sine(hertz, rate // 2, rate, peak=16000)
        heard = through(given, rate, wanted)[wanted // 50 :]
        assert sound.tone_level(heard, hertz, wanted) == pytest.approx(sound.level(given), abs=0.25)
        assert sound.rest_level(heard, hertz, wanted) < -62

    @pytest.mark.parametrize(("rate", "wanted"), PAIRS[3:])
    def test_what_the_lower_rate_cannot_carry_is_gone(self, rate: int, wanted: int) -> None:
        first = {8000: 4600, 16000: 9000}[wanted]
        for hertz in np.linspace(first, rate / 2 - 100, 8):
            given = sound.sine(float(hertz), rate // 4, rate, peak=30000)
            assert sound.level(through(given, rate, wanted)[wanted // 50 :]) < -66

    @pytest.mark.parametrize(("rate", "wanted"), PAIRS[:3])
    def test_up_and_down_again_is_the_same_but_later(self, rate: int, wanted: int) -> None:
        given = sound.sine(700, rate // 4, rate, peak=9000) + sound.sine(
            2900, rate // 4, rate, peak=9000
        )
        heard = through(through(given, rate, wanted), wanted, rate)
        # Two filters of 24 taps for each sample of the lower rate: 24 samples later, about.
        best = max(
            sound.decibels(
                sound.rms(given[: -late or None]) / sound.rms(heard[late:] - given[: -late or None])
            )
            for late in range(20, 28)
        )
        assert best > 20 if rate == 8000 else best > 15

    @pairs
    def test_a_full_scale_square_saturates_and_does_not_wrap(self, rate: int, wanted: int) -> None:
        given = np.where(np.arange(rate // 5) % (rate // 100) < rate // 200, 32767, -32768)
        heard = through(given.astype(np.int16), rate, wanted).astype(int)
        period = wanted // 100
        middle = heard[5 * period :].reshape(-1, period)
        # Away from the edges the signal stays where it is.
        assert (np.abs(middle).max(axis=0) > 20000).sum() > 0.9 * period


class TestAnything:
    @settings(deadline=None, max_examples=60)
    @given(
        st.sampled_from([*PAIRS, (8000, 8000), (8000, 44100), (0, 8000), (-1, -1)]),
        st.integers(-10, 2000),
        st.integers(0, 1000),
        st.integers(0, 3000),
        st.integers(0, 1200),
    )
    def test_nothing_is_touched_outside(
        self, pair: tuple[int, int], samples: int, here: int, room: int, words: int
    ) -> None:
        pcm = np.full(here, 1000, np.int16)
        guarded = np.full(room + 40, 77, np.int16)
        window = np.zeros(words + 40, np.int16)
        window[:20] = window[-20:] = 55
        made = r.resample(window[20 : 20 + words], pcm, samples, *pair, guarded[20 : 20 + room])
        assert 0 <= made <= room
        assert (guarded[:20] == 77).all()
        assert (guarded[20 + made :] == 77).all()
        assert (window[:20] == 55).all()
        assert (window[-20:] == 55).all()


def test_rates_that_are_not_known_make_nothing() -> None:
    out: npt.NDArray[np.int16] = np.zeros(2000, np.int16)
    window = np.zeros(r.WINDOW, np.int16)
    assert r.resample(window, np.ones(160, np.int16), 160, 8000, 44100, out) == 0
    assert not out.any()
