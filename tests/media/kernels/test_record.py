"""Both parties of a call on one time line, to the sample."""

import random

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pbx.media.engine.kernels import record
from tests.media.kernels.networks import MS, START_NS, Samples

RATE = 8000
SIZES = (10, 20, 30, 40, 60)
LEAD = record.LEAD_MS * RATE // 1000


def speech(seconds: float, seed: int) -> Samples:
    """Noise that is like nothing but itself, never 0."""
    samples = np.random.default_rng(seed).integers(1, 20000, round(seconds * RATE))
    return samples.astype(np.int16)


Sent = tuple[int, int, int, Samples]
"""When it arrives, its side, its timestamp, its sound."""


def packets(
    sound: Samples, side: int, ptime_ms: int, *, first_ts: int = 0xFFFFF000, begin_ms: float = 0
) -> list[Sent]:
    """Packets of a sound that somebody began to speak `begin_ms` after the recording began."""
    step = ptime_ms * RATE // 1000
    return [
        (
            START_NS + round((begin_ms + (at + step) * 1000 / RATE) * MS),
            side,
            (first_ts + at) & 0xFFFFFFFF,
            sound[at : at + step],
        )
        for at in range(0, len(sound) - step + 1, step)
    ]


class Tape:
    """A recording whose blocks are taken as the engine would."""

    def __init__(self, *, samples: int = 16384, clock: int = RATE) -> None:
        self.row = np.zeros(record.WIDTH, np.int64)
        self.ring = np.zeros(2 * samples, np.int16)
        self.blocks: list[Samples] = []
        self.clock = clock
        record.begin(self.row, RATE, clock, clock, samples, START_NS)

    def write(self, sent: list[Sent], *, ssrc: int = 9) -> None:
        next_take = START_NS
        for arrival, side, timestamp, sound in sent:
            while next_take <= arrival:
                record.close(self.row, 80, next_take)
                self.take()
                next_take += 100 * MS
            record.put(self.row, self.ring, side, sound, len(sound), timestamp, ssrc, arrival)

    def take(self) -> None:
        first, count = self.row[record.TAKEN], self.row[record.CLOSED] - self.row[record.TAKEN]
        out = np.zeros(2 * count, np.int16)
        record.take_stereo(self.ring, first, count, out)
        self.row[record.TAKEN] += count
        self.blocks.append(out.reshape(-1, 2))

    def finish(self) -> Samples:
        record.close_all(self.row)
        self.take()
        assert not self.ring.any()
        return np.concatenate(self.blocks)


def shaken(sent: list[Sent], seed: int, jitter_ms: float) -> list[Sent]:
    """What the network makes of it; the first packet of each side is on time."""
    dice = random.Random(seed)
    first = {side: min(one[0] for one in sent if one[1] == side) for side in {s[1] for s in sent}}
    moved = [
        (
            arrival + (0 if arrival == first[side] else round(dice.uniform(0, jitter_ms) * MS)),
            side,
            *rest,
        )
        for arrival, side, *rest in sent
    ]
    return sorted(moved, key=lambda one: one[0])  # type: ignore[arg-type]


class TestAllPairsOfSizes:
    @pytest.mark.parametrize("left_ms", SIZES)
    @pytest.mark.parametrize("right_ms", SIZES)
    def test_sample_exact(self, left_ms: int, right_ms: int) -> None:
        left, right = speech(2.4, 1), speech(2.4, 2)
        tape = Tape()
        sent = packets(left, 0, left_ms) + packets(right, 1, right_ms, first_ts=77)
        tape.write(shaken(sent, left_ms * 100 + right_ms, 80))
        tracks = tape.finish()
        assert not tracks[:LEAD].any()
        for side, sound in enumerate((left, right)):
            assert (tracks[LEAD : LEAD + len(sound), side] == sound).all()
        assert len(tracks) == LEAD + len(left)
        assert tape.row[record.MISSED] == tape.row[record.RESETS] == 0

    def test_size_that_changes(self) -> None:
        sound = speech(3, 1)
        tape, at, sent = Tape(), 0, []
        for n in range(80):
            step = SIZES[n % 5] * 8
            sent.append((START_NS + (at + step) * MS // 8, 0, at, sound[at : at + step]))
            at += step
        tape.write(sent)
        assert (tape.finish()[LEAD : LEAD + at, 0] == sound[:at]).all()

    def test_offset_is_that_of_arrival(self) -> None:
        """One party joins 730 ms after the other."""
        left, right = speech(2, 1), speech(1, 2)
        tape = Tape()
        tape.write(
            sorted(packets(left, 0, 20) + packets(right, 1, 60, begin_ms=730), key=lambda s: s[0])
        )
        tracks = tape.finish()
        begin = LEAD + 730 * 8
        assert not tracks[:begin, 1].any()
        assert (tracks[begin : begin + 7680, 1] == right[:7680]).all()

    def test_g722_clock(self) -> None:
        """Timestamps at half the rate of the samples, as G.722 has them."""
        sound = speech(2, 1)
        tape = Tape(clock=RATE // 2)
        half = [
            (a, s, (0xFFFFFF00 + n * 80) & 0xFFFFFFFF, p)
            for n, (a, s, _, p) in enumerate(packets(sound, 0, 20))
        ]
        tape.write(half)
        assert (tape.finish()[LEAD:, 0] == sound).all()


class TestLossAndTime:
    @settings(deadline=None, max_examples=30)
    @given(
        st.sampled_from(SIZES),
        st.sampled_from(SIZES),
        st.sets(st.integers(1, 200)),
        st.integers(0, 2**32 - 1),
        st.floats(0, 190),
        st.integers(0, 1000),
    )
    @example(10, 40, set(), 0, 184.0, 0)
    def test_loss_leaves_silence(
        self,
        left_ms: int,
        right_ms: int,
        lost: set[int],
        first_ts: int,
        jitter_ms: float,
        seed: int,
    ) -> None:
        left, right = speech(2.4, 1), speech(2.4, 2)
        expected = np.stack([left, right], axis=1).copy()
        sent = []
        for side, ptime in enumerate((left_ms, right_ms)):
            for n, one in enumerate(packets((left, right)[side], side, ptime, first_ts=first_ts)):
                if n in lost:
                    expected[n * ptime * 8 : (n + 1) * ptime * 8, side] = 0
                else:
                    sent.append(one)
        # Doubled ones change nothing.
        sent += sent[5::7]
        tape = Tape()
        tape.write(shaken(sent, seed, jitter_ms))
        tracks = tape.finish()[LEAD:]
        assert (tracks == expected[: len(tracks)]).all()
        assert not expected[len(tracks) :].any()

    def test_too_late(self) -> None:
        sound = speech(2, 1)
        sent = packets(sound, 0, 20)
        late = sent.pop(30)
        sent.append((late[0] + 500 * MS, *late[1:]))
        tape = Tape()
        tape.write(sorted(sent, key=lambda s: s[0]))
        tracks = tape.finish()
        assert tape.row[record.MISSED] == 160
        assert not tracks[LEAD + 30 * 160 : LEAD + 31 * 160, 0].any()
        assert (tracks[LEAD + 31 * 160 :, 0] == sound[31 * 160 :]).all()

    @pytest.mark.parametrize("leap", [-(2**31) + 1, -1_000_000, -100_000, 20_000, 2**31 - 1])
    def test_leap_of_the_timestamp(self, leap: int) -> None:
        sound = speech(3, 1)
        sent = [
            (a, s, (t + (leap if n >= 75 else 0)) & 0xFFFFFFFF, p)
            for n, (a, s, t, p) in enumerate(packets(sound, 0, 20))
        ]
        tape = Tape()
        tape.write(sent)
        assert (tape.finish()[LEAD:, 0] == sound).all()
        assert tape.row[record.RESETS] == 1

    @pytest.mark.parametrize("ptime_ms", SIZES)
    @pytest.mark.parametrize(
        ("later_ms", "back_ms"),
        [
            *((still_ms, 0) for still_ms in (300, 400, 600, 800, 1100)),
            *((0, back_ms) for back_ms in (900, 3000, 6000, 8100)),
        ],
    )
    def test_a_time_line_that_goes_on_elsewhere(
        self, ptime_ms: int, later_ms: int, back_ms: int
    ) -> None:
        """A clock that stood still, or went back: five packets may be lost, no more."""
        sound = speech(6, 1)
        at = 1500 // ptime_ms
        sent = [
            (a + later_ms * MS, s, (t - back_ms * 8) & 0xFFFFFFFF, p) if n >= at else (a, s, t, p)
            for n, (a, s, t, p) in enumerate(packets(sound, 0, ptime_ms))
        ]
        tape = Tape()
        tape.write(sent)
        track = tape.finish()[:, 0]
        assert tape.row[record.MISSED] <= 5 * ptime_ms * 8
        tail = sound[(at + 5) * ptime_ms * 8 :]
        tail = tail[: len(tail) // (ptime_ms * 8) * ptime_ms * 8]
        assert (track[-len(tail) :] == tail).all()
        assert tape.row[record.RESETS] == 1

    @pytest.mark.parametrize("ptime_ms", SIZES)
    @pytest.mark.parametrize("apart_ms", [0.1, 1, 4])
    def test_what_was_held_up_keeps_its_place(self, ptime_ms: int, apart_ms: float) -> None:
        """A network stands still for 600 ms, then all comes at once."""
        sound = speech(4, 1)
        sent = packets(sound, 0, ptime_ms)
        free = START_NS + 2000 * MS
        held = [n for n, one in enumerate(sent) if free - 600 * MS < one[0] <= free]
        for number, n in enumerate(held):
            sent[n] = (free + round(number * apart_ms * MS), *sent[n][1:])
        tape = Tape()
        tape.write(sorted(sent, key=lambda one: one[0]))
        track = tape.finish()[LEAD:, 0]
        kept = track == sound[: len(track)]
        assert tape.row[record.RESETS] == 0
        assert not track[~kept].any()
        assert kept[2000 * 8 :].all()

    def test_other_ssrc(self) -> None:
        sound = speech(3, 1)
        sent = packets(sound, 0, 20)
        tape = Tape()
        tape.write(sent[:75], ssrc=1)
        tape.write([(a, s, t ^ 0x7654321, p) for a, s, t, p in sent[75:76]], ssrc=2)
        assert (tape.finish()[LEAD:, 0] == sound[: 76 * 160]).all()

    @pytest.mark.parametrize("ppm", [-200, 200])
    def test_drift_of_hours_stays_together(self, ppm: int) -> None:
        """Each packet near the place of its arrival, though the clocks are half a second apart."""
        tape = Tape()
        sound = np.full(160, 5, np.int16)
        for n in range(0, 150_000):
            now = START_NS + round((n + 1) * 20 * MS * (1 + ppm * 1e-6))
            record.put(tape.row, tape.ring, 0, sound, 160, n * 160 & 0xFFFFFFFF, 9, now)
            if n % 50 == 0:
                record.close(tape.row, 80, now)
                tape.take()
        assert abs(tape.row[record.END] - record.place(tape.row, now)) <= 0.11 * RATE
        assert 4 <= tape.row[record.RESETS] <= 8
        assert tape.row[record.MISSED] == 0

    def test_nobody_takes_anything_out(self) -> None:
        tape = Tape()
        for arrival, side, timestamp, sound in packets(speech(5, 1), 0, 20):
            record.put(tape.row, tape.ring, side, sound, 160, timestamp, 9, arrival)
        assert tape.row[record.END] == 16384
        assert tape.row[record.MISSED] == 40000 + LEAD - 16384

    def test_what_is_taken_late_is_lost_where_it_was(self) -> None:
        """A disk stands still for so long that the ring is full; the time line doesn't."""
        sound = speech(6, 1)
        tape = Tape()
        for number, (arrival, side, timestamp, pcm) in enumerate(packets(sound, 0, 20)):
            record.close(tape.row, 80, arrival)
            if number in (200, 250):
                tape.take()
            record.put(tape.row, tape.ring, side, pcm, 160, timestamp, 9, arrival)
        record.close_all(tape.row)
        while tape.row[record.TAKEN] < tape.row[record.CLOSED]:
            tape.take()
        track = np.concatenate(tape.blocks)[LEAD:, 0]
        assert len(track) == len(sound)
        kept = track == sound
        assert tape.row[record.MISSED] == np.count_nonzero(~kept)
        assert not track[~kept].any()
        assert kept[: 16384 - LEAD].all()
        assert kept[-8000:].all()

    def test_nonsense(self) -> None:
        tape = Tape()
        sound = np.ones(160, np.int16)
        for side, count in [(0, 0), (0, -5), (2, 160), (-1, 160)]:
            assert record.put(tape.row, tape.ring, side, sound, count, 5, 9, START_NS) == 0
        assert record.put(tape.row, tape.ring, 0, sound, 10**9, 5, 9, START_NS) == 160
        assert record.put(tape.row, tape.ring[:100], 0, sound, 160, 5, 9, START_NS) == 0
        assert np.count_nonzero(tape.ring) == 160


class TestMono:
    @settings(deadline=None, max_examples=30)
    @given(
        st.lists(st.tuples(st.integers(-32768, 32767), st.integers(-32768, 32767)), max_size=200)
    )
    def test_mixed_and_limited(self, pairs: list[tuple[int, int]]) -> None:
        tape = Tape()
        count = len(pairs)
        for side in (0, 1):
            sound = np.array([pair[side] for pair in pairs], np.int16)
            now = START_NS + count * MS // 8 - record.LEAD_MS * MS
            record.put(tape.row, tape.ring, side, sound, count, 5, 9, now)
        out = np.zeros(400, np.int16)
        record.take_mono(tape.ring, 0, count, out)
        assert out[:count].tolist() == [max(min(a + b, 32767), -32768) for a, b in pairs]
        assert not tape.ring.any()
