"""Levels, voice activity and the choice of speakers."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.media.engine.kernels import levels
from tests.media.kernels import sound
from tests.media.kernels import twins_mix as slow

twin = settings(deadline=None, max_examples=80)
Rows = npt.NDArray[np.int64]


def rows(voices: int) -> Rows:
    return np.zeros((voices, levels.WIDTH), np.int64)


def frame_at(level: int, samples: int = 160) -> sound.Sound:
    """Return a square wave of that many -dBov, as near as 16 bits come."""
    peak = round(32767 * 10 ** (-level / 20))
    return np.tile(np.array([peak, -peak], np.int16), samples // 2)


class TestRfc6464Section3:
    @twin
    @given(st.integers(0, 2**32 - 1), st.integers(0, 15), st.sampled_from([1, 7, 160, 320, 960]))
    def test_like_its_twin(self, seed: int, shift: int, samples: int) -> None:
        generator = np.random.default_rng(seed)
        frame = generator.integers(-32768, 32768, samples).astype(np.int16) >> shift
        power = levels.energy(frame, samples)
        assert power == sum(int(value) ** 2 for value in frame)
        assert levels.level_of(power, samples) == slow.level(frame.tolist())

    def test_known_levels(self) -> None:
        assert levels.level_of(levels.energy(np.full(160, -32768, np.int16), 160), 160) == 0
        for peak, expected in ((32767, 3), (3277, 23), (328, 43)):
            frame = sound.sine(1000, 160, 8000, peak=peak)
            assert levels.level_of(levels.energy(frame, 160), 160) == expected
        assert levels.level_of(0, 160) == 127
        # One sample of the smallest magnitude in a frame: -112.
        assert levels.level_of(1, 160) == 112
        assert levels.level_of(5, 0) == 127
        assert levels.level_of(levels.energy(np.zeros(4, np.int16), 900), 4) == 127

    def test_every_level(self) -> None:
        for level in range(110):
            power = int(2**30 * 10 ** (-level / 10) * 960 + 0.5)
            assert levels.level_of(power, 960) == level


class TestVoice:
    @twin
    @given(st.lists(st.tuples(st.integers(0, 127), st.integers(1, 60)), min_size=1, max_size=25))
    def test_like_its_twin(self, parts: list[tuple[int, int]]) -> None:
        row, beside = rows(1)[0], slow.Voice()
        for wanted, ticks in parts:
            frame = frame_at(wanted)
            for _ in range(ticks):
                level = levels.watch_level(row, frame, 160, False)
                assert level == row[levels.LEVEL] == slow.level(frame.tolist())
                beside.frame(level)
                assert row[levels.ACTIVE] == beside.active
                assert row[levels.SCORE_16] == beside.score
                assert row[levels.FLOOR_64] == round(64 * (beside.floor or 0))

    def test_speech_in_a_quiet_room(self) -> None:
        row = rows(1)[0]
        heard = []
        for level in [70] * 50 + [25] * 50 + [70] * 50:
            levels.watch_level(row, frame_at(level), 160, False)
            heard.append(int(row[levels.ACTIVE]))
        # At once, and 300 ms longer than it lasts.
        assert heard == [0] * 50 + [1] * 50 + [1] * levels.HANG_TICKS + [0] * 35

    def test_what_its_sender_says_is_none(self) -> None:
        row = rows(1)[0]
        heard = []
        for denied in [False] * 10 + [True] * 50 + [False] * 10:
            level = levels.watch_level(row, frame_at(25), 160, denied)
            # Nobody's word changes how loud it is.
            assert level == row[levels.LEVEL] == 25
            heard.append(int(row[levels.ACTIVE]))
        # Over as if it had become silent, and there again at once.
        over = 50 - levels.HANG_TICKS
        assert heard == [1] * (10 + levels.HANG_TICKS) + [0] * over + [1] * 10

    def test_a_steady_noise_becomes_background(self) -> None:
        row = rows(1)[0]
        for _ in range(3000):
            levels.watch_level(row, frame_at(45), 160, False)
        assert row[levels.ACTIVE] == 0
        levels.watch_level(row, frame_at(30), 160, False)
        assert row[levels.ACTIVE] == 1

    def test_speech_with_its_pauses_never_becomes_background(self) -> None:
        row = rows(1)[0]
        for _ in range(200):
            for level in [28] * 12 + [60] * 5:
                levels.watch_level(row, frame_at(level), 160, False)
                assert row[levels.ACTIVE] == 1

    def test_hum_below_the_threshold_is_silence(self) -> None:
        row = rows(1)[0]
        for level in [90] * 100 + [56] * 100:
            levels.watch_level(row, frame_at(level), 160, False)
            assert row[levels.ACTIVE] == 0


class Room:
    """A room whose parties' levels a test sets."""

    def __init__(self, voices: int, most: int) -> None:
        self.rows, self.most = rows(voices), most
        self.members = np.arange(voices, dtype=np.int64)

    def tick(self, *now: int) -> list[int]:
        for row, level in zip(self.rows, now, strict=True):
            levels.watch_level(row, frame_at(level), 160, False)
        chosen = np.full(len(now) + 1, -7, np.int64)
        count = levels.choose_speakers(
            self.rows, self.members, len(self.members), self.most, chosen
        )
        assert (chosen[count:] == -7).all()
        return sorted(chosen[:count].tolist())


class TestSpeakers:
    @settings(deadline=None, max_examples=40)
    @given(
        st.integers(0, 5),
        st.lists(st.lists(st.sampled_from([20, 26, 33, 127]), min_size=6, max_size=6), max_size=40),
        st.integers(1, 60),
    )
    def test_like_its_twin(self, most: int, moments: list[list[int]], ticks: int) -> None:
        room, beside = Room(6, most), [slow.Voice() for _ in range(6)]
        for now in moments:
            for _ in range(ticks):
                heard = room.tick(*now)
                for voice, level in zip(beside, now, strict=True):
                    voice.frame(level)
                assert heard == sorted(slow.chosen(beside, range(6), most))
                assert room.rows[:, levels.CHOSEN].tolist() == [v.chosen for v in beside]

    def test_who_speaks_first_is_heard_in_the_same_tick(self) -> None:
        room = Room(4, 2)
        for _ in range(20):
            assert room.tick(80, 80, 80, 80) == []
        assert room.tick(80, 30, 80, 80) == [1]

    def test_who_begins_takes_the_place_of_a_quieter_one_in_the_same_tick(self) -> None:
        room = Room(4, 2)
        for _ in range(50):
            assert room.tick(35, 80, 45, 80) == [0, 2]
        assert room.tick(35, 25, 45, 80) == [0, 1]

    def test_a_place_is_kept_over_a_pause_but_not_from_another_speaker(self) -> None:
        room = Room(3, 1)
        for _ in range(20):
            room.tick(30, 90, 90)
        for _ in range(levels.HANG_TICKS + levels.HOLD_TICKS):
            assert room.tick(90, 90, 90) == [0]
        assert room.tick(90, 90, 90) == []
        for _ in range(20):
            room.tick(30, 90, 90)
        for _ in range(levels.HANG_TICKS + 1):
            room.tick(90, 90, 90)
        assert room.tick(90, 30, 90) == [1]

    def test_two_of_the_same_loudness_do_not_take_turns(self) -> None:
        room = Room(3, 1)
        generator = np.random.default_rng(5)
        heard = {
            tuple(room.tick(*(30 + generator.integers(-2, 3, 3)).tolist())) for _ in range(300)
        }
        assert len(heard) == 1

    def test_the_loudest_are_heard(self) -> None:
        room = Room(5, 3)
        for _ in range(30):
            heard = room.tick(40, 20, 45, 30, 25)
        assert heard == [1, 3, 4]

    @pytest.mark.parametrize("wrong", [-1, 5, 2**40])
    def test_rows_that_are_not_there_are_passed_over(self, wrong: int) -> None:
        room = Room(2, 5)
        room.members = np.array([wrong, 1], np.int64)
        assert room.tick(30, 30) == [1]
        room.members = np.array([], np.int64)
        assert room.tick(30, 30) == []
