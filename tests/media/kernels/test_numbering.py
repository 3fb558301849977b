"""One stream of many sources: `numbering` beside a slow twin that keeps all in words."""

import struct
from dataclasses import dataclass, field

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pbx.media.engine import stream_row as row
from pbx.media.engine.kernels import numbering
from pbx.media.engine.kernels.rtp import MAX_DROPOUT, MAX_MISORDER, count_sequence
from pbx.media.engine.tables import Words

CLOCK = 8000
TICK_NS = 20_000_000

Header = tuple[int, int, int]
"""Sequence number, timestamp, SSRC."""


class Numbered:
    """The kernels, for one peer."""

    def __init__(self) -> None:
        self.stream: Words = np.zeros(row.WIDTH, np.int64)
        self.sources: Words = np.zeros((4, row.WIDTH), np.int64)

    def packet(self, slot: int, header: Header, now: int, clock: int = CLOCK) -> Header:
        """Return what the peer gets for a packet that comes to row `slot`."""
        sequence, timestamp, ssrc = header
        data = struct.pack("!BBHII", 0x80, 0x80, sequence, timestamp, ssrc)
        octets = np.frombuffer(bytearray(data + b"sound"), np.uint8)
        source = self.sources[slot]
        source[row.CLOCK] = clock
        count_sequence(source, ssrc, sequence)
        how = numbering.follow(self.stream, source, slot, octets, now)
        if how != numbering.AS_IT_CAME:
            numbering.renumber(self.stream, octets, how)
        assert octets[:2].tobytes() == data[:2]
        assert octets[12:].tobytes() == b"sound"
        sequence, timestamp, ssrc = struct.unpack("!HII", octets[2:12].tobytes())
        return sequence, timestamp, ssrc


@dataclass
class Source:
    """One source, and how it is numbered."""

    name: tuple[int, int]
    newest: int
    """Its newest sequence number; all numbers of a source go on over the turns of the 16 bits."""

    shift: int = 0
    stamp_shift: int = 0

    def extended(self, sequence: int) -> int:
        """Return a sequence number where it is nearest to the newest one."""
        return self.newest + (sequence - self.newest + 0x8000) % 0x10000 - 0x8000


@dataclass
class Line:
    """What comes to one row, as RFC 3550 A.1 has it."""

    ssrc: int
    newest: int
    proof: int = -1
    """The number that would prove that it has begun anew."""

    def belongs(self, sequence: int) -> bool:
        """Take in a number; returns whether it is the newest one then."""
        ahead = (sequence - self.newest) % 2**16
        if ahead >= 2**16 - MAX_MISORDER + 1:
            return False
        if ahead != 0 and ahead >= MAX_DROPOUT and sequence != self.proof:
            self.proof = (sequence + 1) % 2**16
            return False
        if ahead != 0:
            self.newest, self.proof = sequence, -1
        return True


@dataclass
class Twin:
    """What a peer gets, with whole numbers and objects."""

    ssrc: int = -1
    present: Source | None = None
    earlier: Source | None = None
    left_ns: int = 0
    newest_out: int = 0
    lines: dict[int, Line] = field(default_factory=dict)
    stamp: tuple[int, int] = (0, 0)
    """The newest timestamp, and when it came first."""

    log: list[str] = field(default_factory=list)

    def packet(self, slot: int, header: Header, now: int, clock: int = CLOCK) -> Header:
        sequence, timestamp, ssrc = header
        source = self.source(slot, header, now, clock)
        out = source.extended(sequence) + source.shift
        stamp = (timestamp + source.stamp_shift) % 2**32
        if source is self.present and out > self.newest_out:
            source.newest, self.newest_out = source.extended(sequence), out
            self.note(stamp, now)
        return out % 2**16, stamp, self.ssrc

    def source(self, slot: int, header: Header, now: int, clock: int) -> Source:
        sequence, timestamp, ssrc = header
        name = slot, ssrc
        if slot not in self.lines or self.lines[slot].ssrc != ssrc:
            self.lines[slot] = Line(ssrc, sequence)
        belongs = self.lines[slot].belongs(sequence)
        if self.present is None:
            self.ssrc, self.stamp, self.newest_out = ssrc, (timestamp, now), sequence
            self.present = Source(name, sequence)
            return self.present
        if name == self.present.name:
            ahead = self.present.extended(sequence) - self.present.newest
            if ahead > -MAX_MISORDER or not belongs:
                return self.present
        elif self.earlier and name == self.earlier.name and now - self.left_ns < 10**9:
            back = self.earlier
            ahead = back.extended(sequence) - back.newest
            if -MAX_MISORDER <= ahead <= 0:
                return back
            if ahead > 0:
                back.shift = self.newest_out - back.newest
                self.change(back, now)
                self.note((timestamp + back.stamp_shift) % 2**32, now)
                return back
        passed = max(now - self.stamp[1], TICK_NS) // 1000 * clock // 10**6
        fresh = Source(name, sequence, self.newest_out + 1 - sequence)
        fresh.stamp_shift = self.stamp[0] + passed - timestamp
        self.change(fresh, now)
        self.newest_out += 1
        self.stamp = (self.stamp[0] + passed) % 2**32, now
        return fresh

    def note(self, stamp: int, now: int) -> None:
        """Keep the newest timestamp and when it came: what isn't later than it isn't newer."""
        later = (stamp - self.stamp[0] + 2**31) % 2**32 - 2**31
        if later > 0:
            self.stamp = stamp, now

    def change(self, source: Source, now: int) -> None:
        self.earlier, self.present, self.left_ns = self.present, source, now


steps = st.one_of(
    st.just(1), st.just(1), st.integers(-70, 70), st.integers(-4000, 4000), st.integers(0, 65535)
)
pauses = st.one_of(st.just(TICK_NS), st.integers(0, 10 * TICK_NS), st.integers(0, 10**14))
moves = st.lists(
    # Which of three sources, how far its numbers go, how far its time, how much later
    st.tuples(
        st.integers(0, 2),
        steps,
        st.one_of(st.just(160), st.just(0), st.integers(-(2**31), 2**31)),
        pauses,
    ),
    max_size=60,
)
starts = st.tuples(st.integers(0, 65535), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))


class TestRfc3550Section7:
    @settings(deadline=None, max_examples=400)
    @given(st.lists(starts, min_size=3, max_size=3), moves, st.sampled_from((8000, 48000, 90000)))
    @example(
        [(65530, 2**32 - 200, 1), (3, 7, 2), (0, 0, 1)],
        [(number % 2, 1, 160, TICK_NS) for number in range(30)],
        8000,
    )
    def test_like_its_twin(
        self, sources: list[Header], moves: list[tuple[int, int, int, int]], clock: int
    ) -> None:
        fast, slow = Numbered(), Twin()
        now = 10**12
        for which, step, stamp_step, pause in moves:
            sequence, timestamp, ssrc = sources[which]
            header = (sequence + step) % 2**16, (timestamp + stamp_step) % 2**32, ssrc
            sources[which] = header
            now += pause
            assert fast.packet(which, header, now, clock) == slow.packet(which, header, now, clock)


def stream_of(
    first: int, count: int, *, ssrc: int, timestamp: int = 1000, step: int = 160
) -> list[Header]:
    """Return packets of one source, in their order."""
    return [((first + n) % 2**16, (timestamp + step * n) % 2**32, ssrc) for n in range(count)]


class TestOneSource:
    @settings(deadline=None, max_examples=200)
    @given(starts, moves)
    def test_the_first_one_is_never_touched(
        self, start: Header, moves: list[tuple[int, int, int, int]]
    ) -> None:
        """As long as it doesn't begin anew: a call without a transfer has its own numbers."""
        peer, (sequence, timestamp, ssrc), now = Numbered(), start, 1
        newest = sequence
        assert peer.packet(1, start, now) == start
        for _, step, stamp_step, pause in moves:
            newest = max(newest, sequence := newest + max(min(step, 0x7FFF), 1 - MAX_MISORDER))
            timestamp += stamp_step
            now += pause
            header = sequence % 2**16, timestamp % 2**32, ssrc
            assert peer.packet(1, header, now) == header


class TestAnotherSource:
    def after(self, numbers: list[Header], pause_ns: int = TICK_NS) -> tuple[Numbered, int]:
        """Return a peer that has been sent packets, and when the next one would come."""
        peer, now = Numbered(), 10**9
        for header in numbers:
            peer.packet(1, header, now)
            now += TICK_NS
        return peer, now - TICK_NS + pause_ns

    def test_goes_on_over_the_turn(self) -> None:
        peer, now = self.after(stream_of(65530, 4, ssrc=1, timestamp=2**32 - 300))
        got = [
            peer.packet(2, header, now + TICK_NS * n)
            for n, header in enumerate(stream_of(9, 4, ssrc=2, timestamp=77))
        ]
        assert got == [((65534 + n) % 2**16, 340 + 160 * n, 1) for n in range(4)]

    def test_time_that_has_passed_is_kept(self) -> None:
        peer, now = self.after(stream_of(5, 2, ssrc=1, timestamp=0), 3 * 10**9)
        assert peer.packet(2, (40000, 5, 2), now) == (7, 160 + 24000, 1)

    def test_at_once(self) -> None:
        """Not before the end of the last packet."""
        peer, now = self.after(stream_of(5, 2, ssrc=1, timestamp=0), 0)
        assert peer.packet(2, (40000, 5, 2), now) == (7, 320, 1)

    def test_after_a_key(self) -> None:
        """RFC 4733 §2.5.1.2: its packets have the timestamp of its beginning."""
        key = [(100 + n, 1000, 1) for n in range(50)]
        peer, now = self.after(key)
        assert peer.packet(2, (7, 7, 2), now) == (150, 1000 + 50 * 160, 1)

    def test_loss_order_and_copies_stay(self) -> None:
        peer, now = self.after(stream_of(5, 2, ssrc=1))
        numbers = [((40000 + n) % 2**16, 160 * n, 2) for n in (0, 3, 1, 1, 3, 4, 4 + 0x7FFF)]
        got = [sequence for sequence, _, _ in (peer.packet(2, one, now) for one in numbers)]
        assert got == [7, 10, 8, 8, 10, 11, (11 + 0x7FFF) % 2**16]

    def test_what_was_late_keeps_its_numbers(self) -> None:
        peer, now = self.after(stream_of(5, 3, ssrc=1))
        assert peer.packet(2, (400, 0, 2), now) == (8, 1480, 1)
        assert peer.packet(1, (4, 840, 1), now) == (4, 840, 1)
        assert peer.packet(1, (7, 1320, 1), now) == (7, 1320, 1)
        assert peer.packet(2, (401, 160, 2), now) == (9, 1640, 1)

    def test_two_at_once_keep_their_time(self) -> None:
        """Telephone-events with an SSRC of their own: one key stays one key."""
        peer, now = self.after(stream_of(5, 3, ssrc=1))
        stamps, numbers = set(), []
        for n in range(20):
            now += TICK_NS
            numbers.append(peer.packet(1, (8 + n, 1480 + 160 * n, 1), now)[0])
            sequence, stamp, _ = peer.packet(1, (900 + n, 3, 2), now + 1000)
            stamps.add(stamp)
            numbers.append(sequence)
        assert len(stamps) == 1
        assert numbers == list(range(8, 48))
        assert peer.packet(1, (28, 1480 + 160 * 20, 1), now)[1] == 1480 + 160 * 20
        # And who follows begins behind the sound, not behind the key's beginning
        assert peer.packet(2, (7, 7, 3), now)[1] == 1480 + 160 * 21

    def test_back_after_a_while(self) -> None:
        """What it has sent to others meanwhile is not lost."""
        peer, now = self.after(stream_of(5, 3, ssrc=1))
        for n in range(100):
            peer.packet(2, (400 + n, 160 * n, 2), now + TICK_NS * n)
        now += 100 * TICK_NS
        assert peer.packet(1, (108, 77, 1), now) == (108, 1320 + 101 * 160, 1)

    def test_the_same_ssrc_at_another_port(self) -> None:
        peer, now = self.after(stream_of(5, 3, ssrc=1))
        assert peer.packet(2, (6, 9, 1), now) == (8, 1480, 1)

    def test_the_same_source_begins_anew(self) -> None:
        """With the second packet: one might be late, or doubled."""
        for first in (7 - MAX_MISORDER - 1, 7 + 0x8000, 40000):
            peer, now = self.after(stream_of(7, 1, ssrc=1))
            got = [
                peer.packet(1, ((first + n) % 2**16, 160 * n, 1), now + TICK_NS * n)
                for n in range(4)
            ]
            assert got[0] == (first % 2**16, 0, 1)
            assert got[1:] == [(8 + n, 1320 + 160 * n, 1) for n in range(3)]

    def test_a_packet_that_is_seconds_late_moves_nothing(self) -> None:
        for source, shift in ((1, 0), (2, 101)):
            peer, now = self.after(stream_of(900, 101, ssrc=1, timestamp=0))
            if source == 2:
                peer.packet(2, (900, 0, 2), now)
            late = (900 - MAX_MISORDER, 7, source)
            before = peer.packet(source, (1000, 16000, source), now)
            stray = peer.packet(source, late, now)
            assert stray[0] == (late[0] + shift) % 2**16
            again = peer.packet(source, late, now)
            assert again == stray
            after = peer.packet(source, (1001, 16160, source), now + TICK_NS)
            assert after == (before[0] + 1, (before[1] + 160) % 2**32, before[2])
