"""Concealment by its sound: holes that nobody hears, and silence when there is nothing more."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.media.engine.kernels import plc
from tests.media.kernels.coders import Guarded
from tests.media.kernels.sound import Sound, decibels, level, rms, sine
from tests.media.kernels.twins_plc import ConcealerTwin

RATES = (8000, 16000, 48000)


class Concealer:
    """A concealer with guarded buffers."""

    def __init__(self, rate: int) -> None:
        self.row = np.zeros(plc.WIDTH, np.int64)
        self._memory = Guarded(plc.MEMORY, np.int16)
        assert plc.start(self.row, self._memory.inside, rate)

    def heard(self, pcm: Sound) -> Sound:
        out = Guarded(len(pcm), np.int16)
        out.inside[:] = pcm
        plc.heard(self.row, self._memory.inside, out.inside, len(pcm))
        out.check()
        self._memory.check()
        return out.inside

    def conceal(self, samples: int, room: int | None = None) -> tuple[Sound, bool]:
        out = Guarded(samples if room is None else room, np.int16)
        sounding = plc.conceal(self.row, self._memory.inside, out.inside, samples)
        out.check()
        self._memory.check()
        return out.inside, bool(sounding)


def with_holes(sound: Sound, rate: int, holes: set[int]) -> Sound:
    """Return what is heard of `sound` in frames of 20 ms if these are lost."""
    frame = rate // 50
    concealer = Concealer(rate)
    heard = [
        concealer.conceal(frame)[0]
        if number in holes
        else concealer.heard(sound[number * frame : (number + 1) * frame])
        for number in range(len(sound) // frame)
    ]
    return np.concatenate(heard)


def steepest(sound: Sound) -> int:
    return int(np.abs(np.diff(sound.astype(np.int64))).max())


class TestSound:
    @pytest.mark.parametrize("rate", RATES)
    @pytest.mark.parametrize("hertz", [120, 204, 404, 1004, 3004])
    def test_no_click(self, rate: int, hertz: int) -> None:
        """Holes of 20 ms in a tone: no step is steeper than the tone's own."""
        frame = rate // 50
        tone = sine(hertz, 40 * frame, rate, peak=10000)
        heard = with_holes(tone, rate, {7, 15, 16, 24, 33})
        assert steepest(heard) <= 1.1 * steepest(tone)

    @pytest.mark.parametrize("rate", RATES)
    @pytest.mark.parametrize("hertz", [200, 400, 1000])
    def test_a_hole_in_a_tone_is_filled(self, rate: int, hertz: int) -> None:
        frame = rate // 50
        tone = sine(hertz, 12 * frame, rate, peak=10000)
        hole = slice(8 * frame, 9 * frame)
        heard = with_holes(tone, rate, {8})
        assert decibels(rms(heard[hole] - tone[hole].astype(np.float64)) / rms(tone)) < -15
        # The loss costs less than 1 dB of level.
        assert level(heard[hole]) > level(tone) - 1

    @pytest.mark.parametrize("rate", RATES)
    def test_it_fades_out_within_60_ms(self, rate: int) -> None:
        frame = rate // 50
        concealer = Concealer(rate)
        for number in range(5):
            concealer.heard(sine(400, 5 * frame, rate, peak=10000)[number * frame :][:frame])
        levels = []
        sounding = True
        for _ in range(5):
            pcm, sounding = concealer.conceal(frame)
            levels.append(rms(pcm))
        assert levels[0] > levels[1] > levels[2] > 0
        assert levels[3:] == [0, 0]
        assert not sounding

    @pytest.mark.parametrize("rate", RATES)
    def test_it_says_when_there_is_silence(self, rate: int) -> None:
        concealer = Concealer(rate)
        assert [concealer.conceal(rate // 50)[1] for _ in range(4)] == [True, True, False, False]

    @pytest.mark.parametrize("rate", RATES)
    def test_sound_comes_back_untouched_after_1_25_ms(self, rate: int) -> None:
        frame = rate // 50
        tone = sine(1004, 20 * frame, rate, peak=10000)
        heard = with_holes(tone, rate, {8, 9, 10, 11})
        blended = rate // 800
        assert (heard[12 * frame + blended :] == tone[12 * frame + blended :]).all()
        assert (heard[: 8 * frame] == tone[: 8 * frame]).all()

    @pytest.mark.parametrize("rate", RATES)
    def test_silence_is_not_disturbed(self, rate: int) -> None:
        assert not with_holes(np.zeros(rate, np.int16), rate, {3, 20, 21, 22, 40}).any()

    def test_no_other_rate(self) -> None:
        row, memory = np.ones(plc.WIDTH, np.int64), np.ones(plc.MEMORY, np.int16)
        assert not plc.start(row, memory, 44100)
        assert row.all()
        assert memory.all()


class TestTwin:
    @settings(deadline=None, max_examples=40)
    @given(data=st.data())
    def test_every_sample(self, data: st.DataObject) -> None:
        rate = data.draw(st.sampled_from([8000, 16000]))
        concealer, twin = Concealer(rate), ConcealerTwin(rate)
        for _ in range(data.draw(st.integers(1, 8))):
            length = data.draw(st.sampled_from([0, 1, 80, 160, 320, 480]))
            if data.draw(st.booleans()):
                assert concealer.conceal(length)[0].tolist() == twin.conceal(length)
                continue
            seed = data.draw(st.integers(0, 1 << 32))
            loud = data.draw(st.sampled_from([3, 300, 32768]))
            noise = np.random.default_rng(seed).integers(-loud, loud, length, np.int16)
            hertz = data.draw(st.sampled_from([150, 1000]))
            pcm = noise if seed % 2 else sine(hertz, length, rate, peak=loud - 1)
            assert concealer.heard(pcm).tolist() == twin.heard(pcm.tolist())

    def test_at_48_khz(self) -> None:
        concealer, twin = Concealer(48000), ConcealerTwin(48000)
        noise = np.random.default_rng(48).integers(-9000, 9000, 4 * 960, np.int16)
        sound = (sine(204, len(noise), 48000, peak=9000) + noise // 16).astype(np.int16)
        for number in range(4):
            frame = sound[number * 960 : (number + 1) * 960]
            assert concealer.heard(frame).tolist() == twin.heard(frame.tolist())
            assert concealer.conceal(960)[0].tolist() == twin.conceal(960)


class TestBounds:
    @pytest.mark.parametrize("rate", RATES)
    @pytest.mark.parametrize("samples", [-1, 0, 1, 2048, 5760, 1 << 40])
    def test_any_length(self, rate: int, samples: int) -> None:
        concealer = Concealer(rate)
        for room in (0, 1, 960, 5760):
            concealer.conceal(samples, room)
            concealer.heard(np.full(room, 32767, np.int16))
