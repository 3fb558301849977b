"""Loss, jitter, bursts and opinion scores."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.media.engine.kernels import quality
from pbx.media.engine.kernels import quality_row as q
from tests.media.kernels.networks import MS, Words
from tests.media.kernels.twins_quality import QualityTwin


def fresh(clock: int = 8000, ie: int = 0, bpl: int = 251) -> Words:
    row = np.zeros(q.WIDTH, np.int64)
    quality.begin(row, clock, ie, bpl)
    return row


moves = st.one_of(
    *[st.just(1)] * 5,
    st.integers(-4, 5),
    st.integers(-70, 70),
    st.integers(15, 3000),
    st.integers(0, 65535),
)
packets = st.tuples(
    moves,
    st.sampled_from([0, 0, 0, 0, 160, 7000, 2**31, 100_000]),
    st.booleans() | st.just(True),
    st.sampled_from([20, 20, 0, 35, 700]),
    st.integers(0, 30),
)


class TestBesideTheTwin:
    @settings(deadline=None, max_examples=150)
    @given(
        st.integers(0, 65535),
        st.sampled_from([8000, 48000]),
        st.lists(packets, max_size=150),
        st.sampled_from([0, 20, 300, 499, 500, 900, 5000]),
    )
    def test_any_packets(
        self, sequence: int, clock: int, sent: list[tuple[int, int, bool, int, int]], rest: int
    ) -> None:
        row, twin = fresh(clock), QualityTwin(clock)
        timestamp, now, ssrc = 2**32 - 5000, 10**12, 5
        for move, leap, in_time, pause, chance in sent:
            sequence = (sequence + move) % 65536
            timestamp = (timestamp + leap + 160 * move) % 2**32
            now += pause * MS
            ssrc += chance == 0
            quality.receive(row, ssrc, sequence, timestamp, int(in_time), now)
            twin.packet(ssrc, sequence, timestamp, in_time, now)
        assert quality.expected(row) == twin.expected
        assert quality.lost(row) == twin.lost
        for word, value in (
            (q.REORDERED, twin.reordered),
            (q.DUPLICATE, twin.duplicate),
            (q.DISCARDED, twin.discarded),
            (q.JITTER_16, twin.jitter_16),
            (q.JUDGED, len(twin.settled)),
            (q.LOSS_RUNS, twin.loss_runs()),
        ):
            assert row[word] == value
        for _ in range(2):
            worst = max((lost / sent for lost, sent in twin.seconds if sent), default=0)
            assert row[q.WORST_LOST] / max(row[q.WORST_EXPECTED], 1) == worst
            quality.end_last_second(row, now + rest * MS)
            twin.end(now + rest * MS)
        quality.measure(row, 20, 50.0)
        bursts = twin.bursts()
        inside = sum(map(len, bursts))
        lost_inside = sum(burst.count(False) for burst in bursts)
        gaps = len(twin.settled) - inside
        assert row[q.BURST_DENSITY] == (256 * lost_inside // inside if inside else 0)
        assert row[q.GAP_DENSITY] == (
            256 * (twin.settled.count(False) - lost_inside) // gaps if gaps else 0
        )
        assert row[q.BURST_MS] == (20 * inside // len(bursts) if bursts else 0)
        assert row[q.GAP_MS] == 20 * gaps // (len(bursts) + 1)
        if sent:
            assert 100 <= row[q.MOS_100] <= 450
            assert 0 <= row[q.R_10] <= 932


class TestEModel:
    @pytest.mark.parametrize(
        ("ie", "bpl", "loss", "delay_ms", "r", "mos"),
        [
            # R - Ie,eff - Id worked out by hand from G.107 (7-29) and the delay term.
            (0.0, 25.1, 0.0, 0.0, 93.2, 4.41),
            (0.0, 25.1, 0.0, 177.3, 88.94, 4.31),
            (0.0, 25.1, 0.0, 400.0, 59.10, 3.05),
            (0.0, 25.1, 5.0, 100.0, 75.02, 3.82),
            (0.0, 4.3, 5.0, 100.0, 39.73, 2.05),
            (11.0, 19.0, 2.0, 100.0, 71.8, 3.68),
            (0.0, 25.1, 100.0, 100.0, 14.86, 1.12),
        ],
    )
    def test_known_points(
        self, ie: float, bpl: float, loss: float, delay_ms: float, r: float, mos: float
    ) -> None:
        result = quality.rating(ie, bpl, loss, 1.0, delay_ms)
        assert result == pytest.approx(r, abs=0.05)
        assert quality.score(result) == pytest.approx(mos, abs=0.02)

    def test_bounds(self) -> None:
        assert quality.score(-20.0) == 1.0
        assert quality.score(200.0) == 4.5
        steps = [quality.score(r / 10) for r in range(70, 1000)]
        assert steps == sorted(steps)

    def test_bursts_are_worse(self) -> None:
        """Five in a hundred are lost: never, here and there, or ten at a time."""
        scores = []
        for lost in (set(), set(range(20, 5000, 20)), {n for n in range(5000) if n % 200 >= 190}):
            row = fresh()
            for n in set(range(5000)) - lost:
                quality.receive(row, 1, n, n * 160, 1, 10**12 + n * 20 * MS)
            quality.measure(row, 20, 60.0)
            scores.append(int(row[q.MOS_100]))
        # The last burst is at the end: nobody knows of it.
        assert quality.lost(row) == 240
        assert scores[0] == pytest.approx(438, abs=2)
        assert scores[0] - 40 > scores[1] > scores[2] + 5

    def test_nothing_has_come(self) -> None:
        row = fresh()
        quality.measure(row, 20, 50.0)
        assert row[q.MOS_100] == -1
        assert quality.report_loss(row) == 0


class TestWorstSecond:
    def test_what_came_too_late_is_missing_too(self) -> None:
        row = fresh()
        for n in range(201):
            if n % 50 != 49:
                late = 60 <= n < 70
                quality.receive(row, 1, n, n * 160, int(not late), 10**12 + n * 20 * MS)
        # One of 50 is lost each second, and ten came too late for the second one
        assert (row[q.WORST_LOST], row[q.WORST_EXPECTED]) == (11, 50)

    def test_a_call_that_ends_in_its_worst_second(self) -> None:
        """No packet comes after it, which would end it."""
        row = fresh()
        for n in range(99):
            if not 60 <= n < 90:
                quality.receive(row, 1, n, n * 160, 1, 10**12 + n * 20 * MS)
        assert row[q.WORST_LOST] == 0
        quality.end_last_second(row, 10**12 + 99 * 20 * MS)
        # The packet that ends the first second is in this one
        assert (row[q.WORST_LOST], row[q.WORST_EXPECTED]) == (30, 49)
        quality.end_last_second(row, 10**12 + 160 * 20 * MS)
        assert (row[q.WORST_LOST], row[q.WORST_EXPECTED]) == (30, 49)

    def test_the_last_moment_of_a_call_is_no_second(self) -> None:
        """One packet of the last five is no loss of 20 %."""
        row = fresh()
        for n in range(55):
            if n not in (10, 52):
                quality.receive(row, 1, n, n * 160, 1, 10**12 + n * 20 * MS)
        quality.end_last_second(row, 10**12 + 55 * 20 * MS)
        assert (row[q.WORST_LOST], row[q.WORST_EXPECTED]) == (1, 50)

    def test_a_call_without_a_packet_has_none(self) -> None:
        row = fresh()
        quality.end_last_second(row, 10**12)
        assert (row[q.WORST_LOST], row[q.SECOND_NS]) == (0, 0)

    def test_one_that_came_too_late_is_counted_once(self) -> None:
        """As lost in its own second, when it hadn't come; not again when it comes."""
        row = fresh()
        numbers = [n for n in range(101) if n != 48]
        numbers.insert(numbers.index(52), 48)
        for place, n in enumerate(numbers):
            quality.receive(row, 1, n, n * 160, int(n != 48), 10**12 + place * 20 * MS)
        assert quality.unplayed(row) == 1
        assert row[q.WORST_LOST] == 1


class TestReportBlock:
    def test_share_of_loss_since_the_last_report(self) -> None:
        row = fresh()
        for n in range(1, 101):
            if n % 4:
                quality.receive(row, 1, n, n * 160, 1, 10**12 + n * 20 * MS)
        # 25 of 100, but the last has not been missed yet.
        assert quality.report_loss(row) == 256 * 24 // 99
        assert quality.report_loss(row) == 0
        for n in range(101, 151):
            quality.receive(row, 1, n, n * 160, 1, 10**12 + n * 20 * MS)
        assert quality.report_loss(row) == 256 * 1 // 51

    def test_jitter_has_the_clock_of_the_stream(self) -> None:
        """Packets that come 10 ms early and late in turn: RFC 3550's filter settles at 20 ms."""
        for clock in (8000, 16000, 48000):
            row = fresh(clock)
            for n in range(400):
                arrival = 10**12 + n * 20 * MS + (10 * MS if n % 2 else 0)
                quality.receive(row, 1, n, n * clock // 50, 1, arrival)
            assert row[q.JITTER_16] / 16 / clock == pytest.approx(0.010, rel=0.05)
