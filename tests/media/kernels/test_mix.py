"""The mixer: its arithmetic beside the twin, and what one hears of it."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.media.engine.kernels import mix
from tests.media.kernels import sound
from tests.media.kernels import twins_mix as slow

Frames = npt.NDArray[np.int16]

twin = settings(deadline=None, max_examples=60)
seeds = st.integers(0, 2**32 - 1)


def noise(seed: int, parties: int, samples: int, peak: int) -> Frames:
    generator = np.random.default_rng(seed)
    return generator.integers(-peak, peak, (parties, samples), np.int16, endpoint=True)


def fresh() -> npt.NDArray[np.int64]:
    return np.zeros(mix.WIDTH, np.int64)


def added(frames: Frames, members: list[int]) -> npt.NDArray[np.int32]:
    total = np.full(frames.shape[1], 99, np.int32)
    rows = np.array([*members, -1], np.int64)
    done = mix.add_parties(frames, rows, len(members), frames.shape[1], total)
    assert done == len(members)
    return total


class TestSums:
    @twin
    @given(seeds, st.integers(0, 13), st.sampled_from([160, 320, 960, 7]))
    def test_like_its_twin(self, seed: int, parties: int, samples: int) -> None:
        frames = noise(seed, 14, samples, 32767)
        members = np.random.default_rng(seed).permutation(14)[:parties].tolist()
        assert added(frames, members).tolist() == frames[members].astype(int).sum(0).tolist()

    def test_a_row_that_is_not_there_adds_nothing(self) -> None:
        frames = noise(1, 2, 160, 1000)
        total = np.ones(160, np.int32)
        for wrong in (-1, 2, 2**40):
            rows = np.array([0, wrong], np.int64)
            assert mix.add_parties(frames, rows, 2, 160, total) == 0
            assert not total.any()
        assert mix.add_parties(frames, np.array([0, 1], np.int64), 3, 160, total) == 0

    @twin
    @given(seeds, st.integers(-9000, 40000))
    def test_gain_like_its_twin(self, seed: int, gain: int) -> None:
        frame = noise(seed, 1, 160, 32767)[0]
        expected = slow.scaled(frame.tolist(), max(0, min(32767, gain)))
        mix.scale(frame, 160, gain)
        assert frame.tolist() == expected

    def test_gain_of_one_changes_nothing(self) -> None:
        frame = np.arange(-32768, 32768).astype(np.int16)
        before = frame.copy()
        mix.scale(frame, len(frame), mix.UNITY)
        assert (frame == before).all()


class TestLimiter:
    @twin
    @given(
        seeds, st.lists(st.integers(0, 19), min_size=1, max_size=8), st.sampled_from([160, 960, 5])
    )
    def test_like_its_twin(self, seed: int, parties: list[int], samples: int) -> None:
        """Frames of a room that changes: from silence to 19 parties at full scale."""
        row, beside = fresh(), slow.Limiter()
        out = np.zeros(samples, np.int16)
        for number, count in enumerate(parties):
            frames = noise(seed + number, 20, samples, 32767)
            total = added(frames, list(range(count)))
            assert mix.mix_all(row, total, samples, out) == samples
            assert out.tolist() == beside.hear(total.tolist())
            assert row[mix.REDUCTION] == 4096 - beside.gain

    @twin
    @given(seeds, st.integers(1, 12))
    def test_minus_own(self, seed: int, parties: int) -> None:
        frames = noise(seed, parties, 160, 32767)
        total = added(frames, list(range(parties)))
        for party in range(parties):
            out = np.zeros(160, np.int16)
            mix.mix_minus(fresh(), total, frames[party], 160, out)
            others = np.delete(frames, party, 0).astype(int).sum(0)
            assert out.tolist() == slow.Limiter().hear(others.tolist())


class TestSound:
    def test_one_talker_is_heard_bit_for_bit(self) -> None:
        """Also at full scale, also in a large room."""
        frames = np.zeros((30, 160), np.int16)
        frames[7] = noise(3, 1, 160, 32767)[0]
        frames[7, :2] = 32767, -32767
        total = added(frames, list(range(30)))
        out = np.zeros(160, np.int16)
        mix.mix_minus(fresh(), total, frames[2], 160, out)
        assert (out == frames[7]).all()
        mix.mix_all(fresh(), total, 160, out)
        assert (out == frames[7]).all()
        mix.mix_minus(fresh(), total, frames[7], 160, out)
        assert not out.any()

    @pytest.mark.parametrize("samples", [160, 320, 960])
    def test_three_loud_talkers_are_not_distorted(self, samples: int) -> None:
        """Three tones near full scale: the sum is far too loud, and comes out clean."""
        rate = 50 * samples
        tones = [sound.sine(hertz, rate, rate, peak=30000) for hertz in (440, 1000, 1750)]
        row, heard = fresh(), []
        for start in range(0, rate, samples):
            frames = np.stack([tone[start : start + samples] for tone in tones])
            out = np.zeros(samples, np.int16)
            mix.mix_all(row, added(frames, [0, 1, 2]), samples, out)
            heard.append(out)
        steady = np.concatenate(heard[10:])
        rest = steady.astype(float)
        for hertz in (440, 1000, 1750):
            rest -= sound.fitted(steady, hertz, rate)
        assert sound.level(steady) > -9
        assert sound.decibels(sound.rms(rest) / sound.rms(steady)) < -40
        assert int(np.abs(steady.astype(int)).max()) <= 32767

    def test_no_sample_changes_its_sign(self) -> None:
        for seed in range(20):
            frames = noise(seed, 19, 160, 32767)
            total = added(frames, list(range(19)))
            out = np.zeros(160, np.int16)
            mix.mix_all(fresh(), total, 160, out)
            assert (np.sign(out) * np.sign(total) >= 0).all()

    def test_the_gain_comes_back_without_a_jump(self) -> None:
        loud = np.stack([sound.sine(500, 160, 8000, peak=32000)] * 2)
        quiet = np.stack([sound.sine(500, 160, 8000, peak=8000)] * 2)
        row, out = fresh(), np.zeros(160, np.int16)
        mix.mix_all(row, added(loud, [0, 1]), 160, out)
        assert 0.45 < 1 - row[mix.REDUCTION] / 4096 < 0.55
        heard = []
        for _ in range(40):
            mix.mix_all(row, added(quiet, [0, 1]), 160, out)
            heard.append(out.copy())
        whole = np.concatenate(heard)
        assert row[mix.REDUCTION] == 0
        assert (whole[-160:] == 2 * quiet[0]).all()
        # The steepest that a sine of that peak is, and what a gain's step may add.
        assert np.abs(np.diff(whole.astype(int))).max() < 16000 * 2 * np.pi * 500 / 8000 + 300
