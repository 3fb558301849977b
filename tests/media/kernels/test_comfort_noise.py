"""Comfort noise: its level, its colour, and that nothing in a packet can hurt."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.media.engine.kernels import comfort_noise
from tests.media.kernels.coders import Guarded
from tests.media.kernels.sound import Sound, decibels, level, rms

RATES = (8000, 16000, 48000)


def generator(rate: int, seed: int = 1) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    noise = np.zeros(comfort_noise.WIDTH, np.int64)
    comfort_noise.start(noise, rate, seed)
    return noise


def packet(data: bytes) -> "np.ndarray[tuple[int], np.dtype[np.uint8]]":
    return np.frombuffer(data, np.uint8).copy()


def hiss(noise: "np.ndarray[tuple[int], np.dtype[np.int64]]", samples: int) -> Sound:
    pcm = np.zeros(samples, np.int16)
    assert comfort_noise.make_noise(noise, pcm, samples) == samples
    return pcm


def twin(rate: int, seed: int, level_below: int, samples: int) -> list[int]:
    """The same in plain Python."""
    pole = round(float(np.exp(-2 * np.pi * 800 / rate)) * 32768)
    shape = round((1 - float(np.exp(-2 * np.pi * 800 / rate)) ** 2) ** 0.5 * 32768)
    target = 0 if level_below == 127 else round(32767 * 10 ** (-level_below / 20) * 3**0.5 * 65536)
    amplitude = past = 0
    pcm = []
    for _ in range(samples):
        amplitude += (target - amplitude) // 128
        seed = (seed * 1664525 + 1013904223) % 2**32
        past = past * pole // 32768
        past += (seed // 65536 - 32768) * (amplitude * shape // 32768) // 32768
        pcm.append(min(max((past + 32768) // 65536, -32768), 32767))
    return pcm


class TestRfc3389Section3:
    @pytest.mark.parametrize("rate", RATES)
    @pytest.mark.parametrize("below", [20, 40, 60, 70])
    def test_the_level_is_what_was_said(self, rate: int, below: int) -> None:
        noise = generator(rate)
        comfort_noise.set_noise(noise, packet(bytes([below])), 1)
        heard = hiss(noise, 4 * rate)[rate // 2 :]
        assert abs(level(heard) + below) < 0.5

    def test_the_first_bit_is_none_of_the_level(self) -> None:
        noise = generator(8000)
        comfort_noise.set_noise(noise, packet(bytes([0x80 | 40])), 1)
        assert abs(level(hiss(noise, 16000)[4000:]) + 40) < 0.5

    def test_a_spectrum_is_left_out(self) -> None:
        one, other = generator(8000), generator(8000)
        comfort_noise.set_noise(one, packet(bytes([50])), 1)
        comfort_noise.set_noise(other, packet(bytes([50, 1, 254, 127, 0, 255])), 6)
        assert (hiss(one, 800) == hiss(other, 800)).all()

    def test_silence(self) -> None:
        noise = generator(8000)
        assert not hiss(noise, 8000).any()
        comfort_noise.set_noise(noise, packet(bytes([30])), 1)
        assert hiss(noise, 8000).any()
        comfort_noise.set_noise(noise, packet(bytes([127])), 1)
        hiss(noise, 8000)
        assert not hiss(noise, 8000).any()

    def test_a_new_level_comes_gently(self) -> None:
        noise = generator(8000)
        comfort_noise.set_noise(noise, packet(bytes([30])), 1)
        first = hiss(noise, 160)
        assert rms(first[:16]) < 0.3 * rms(first[120:])

    @pytest.mark.parametrize("rate", RATES)
    def test_it_falls_towards_high_frequencies(self, rate: int) -> None:
        noise = generator(rate)
        comfort_noise.set_noise(noise, packet(bytes([30])), 1)
        power = np.abs(np.fft.rfft(hiss(noise, 4 * rate).astype(np.float64)))
        hertz = np.fft.rfftfreq(4 * rate, 1 / rate)
        low = rms(power[(hertz > 100) & (hertz < 500)])
        high = rms(power[(hertz > 3000) & (hertz < 3900)])
        assert 8 < decibels(low / high) < 16

    def test_two_rooms_do_not_hiss_alike(self) -> None:
        one, other = generator(8000, seed=1), generator(8000, seed=2)
        for noise in (one, other):
            comfort_noise.set_noise(noise, packet(bytes([30])), 1)
        both = np.corrcoef(hiss(one, 8000), hiss(other, 8000))
        assert abs(both[0, 1]) < 0.1


class TestTwin:
    @settings(deadline=None, max_examples=50)
    @given(
        st.sampled_from(RATES),
        st.integers(0, 2**32 - 1),
        st.integers(0, 127),
        st.lists(st.integers(0, 400), max_size=4),
    )
    def test_every_sample(self, rate: int, seed: int, below: int, lengths: list[int]) -> None:
        noise = generator(rate, seed)
        comfort_noise.set_noise(noise, packet(bytes([below])), 1)
        heard = [one for length in lengths for one in hiss(noise, length).tolist()]
        assert heard == twin(rate, seed, below, sum(lengths))


class TestHostile:
    @settings(deadline=None, max_examples=100)
    @given(
        st.binary(max_size=64),
        st.sampled_from([None, -1, 1 << 40]),
        st.sampled_from([-1, 0, 160, 1 << 40]),
    )
    def test_any_packet(self, data: bytes, length: int | None, samples: int) -> None:
        noise = generator(8000)
        claimed = len(data) if length is None else length
        comfort_noise.set_noise(noise, packet(data), claimed)
        pcm = Guarded(320, np.int16)
        made = comfort_noise.make_noise(noise, pcm.inside, samples)
        pcm.check()
        assert made == min(max(samples, 0), 320)
        if length is not None or not data:
            assert not pcm.inside[:made].any()
