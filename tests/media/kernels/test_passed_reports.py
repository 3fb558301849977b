"""What RTCP on its way between two parties tells of them (RFC 3550 §6.4, RFC 3611 §4.7)."""

import os
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.media.engine import statistics_row as s
from pbx.media.engine import stream_row as row
from pbx.media.engine.kernels import numbering, passed_reports, seconds
from pbx.media.engine.tables import Words
from tests.media.kernels.twins_passed_reports import Party, pass_on
from tests.media.rtcp_packets import Block, receiver_report, sender_report, voip_metrics

TALKER, LISTENER = 4, 3
"""Rows."""

SSRC, OWN = 0x0B0B0B0B, 0x0C0C0C0C
"""Of the talker, and of the listener itself."""

NTP = 0x1234_5678_9ABC_DEF0
NAMED = 0x5678_9ABC
MS = 1_000_000


class Parties:
    """A talker and a listener."""

    def __init__(self) -> None:
        self.rows = {slot: np.zeros(row.WIDTH, np.int64) for slot in (TALKER, LISTENER)}
        self.statistics = {slot: np.zeros(s.WIDTH, np.int64) for slot in (TALKER, LISTENER)}
        self.now = 10**12
        for one in self.statistics.values():
            seconds.begin(one, self.now)
        packet = np.frombuffer(struct.pack("!BBHII", 0x80, 0, 1, 160, SSRC), np.uint8)
        talker = self.rows[TALKER]
        talker[row.CLOCK] = 8000
        numbering.follow(self.rows[LISTENER], talker, TALKER, packet, self.now)

    def passes(self, source: int, data: bytes, after_ms: float = 0.0) -> None:
        sink = TALKER + LISTENER - source
        self.now += round(after_ms * MS)
        octets = np.frombuffer(bytearray(data + os.urandom(64)), np.uint8)
        before = octets.tobytes()
        passed_reports.read_passed(
            self.rows[sink],
            self.statistics[sink],
            self.rows[source],
            self.statistics[source],
            source,
            octets,
            len(data),
            self.now,
        )
        assert octets.tobytes() == before

    def told(self, slot: int = LISTENER) -> tuple[int, int, float]:
        """Loss in 1/256, score in tenths, and milliseconds."""
        words: Words = self.statistics[slot]
        trip = int(words[s.ROUND_TRIP_NS])
        return int(words[s.PEER_LOSS]), int(words[s.PEER_MOS_10]), trip / MS if trip >= 0 else -1


UNKNOWN = (-1, 0, -1)


def block(lsr: int = 0, dlsr: int = 0, *, of: int = SSRC, fraction: int = 64) -> Block:
    return Block(of, fraction, 7, 1, 0, lsr, dlsr)


class TestRoundTrip:
    def test_it_is_what_the_answer_took_less_what_it_was_kept(self) -> None:
        parties = Parties()
        parties.passes(TALKER, sender_report(SSRC, NTP))
        parties.passes(LISTENER, receiver_report(OWN, block(NAMED, 65536 // 2)), after_ms=540)
        loss, _, trip = parties.told()
        assert loss == 64
        assert trip == pytest.approx(40, abs=0.1)
        assert parties.told(TALKER) == UNKNOWN

    def test_one_who_talks_itself_says_it_in_its_sender_report(self) -> None:
        parties = Parties()
        parties.passes(TALKER, sender_report(SSRC, NTP))
        parties.passes(LISTENER, sender_report(OWN, NTP + 1, block(NAMED, 0)), after_ms=30)
        assert parties.told()[2] == pytest.approx(30, abs=0.1)

    @pytest.mark.parametrize(
        ("lsr", "dlsr"), [(0, 0), (NAMED - 1, 0), (NAMED, 0xFFFFFFFF), (NAMED, 65536)]
    )
    def test_what_names_another_report_or_makes_no_sense_tells_none(
        self, lsr: int, dlsr: int
    ) -> None:
        parties = Parties()
        parties.passes(TALKER, sender_report(SSRC, NTP))
        parties.passes(LISTENER, receiver_report(OWN, block(lsr, dlsr)), after_ms=100)
        assert parties.told() == (64, 0, -1)

    def test_a_peer_s_clock_that_runs_a_little_faster(self) -> None:
        parties = Parties()
        parties.passes(TALKER, sender_report(SSRC, NTP))
        parties.passes(LISTENER, receiver_report(OWN, block(NAMED, 66000)), after_ms=1000)
        assert parties.told()[2] == 0

    def test_a_report_of_somebody_else_names_nothing(self) -> None:
        parties = Parties()
        parties.passes(TALKER, sender_report(SSRC + 1, NTP))
        parties.passes(LISTENER, receiver_report(OWN, block(NAMED, 0)), after_ms=30)
        assert parties.told() == (64, 0, -1)


class TestWhatItHears:
    def test_the_last_report_counts(self) -> None:
        parties = Parties()
        parties.passes(LISTENER, receiver_report(OWN, block(fraction=200)))
        parties.passes(LISTENER, receiver_report(OWN, block(fraction=0)))
        assert parties.told() == (0, 0, -1)

    def test_of_another_source_it_tells_nothing(self) -> None:
        parties = Parties()
        parties.passes(LISTENER, receiver_report(OWN, block(of=SSRC + 1)))
        parties.passes(LISTENER, receiver_report(OWN) + voip_metrics(OWN, SSRC + 1, 41))
        assert parties.told() == UNKNOWN

    def test_who_has_been_passed_nothing_tells_nothing(self) -> None:
        parties = Parties()
        parties.passes(TALKER, receiver_report(SSRC, block(of=0)) + voip_metrics(SSRC, 0, 41))
        assert parties.told(TALKER) == UNKNOWN

    def test_its_metrics(self) -> None:
        parties = Parties()
        for mos, known in ((127, 0), (38, 38), (127, 38), (9, 38), (51, 38)):
            parties.passes(LISTENER, receiver_report(OWN) + voip_metrics(OWN, SSRC, mos))
            assert parties.told() == (-1, known, -1)

    def test_its_metrics_alone(self) -> None:
        """RFC 5506: without a report before them."""
        parties = Parties()
        parties.passes(LISTENER, voip_metrics(OWN, SSRC, 38))
        assert parties.told() == (-1, 38, -1)


names = st.sampled_from([SSRC, OWN, SSRC + 1, 0])
moments = st.sampled_from([NTP, NTP + (1 << 32), NTP + 1, 0])
blocks = st.builds(
    Block,
    names,
    st.integers(0, 255),
    st.integers(-(2**23), 2**23 - 1),
    st.integers(0, 2**32 - 1),
    st.just(0),
    st.sampled_from([NAMED, NAMED + (1 << 16), 0, 77]),
    st.sampled_from([0, 6554, 65536, 70 << 16, 2**32 - 1]) | st.integers(0, 5 << 16),
)
reports = st.one_of(
    st.builds(
        lambda ssrc, ntp, some: sender_report(ssrc, ntp, *some),
        names,
        moments,
        st.lists(blocks, max_size=3),
    ),
    st.builds(lambda ssrc, some: receiver_report(ssrc, *some), names, st.lists(blocks, max_size=3)),
    st.builds(voip_metrics, names, names, st.integers(0, 255)),
    st.just(struct.pack("!BBHII", 0x81, 206, 2, OWN, SSRC)),
    st.just(struct.pack("!BBHI", 0x81, 203, 1, OWN)),
)


class TestBesideTheTwin:
    @settings(deadline=None, max_examples=200)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from([TALKER, LISTENER]),
                st.lists(reports, min_size=1, max_size=4).map(b"".join),
                st.sampled_from([0, 20, 100, 1000, 61_000]),
                st.sampled_from([None, None, None, (1, 203), (5, 3), (2, 77), (0, 0xA1)]),
            ),
            max_size=10,
        )
    )
    def test_any_datagrams(
        self, passed: list[tuple[int, bytes, int, tuple[int, int] | None]]
    ) -> None:
        parties = Parties()
        twins = {TALKER: Party(TALKER), LISTENER: Party(LISTENER, (TALKER, SSRC), SSRC)}
        for source, whole, after_ms, change in passed:
            data = bytearray(whole)
            if change is not None:
                data[change[0]] = change[1]
            parties.passes(source, bytes(data), after_ms=after_ms)
            pass_on(twins[source], twins[TALKER + LISTENER - source], bytes(data), parties.now)
            for slot, twin in twins.items():
                loss, mos, trip_ms = parties.told(slot)
                assert (loss, mos) == (twin.loss, twin.mos)
                if twin.trip_ns is None:
                    assert trip_ms == -1
                else:
                    # Whole nanoseconds
                    assert abs(round(trip_ms * MS) - twin.trip_ns) <= 1


class TestStrangeOctets:
    def test_what_is_not_whole_tells_nothing(self) -> None:
        whole = receiver_report(OWN, block()) + voip_metrics(OWN, SSRC, 38)
        for data in (whole[:-4], whole[:-1], whole[:16], whole + b"\x80", b"\x40" + whole[1:]):
            parties = Parties()
            parties.passes(LISTENER, data)
            assert parties.told() == UNKNOWN

    @settings(deadline=None, max_examples=300)
    @given(st.lists(st.tuples(st.integers(0, 119), st.integers(0, 255)), max_size=8))
    def test_changed_ones(self, changes: list[tuple[int, int]]) -> None:
        """Nothing is read beyond them (the octets behind are random), and nothing is out of its range."""
        parties = Parties()
        parties.passes(TALKER, sender_report(SSRC, NTP))
        whole = bytearray(
            sender_report(OWN, NTP, block(NAMED, 0), block()) + voip_metrics(OWN, SSRC, 38)
        )
        for at, value in changes:
            whole[at % len(whole)] = value
        parties.passes(LISTENER, bytes(whole), after_ms=20)
        loss, mos, trip = parties.told()
        assert -1 <= loss <= 255
        assert mos == 0 or 10 <= mos <= 50
        assert -1 <= trip <= 60_000
