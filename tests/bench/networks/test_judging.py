"""What the bench makes of sound whose faults are known."""

import numpy as np
import pytest

from tests.bench.networks.hearing import Playout
from tests.bench.networks.judging import Figures, judge
from tests.bench.networks.voice import HERTZ, PEAK, PIECE, RATE, Wave, noise, speech
from tests.media.kernels.sound import sine

SECONDS = 6.0
SAID = noise(SECONDS)
JUDGED = round((SECONDS - 1.5) * 50)
"""Pieces."""

DELAY_MS = 100.0


def heard(sound: Wave | None = None, delay_ms: float = DELAY_MS) -> Wave:
    """The talk as it is heard later, as long as the bench listens."""
    spoken = speech(SECONDS).astype(np.float64) if sound is None else sound
    # A packet is sent 20 ms after its sound began.
    before = np.zeros(round((delay_ms / 1000 - 0.02) * RATE))
    return np.concatenate([before, spoken, np.zeros(RATE)])


def figures(sound: Wave, wait_ms: Wave | None = None, gap: slice = slice(0)) -> Figures:
    sent = np.ones(len(sound), np.bool_)
    sent[gap] = False
    return judge(Playout(sound, np.zeros(len(sound)) if wait_ms is None else wait_ms, sent), SAID)


def test_what_is_heard_as_it_was_said() -> None:
    found = figures(heard())
    assert (found.whole, found.pure, found.wrong, found.hole_ms) == (1, 1, 0, 0)
    assert found.delay_ms == pytest.approx(DELAY_MS, abs=0.2)
    assert found.mos == pytest.approx(4.36, abs=0.02)


@pytest.mark.parametrize("delay_ms", [40.0, 250.0])
def test_a_delay(delay_ms: float) -> None:
    assert figures(heard(delay_ms=delay_ms)).delay_ms == pytest.approx(delay_ms, abs=0.2)


@pytest.mark.parametrize("hole_ms", [20, 60, 200])
def test_a_hole(hole_ms: int) -> None:
    spoken = speech(SECONDS).astype(np.float64)
    spoken[3 * RATE : 3 * RATE + hole_ms * RATE // 1000] = 0
    found = figures(heard(spoken))
    assert found.hole_ms == pytest.approx(hole_ms, abs=5)
    assert found.wrong == pytest.approx(hole_ms / 20 / JUDGED, rel=0.2)
    assert found.whole < 1


def test_sound_that_was_made_up_is_whole_but_wrong() -> None:
    spoken = speech(SECONDS).astype(np.float64)
    tone = sine(HERTZ, len(spoken), RATE, peak=PEAK)
    lost = range(60, 260, 20)
    for number in lost:
        piece = slice(number * PIECE, (number + 1) * PIECE)
        # The noise of before, as a concealment does it.
        spoken[piece] = tone[piece] + SAID[(number - 1) * PIECE : number * PIECE]
    found = figures(heard(spoken))
    assert (found.whole, found.hole_ms) == (1, 0)
    assert found.silence_mos == found.mos
    assert found.wrong == pytest.approx(len(lost) / JUDGED, rel=0.1)


def test_a_jump_of_the_tone_is_not_pure() -> None:
    spoken = speech(SECONDS).astype(np.float64)
    half_a_period = RATE // HERTZ // 2
    at = 3 * RATE + RATE // 20
    found = figures(heard(np.concatenate([spoken[:at], spoken[at + half_a_period :]])))
    assert 1 - 4 / (JUDGED / 5) < found.pure < 1
    assert found.wrong < 2 / JUDGED


def test_a_third_of_a_piece_is_a_third_as_bad_as_a_whole_one() -> None:
    spoken = speech(SECONDS).astype(np.float64)
    gap, other = spoken.copy(), spoken.copy()
    part = slice(100 * PIECE, 100 * PIECE + PIECE // 3)
    gap[part] = 0
    other[part] = spoken[50 * PIECE : 50 * PIECE + PIECE // 3]
    for one in (gap, other):
        assert figures(heard(one)).wrong == pytest.approx(1 / 3 / JUDGED, rel=0.4)


def test_delays_that_change_count_with_their_mean() -> None:
    spoken = speech(SECONDS).astype(np.float64)
    middle = len(spoken) // 2 + RATE // 4
    later = np.concatenate([spoken[:middle], np.zeros(RATE // 10), spoken[middle:]])
    assert figures(heard(later)).delay_ms == pytest.approx(DELAY_MS + 50, abs=3)


def waits(some_ms: dict[int, float]) -> Wave:
    """How long a phone has to wait for some pieces."""
    wait_ms = np.zeros(len(heard()))
    for number, wait in some_ms.items():
        begin = round((DELAY_MS / 1000 - 0.02) * RATE) + number * PIECE
        wait_ms[begin : begin + PIECE] = wait
    return wait_ms


def test_the_phone_waits_for_what_is_late_often() -> None:
    found = figures(heard(), waits(dict.fromkeys(range(0, 300, 2), 40.0)))
    assert found.wrong == 0
    assert found.delay_ms == pytest.approx(DELAY_MS + 40, abs=0.2)


def test_the_phone_does_not_wait_for_one_packet() -> None:
    found = figures(heard(), waits({150: 290.0}))
    assert found.wrong == pytest.approx(1 / JUDGED)
    assert found.delay_ms == pytest.approx(DELAY_MS, abs=0.2)
    assert found.hole_ms == pytest.approx(20, abs=5)


def test_more_loss_is_worse_and_in_bursts_more_so() -> None:
    def lose(pieces: list[int]) -> float:
        return figures(heard(), waits(dict.fromkeys(pieces, 1000.0))).mos

    few, many = lose([*range(60, 260, 40)]), lose([*range(60, 260, 10)])
    together = lose([*range(60, 80)])
    assert 4.36 > few > many > together > 1


def test_a_gap_beside_a_piece_harms_it_by_as_much_as_it_takes() -> None:
    spoken = speech(SECONDS).astype(np.float64)
    # The end of one piece, and nearly all of the next.
    spoken[100 * PIECE + 3 * PIECE // 4 : 101 * PIECE + 3 * PIECE // 4] = 0
    assert 0.9 / JUDGED < figures(heard(spoken)).wrong < 1.4 / JUDGED


def test_silence_that_was_sent_is_worse_than_a_gap_for_the_phone_to_fill() -> None:
    spoken = speech(SECONDS).astype(np.float64)
    spoken[3 * RATE : 3 * RATE + RATE // 10] = 0
    begin = round((3 + DELAY_MS / 1000 - 0.02) * RATE)
    sent, gap = figures(heard(spoken)), figures(heard(spoken), gap=slice(begin, begin + RATE // 10))
    assert sent.mos == gap.mos == pytest.approx(gap.silence_mos, abs=0.01)
    assert sent.silence_mos < gap.silence_mos - 0.2


def test_silence() -> None:
    found = figures(np.zeros(len(heard())))
    assert (found.whole, found.pure, found.wrong, found.mos) == (0, 0, 1, 1)
