"""Digits by RFC 4733: each heard once, whatever the network does to its packets."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pbx.media.engine.kernels import telephone_event as ev
from tests.media.kernels.networks import MS, Words
from tests.media.kernels.twins_events import ReceiverTwin, sent_packets

Happened = list[tuple[str, int, int]]


class Ear:
    def __init__(self) -> None:
        self.row: Words = np.zeros(ev.WIDTH, np.int64)
        self.heard: Happened = []

    def receive(
        self,
        sequence: int,
        timestamp: int,
        marker: bool,
        payload: bytes,
        now: int,
        ssrc: int = 7,
    ) -> Happened:
        octets = np.frombuffer(bytes(12) + payload, np.uint8)
        answer = ev.receive(
            self.row, octets, 12, len(payload), sequence, timestamp, int(marker), ssrc, now
        )
        return self.tell(answer)

    def expire(self, now: int) -> Happened:
        return self.tell(ev.expire(self.row, now))

    def tell(self, answer: int) -> Happened:
        row = self.row
        happened: Happened = []
        if answer & ev.ENDED:
            happened.append(("ended", int(row[ev.ENDED_DIGIT]), int(row[ev.ENDED_DURATION])))
        if answer & ev.BEGAN:
            began = ("began", int(row[ev.DIGIT]), 0)
            happened.insert(len(happened) if row[ev.OPEN] else 0, began)
        self.heard += happened
        return happened


def send(
    digit: int, whole: int, step: int, timestamp: int, volume: int = 10
) -> list[tuple[int, bool, bytes]]:
    """What the sender's kernel makes of one tone."""
    row = np.zeros(ev.WIDTH, np.int64)
    ev.start(row, digit, volume, timestamp, whole)
    packets = []
    out = np.zeros(20, np.uint8)
    while ev.packet(row, out, 12, step) == ev.PAYLOAD:
        packets.append((int(row[ev.TIMESTAMP]), bool(row[ev.MARKER]), out[12:16].tobytes()))
        assert len(packets) < 10000
    assert not out[:12].any()
    assert not out[16:].any()
    return packets


class TestSender:
    @settings(deadline=None, max_examples=80)
    @given(
        st.integers(0, 255),
        st.integers(0, 63),
        st.integers(0, 2**32 - 1),
        st.integers(1, 200_000),
        st.sampled_from([80, 160, 400, 65535, 100_000]),
    )
    def test_like_its_twin(
        self, digit: int, volume: int, timestamp: int, whole: int, step: int
    ) -> None:
        assert send(digit, whole, step, timestamp, volume) == sent_packets(
            digit, volume, timestamp, whole, step
        )

    @pytest.mark.parametrize("begun", [0, 80_000])
    @pytest.mark.parametrize(
        ("whole", "last"), [(0, 1280), (1279, 1280), (1280, 1280), (1281, 1281), (1700, 1700)]
    )
    def test_until_stopped(self, begun: int, whole: int, last: int) -> None:
        """It lasts no less than it has been told to, and no less than it has lasted."""
        row = np.zeros(ev.WIDTH, np.int64)
        out = np.zeros(4, np.uint8)
        ev.start(row, 11, 10, 1000, begun)
        durations = []
        for n in range(16):
            if n == 8:
                ev.stop(row, whole)
            if ev.packet(row, out, 0, 160):
                durations.append((int(out[1]) >> 7, int(out[2]) << 8 | int(out[3])))
        before = [(0, duration) for duration in range(160, max(last, 1281), 160)]
        assert durations == before + [(1, last)] * 3

    def test_stopped_after_its_end(self) -> None:
        row = np.zeros(ev.WIDTH, np.int64)
        out = np.zeros(4, np.uint8)
        ev.start(row, 11, 10, 1000, 160)
        sent = 0
        for _ in range(8):
            sent += ev.packet(row, out, 0, 160) > 0
            ev.stop(row, 3200)
        assert sent == 3

    def test_no_room(self) -> None:
        row = np.zeros(ev.WIDTH, np.int64)
        ev.start(row, 1, 10, 1000, 800)
        assert ev.packet(row, np.zeros(15, np.uint8), 12, 160) == 0
        assert ev.packet(row, np.zeros(15, np.uint8), -4, 160) == 0


class TestReceiver:
    @settings(deadline=None, max_examples=150)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from([1, 1, 1, 0, -1, 2, 40000]),
                st.sampled_from([0, 0, 0, 800, 65535, -800]),
                st.booleans(),
                st.sampled_from([1, 1, 1, 2, 255]),
                st.sampled_from([0, 10, 0x8A]),
                st.sampled_from([0, 160, 320, 800, 65535]),
                st.sampled_from([20, 20, 20, 300, 1100]),
                st.sampled_from([4, 4, 4, 8, 3, 0]),
                st.sampled_from([7, 7, 7, 0]),
            ),
            max_size=40,
        )
    )
    def test_like_its_twin(
        self, packets: list[tuple[int, int, bool, int, int, int, int, int, int]]
    ) -> None:
        ear, twin = Ear(), ReceiverTwin()
        sequence, timestamp, now = 65530, 2**32 - 1000, 10**12
        for move, leap, marker, digit, second, duration, pause, length, ssrc in packets:
            sequence, timestamp = (sequence + move) % 65536, (timestamp + leap) % 2**32
            now += pause * MS
            payload = (bytes([digit, second]) + duration.to_bytes(2, "big") + bytes(4))[:length]
            assert ear.receive(sequence, timestamp, marker, payload, now, ssrc) == twin.packet(
                sequence, timestamp, marker, payload, now, ssrc
            )

    @settings(deadline=None, max_examples=80)
    @given(
        st.lists(st.tuples(st.integers(0, 15), st.integers(300, 4000)), min_size=1, max_size=6),
        st.randoms(use_true_random=False),
        st.floats(0, 0.6),
    )
    def test_every_digit_once_in_any_network(
        self, digits: list[tuple[int, int]], dice: object, loss: float
    ) -> None:
        """Loss, doubles and reordering; of every digit something comes through."""
        import random

        assert isinstance(dice, random.Random)
        ear = Ear()
        sequence, timestamp, now = 65500, 2**32 - 3000, 10**12
        for digit, whole in digits:
            arriving = []
            for n, (stamp, marker, payload) in enumerate(send(digit, whole, 160, timestamp)):
                if dice.random() >= loss:
                    for _ in range(1 + (dice.random() < 0.3)):
                        arriving.append(
                            (n + dice.choice([0, 0, 1.5, 2.5]), sequence, stamp, marker, payload)
                        )
                sequence = (sequence + 1) % 65536
            assume(arriving)
            for late, number, stamp, marker, payload in sorted(arriving):
                ear.receive(number, stamp, marker, payload, now + round(late * 20 * MS))
            now += (whole // 160 + 3) * 20 * MS + 400 * MS
            timestamp = (timestamp + whole + 3000) % 2**32
            ear.expire(now)
        assert [digit for what, digit, _ in ear.heard if what == "began"] == [d for d, _ in digits]
        ended = [(digit, length) for what, digit, length in ear.heard if what == "ended"]
        assert [digit for digit, _ in ended] == [d for d, _ in digits]
        assert all(
            0 < length <= whole for (_, length), (_, whole) in zip(ended, digits, strict=True)
        )

    def test_a_phone_that_begins_anew_and_dials_on(self) -> None:
        """Another SSRC, lower numbers, and the key of before, within a second."""
        ear, now = Ear(), 10**12
        for ssrc, first in ((7, 40000), (8, 39990), (9, 5), (7, 3)):
            for n, (stamp, marker, payload) in enumerate(send(5, 800, 160, 1000)):
                now += 20 * MS
                ear.receive(first + n, stamp, marker, payload, now, ssrc)
            now += 100 * MS
        assert ear.heard == [("began", 5, 0), ("ended", 5, 800)] * 4

    def test_two_phones_behind_one_port(self) -> None:
        """Keys of both come, whoever of them was last; of two at once the one that was first."""
        ear, now = Ear(), 10**12
        for turn, (ssrc, digit) in enumerate([(7, 1), (8, 2), (7, 3), (8, 4), (8, 5), (7, 6)]):
            first = 100 * turn + (30000 if ssrc == 7 else 0)
            for n, (stamp, marker, payload) in enumerate(send(digit, 800, 160, 5000 * turn)):
                now += 20 * MS
                ear.receive(first + n, stamp, marker, payload, now, ssrc)
            now += 100 * MS
        assert [digit for what, digit, _ in ear.heard if what == "began"] == [1, 2, 3, 4, 5, 6]
        ear = Ear()
        for n, both in enumerate(zip(send(1, 1600, 160, 0), send(2, 1600, 160, 0), strict=True)):
            now += 20 * MS
            for ssrc, (stamp, marker, payload) in zip((7, 8), both, strict=True):
                if n < 8:
                    ear.receive(100 * ssrc + n, stamp, marker, payload, now, ssrc)
        assert ear.heard == [("began", 1, 0)]

    def test_only_the_ends_come(self) -> None:
        ear = Ear()
        for n, (stamp, marker, payload) in enumerate(send(5, 800, 160, 1000)[-3:]):
            ear.receive(100 + n, stamp, marker, payload, 10**12 + n * 20 * MS)
        assert ear.heard == [("began", 5, 0), ("ended", 5, 800)]

    def test_the_ends_are_lost(self) -> None:
        ear = Ear()
        for n, (stamp, marker, payload) in enumerate(send(5, 800, 160, 1000)[:-3]):
            ear.receive(100 + n, stamp, marker, payload, 10**12 + n * 20 * MS)
        assert ear.expire(10**12 + 200 * MS) == []
        assert ear.expire(10**12 + 250 * MS) == [("ended", 5, 640)]
        assert ear.expire(10**12 + 300 * MS) == []

    def test_next_digit_ends_the_one_before(self) -> None:
        ear = Ear()
        packets = send(5, 800, 160, 1000)[:-3] + send(5, 800, 160, 2500)
        for n, (stamp, marker, payload) in enumerate(packets):
            ear.receive(100 + n, stamp, marker, payload, 10**12 + n * 20 * MS)
        assert ear.heard == [("began", 5, 0), ("ended", 5, 640), ("began", 5, 0), ("ended", 5, 800)]
        assert ear.row[ev.UNENDED] == 1

    @pytest.mark.parametrize("lost", [(), (200,), (199, 200, 408, 409)])
    def test_half_a_minute(self, lost: tuple[int, ...]) -> None:
        """Longer than 16 bits can say, with packets lost around the segments' borders."""
        ear = Ear()
        packets = send(11, 240_000, 320, 0xFFFFF000)
        assert len({stamp for stamp, _, _ in packets}) == 4
        assert [marker for _, marker, _ in packets].count(True) == 1
        for n, (stamp, marker, payload) in enumerate(packets):
            if n not in lost:
                ear.receive(n, stamp, marker, payload, 10**12 + n * 40 * MS)
        assert ear.heard == [("began", 11, 0), ("ended", 11, 240_000)]

    def test_timestamp_that_never_moves(self) -> None:
        """Some peers send the digits 1, 2, 2 with one timestamp."""
        ear = Ear()
        sequence = 10
        for digit in (1, 2, 2):
            for _, marker, payload in send(digit, 800, 160, 1000):
                ear.receive(sequence, 1000, marker, payload, 10**12 + sequence * 20 * MS)
                sequence += 1
        began = [digit for what, digit, _ in ear.heard if what == "began"]
        assert began == [1, 2, 2]

    def test_short_payloads(self) -> None:
        row = np.zeros(ev.WIDTH, np.int64)
        octets = np.zeros(16, np.uint8)
        for offset, length in [(12, 3), (13, 4), (-1, 4), (12, -4), (2**40, 4)]:
            assert ev.receive(row, octets, offset, length, 1, 1, 1, 7, 10**12) == 0
        assert not row.any()
