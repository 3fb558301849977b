"""The worst second of a stream that is passed on."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.media.engine import statistics_row as s
from pbx.media.engine import stream_row as row
from pbx.media.engine.kernels import rtp, seconds
from tests.media.kernels.twins_seconds import SecondsTwin

SECOND_NS = 10**9

moves = st.one_of(st.integers(-70, 70), st.integers(0, 3100), st.integers(0, 65535))


class Stream:
    """A stream that is looked at once a second."""

    def __init__(self) -> None:
        self.row = np.zeros(row.WIDTH, np.int64)
        self.statistics = np.zeros(s.WIDTH, np.int64)
        self.now = 10**12
        seconds.begin(self.statistics, self.now)

    def gets(self, *numbers: int, ssrc: int = 7) -> None:
        for number in numbers:
            self.row[row.RECEIVED] += 1
            rtp.count_sequence(self.row, ssrc, number & 0xFFFF)

    def second(self, after_s: float = 1.0) -> None:
        self.now += round(after_s * SECOND_NS)
        seconds.end_second(self.row, self.statistics, self.now)

    def ends(self, after_s: float) -> None:
        self.now += round(after_s * SECOND_NS)
        seconds.end_last_second(self.row, self.statistics, self.now)

    @property
    def worst(self) -> tuple[int, int]:
        return int(self.statistics[s.WORST_LOST]), int(self.statistics[s.WORST_EXPECTED])

    @property
    def worst_share(self) -> Fraction:
        lost, expected = self.worst
        return Fraction(lost, max(expected, 1))


class TestWorstSecond:
    def test_nothing_is_lost(self) -> None:
        stream = Stream()
        for first in range(0, 500, 50):
            stream.gets(*range(first, first + 50))
            stream.second()
        assert stream.worst == (0, 0)

    def test_it_is_the_one_with_the_largest_share(self) -> None:
        stream = Stream()
        for lost in (5, 20, 10):
            first = stream.row[row.SEQ_MAX] + 1
            stream.gets(*range(first + lost, first + 50))
            stream.second()
        assert stream.worst == (20, 50)

    def test_few_packets_of_which_half_is_lost_are_worse_than_many(self) -> None:
        stream = Stream()
        stream.gets(0, *range(21, 51))
        stream.second()
        stream.gets(52)
        stream.second()
        assert stream.worst == (1, 2)

    def test_an_outage_is_in_the_second_that_it_ends_in(self) -> None:
        stream = Stream()
        stream.gets(*range(50))
        for _ in range(4):
            stream.second()
        stream.gets(*range(200, 250))
        stream.second()
        assert stream.worst == (150, 200)

    def test_what_overtakes_isn_t_lost(self) -> None:
        stream = Stream()
        stream.gets(*range(0, 50, 2), *range(1, 50, 2))
        stream.second()
        assert stream.worst == (0, 0)

    def test_another_source_begins_anew(self) -> None:
        stream = Stream()
        stream.gets(*range(50))
        stream.second()
        stream.gets(*range(30_000, 30_050), ssrc=8)
        stream.second()
        assert stream.worst == (0, 0)

    def test_a_second_that_has_just_begun_is_no_second(self) -> None:
        """Of a stream that begins, or comes from another thread, just before the look."""
        stream = Stream()
        stream.gets(0, 2)
        stream.second(after_s=0.1)
        assert stream.worst == (0, 0)
        stream.gets(*range(3, 50))
        stream.second()
        assert stream.worst == (1, 50)

    def test_one_that_it_ends_in(self) -> None:
        stream = Stream()
        stream.gets(*range(50))
        stream.second()
        stream.gets(*range(70, 95))
        stream.ends(after_s=0.899)
        assert stream.worst == (20, 45)

    def test_a_moment_that_it_ends_in_is_no_second(self) -> None:
        stream = Stream()
        stream.gets(*range(10), *range(11, 51))
        stream.second()
        stream.gets(52, 53)
        stream.ends(after_s=0.1)
        assert stream.worst == (1, 51)

    @settings(deadline=None, max_examples=200)
    @given(
        st.integers(0, 65535),
        st.lists(
            st.tuples(
                st.lists(st.one_of(*[st.just(1)] * 4, moves), max_size=30),
                st.sampled_from([1000, 1000, 1000, 100, 899, 900, 4000]),
                st.integers(0, 9),
            ),
            max_size=12,
        ),
        st.sampled_from([0, 100, 499, 500, 950]),
    )
    def test_beside_the_twin(
        self, sequence: int, parts: list[tuple[list[int], int, int]], rest_ms: int
    ) -> None:
        stream = Stream()
        stream.row[row.SEQ_AFTER_JUMP] = -1
        twin = SecondsTwin(stream.now // 10**6)
        ssrc = 7
        for steps, pause_ms, chance in parts:
            ssrc += chance == 0
            for step in steps:
                sequence = (sequence + step) % 65536
                stream.gets(sequence, ssrc=ssrc)
                twin.packet(ssrc, sequence)
            stream.second(pause_ms / 1000)
            twin.look(stream.now // 10**6)
            assert stream.worst_share == twin.worst
        stream.ends(rest_ms / 1000)
        twin.look(stream.now // 10**6, last=True)
        assert stream.worst_share == twin.worst

    @settings(deadline=None)
    @given(st.lists(st.lists(st.booleans(), min_size=1, max_size=60), min_size=1, max_size=12))
    def test_like_all_packets_put_down(self, whole: list[list[bool]]) -> None:
        """Any that are lost, but the last one of a second: that is missed in the next."""
        stream = Stream()
        number, shares = 65_500, []
        stream.gets(number)
        stream.second()
        for one in whole:
            came = [*one, True]
            for arrives in came:
                number += 1
                if arrives:
                    stream.gets(number)
            stream.second()
            shares.append(came.count(False) / len(came))
        lost, expected = stream.worst
        assert lost / max(expected, 1) == pytest.approx(max(shares))
