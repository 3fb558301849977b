"""Digits in the place of sound: `dialling` beside a slow twin that keeps them as a list."""

import struct
from dataclasses import dataclass, field

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pbx.media.engine import stream_row as row
from pbx.media.engine.kernels import dialling
from pbx.media.engine.tables import Words

EVENTS, SOUND = 101, 8
MS = 1_000_000
TICK_NS = 20 * MS


@dataclass(frozen=True)
class Packet:
    """An RTP packet without contributing sources."""

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    payload: bytes
    extension: bytes = b""
    """Header extension, whole words."""

    @staticmethod
    def read(data: bytes) -> "Packet":
        """Return what a datagram says."""
        first, second, sequence, timestamp = struct.unpack("!BBHI", data[:8])
        assert first == 0x80
        return Packet(second & 0x7F, second >= 0x80, sequence, timestamp, data[12:])

    def encode(self) -> bytes:
        first = 0x90 if self.extension else 0x80
        second = self.payload_type | self.marker << 7
        head = struct.pack("!BBHII", first, second, self.sequence, self.timestamp, 0xABCDEF01)
        if self.extension:
            head += struct.pack("!HH", 0xBEDE, len(self.extension) // 4) + self.extension
        return head + self.payload


class Dialled:
    """The kernels, for a peer that is to hear digits."""

    def __init__(self, event_type: int = EVENTS, clock: int = 8000) -> None:
        self.stream: Words = np.zeros(row.WIDTH, np.int64)
        self.stream[row.EVENTS] = clock << 8 | event_type

    def dial(self, digits: list[int], on_ms: int, off_ms: int, now: int) -> None:
        octets = sum(digit << 4 * at for at, digit in enumerate(digits)).to_bytes(8, "little")
        codes = int.from_bytes(octets, "little", signed=True)
        dialling.dial(self.stream, codes, len(digits), on_ms, off_ms, now)

    def packet(self, packet: Packet, now: int) -> bytes:
        """Return what the peer gets of a packet that its partner sends, as `relay` has it made."""
        data = packet.encode()
        octets = np.full(len(data) + 64, 0x55, np.uint8)
        octets[: len(data)] = np.frombuffer(data, np.uint8)
        length = len(data)
        dialling.notice_event(self.stream, octets, length)
        if self.stream[row.DIAL_PHASE] != row.DIAL_IDLE:
            length = int(dialling.put_digit(self.stream, octets, length, now))
        assert (octets[max(len(data), 16) :] == 0x55).all()
        return octets[:length].tobytes()


@dataclass
class Key:
    """A digit that sounds."""

    digit: int
    begun_ns: int
    timestamp: int
    ends: int = 0
    """Packets with the end bit that have been sent."""


@dataclass
class Twin:
    """What the peer hears, by RFC 4733 §2.5.1: packets of sound, some of them a key's instead."""

    event_type: int = EVENTS
    clock: int = 8000
    waiting: list[int] = field(default_factory=list)
    due_ns: int = 0
    key: Key | None = None
    breathes: bool = False
    """A key has just ended: the next packet is sound, whatever waits."""

    on_ms: int = 0
    off_ms: int = 0
    dialled_before: bool = False
    partner_has_keys: bool = False

    @property
    def idle(self) -> bool:
        return not self.waiting and self.key is None and not self.breathes

    def dial(self, digits: list[int], on_ms: int, off_ms: int, now: int) -> None:
        if self.event_type == 0xFF or self.partner_has_keys:
            return
        self.on_ms, self.off_ms = on_ms, off_ms
        if self.idle:
            # Only the very first one may have been told of as an event, too
            self.due_ns = now if self.dialled_before else now + 300 * MS
        self.dialled_before = True
        sounding = self.key is not None
        self.waiting += digits[: max(16 - len(self.waiting) - sounding, 0)]

    def packet(self, packet: Packet, now: int) -> bytes:
        as_it_came = packet.encode()
        if packet.payload_type == self.event_type & 0x7F:
            if packet.payload_type == self.event_type and len(packet.payload) == 4:
                self.partner_has_keys = True
                if self.key is None and not self.breathes:
                    self.waiting.clear()
            return as_it_came
        if self.breathes:
            self.breathes = False
            return as_it_came[:1] + bytes([as_it_came[1] | 0x80]) + as_it_came[2:]
        begins = self.key is None
        if self.key is None:
            if not self.waiting or now < self.due_ns:
                return as_it_came
            if now - self.due_ns > 5 * 10**9:
                self.waiting.clear()
                return as_it_came
            self.key = Key(self.waiting.pop(0), now, packet.timestamp)
        return self.told(self.key, begins, packet, now)

    def told(self, key: Key, begins: bool, packet: Packet, now: int) -> bytes:
        """Return the key's packet that takes the place of one of sound."""
        lasted_ns = min(now - key.begun_ns + TICK_NS, self.on_ms * MS)
        if key.ends or lasted_ns == self.on_ms * MS:
            key.ends += 1
            lasted_ns = self.on_ms * MS
        duration = min(lasted_ns * self.clock // 10**9, 0xFFFF)
        payload = struct.pack("!BBH", key.digit, 0x8A if key.ends else 0x0A, duration)
        if key.ends == 3:
            self.key, self.breathes = None, True
            self.due_ns = now + self.off_ms * MS
        event = Packet(self.event_type, begins, packet.sequence, key.timestamp, payload)
        return event.encode()


digits = st.lists(st.integers(0, 15), min_size=1, max_size=16)
lengths = st.one_of(st.sampled_from((40, 80, 100)), st.integers(1, 300), st.integers(1, 20_000))
dials = st.tuples(st.just("dial"), digits, lengths, lengths)
sounds = st.tuples(
    st.just("sound"),
    # How much later it comes
    st.one_of(st.just(TICK_NS), st.integers(0, 400 * MS), st.integers(0, 6 * 10**9)),
    st.sampled_from((SOUND, SOUND, 0, 13, 127)),
    st.binary(min_size=0, max_size=8),
    st.sampled_from((b"", b"", bytes(4), bytes(8))),
)
keys = st.tuples(
    st.just("key"), st.integers(0, 400 * MS), st.binary(min_size=3, max_size=5), st.just(b"")
)
bursts = st.tuples(st.just("burst"), st.integers(1, 40))
moves = st.lists(st.one_of(dials, sounds, bursts, bursts), max_size=30)
moves_with_keys = st.lists(st.one_of(dials, sounds, bursts, keys), max_size=30)


def alike(fast: Dialled, slow: Twin, moves: list[tuple[object, ...]]) -> None:
    """Let both hear the same."""
    now, sequence, timestamp = 10**12, 65530, 2**32 - 500

    def comes(payload_type: int, payload: bytes, extension: bytes, later: int) -> None:
        nonlocal now, sequence, timestamp
        now += later
        packet = Packet(payload_type, False, sequence, timestamp, payload, extension)
        assert fast.packet(packet, now) == slow.packet(packet, now)
        assert (fast.stream[row.DIAL_PHASE] == row.DIAL_IDLE) == slow.idle
        sequence = (sequence + 1) % 2**16
        timestamp = (timestamp + 160) % 2**32

    for move in moves:
        match move:
            case ("dial", list(which), int(on_ms), int(off_ms)):
                fast.dial(which, on_ms, off_ms, now)
                slow.dial(which, on_ms, off_ms, now)
            case ("sound", int(later), int(payload_type), bytes(payload), bytes(extension)):
                comes(payload_type, payload, extension, later)
            case ("key", int(later), bytes(payload), bytes(extension)):
                comes(EVENTS, payload, extension, later)
            case ("burst", int(count)):
                for _ in range(count):
                    comes(SOUND, bytes(160), b"", TICK_NS)


class TestRfc4733:
    @settings(deadline=None, max_examples=300)
    @given(moves, st.sampled_from((8000, 16000, 48000)))
    @example([("dial", list(range(16)), 80, 60), ("dial", [1], 80, 60), ("burst", 400)], 8000)
    @example(
        [("dial", [5], 80, 60), ("burst", 17), ("dial", [9] * 16, 80, 60), ("burst", 400)], 8000
    )
    @example([("dial", [5], 20_000, 60), ("burst", 1100)], 48000)
    def test_like_its_twin(self, moves: list[tuple[object, ...]], clock: int) -> None:
        alike(Dialled(clock=clock), Twin(clock=clock), moves)

    @settings(deadline=None, max_examples=200)
    @given(moves_with_keys)
    @example([("dial", [5], 80, 60), ("key", 0, bytes(4), b""), ("burst", 40)])
    @example([("dial", [5], 80, 60), ("burst", 20), ("key", 0, bytes(4), b""), ("burst", 40)])
    def test_beside_keys_of_the_partner_s(self, moves: list[tuple[object, ...]]) -> None:
        alike(Dialled(), Twin(), moves)

    @settings(deadline=None, max_examples=50)
    @given(moves_with_keys)
    def test_a_peer_without_keys_is_left_alone(self, moves: list[tuple[object, ...]]) -> None:
        alike(Dialled(event_type=row.NO_EVENTS), Twin(event_type=row.NO_EVENTS), moves)


def dialled(digits: list[int], packets: int, *, on_ms: int = 80, off_ms: int = 60) -> list[Packet]:
    """What a peer gets while its partner talks."""
    peer, now = Dialled(), 10**12
    peer.dial(digits, on_ms, off_ms, now)
    got = []
    for number in range(packets):
        sound = Packet(SOUND, False, 100 + number, 160 * number, bytes(160))
        got.append(Packet.read(peer.packet(sound, now + number * TICK_NS)))
    return got


class TestOneKey:
    def test_as_the_rfc_has_it(self) -> None:
        """§2.5.1.2: one timestamp, a marker at the begin, three packets at the end; sound is marked then."""
        got = dialled([5], 25)
        assert [one.sequence for one in got] == list(range(100, 125))
        told = [one for one in got if one.payload_type == EVENTS]
        # It waits 300 ms, whether the partner tells of it by itself
        assert got.index(told[0]) == 15
        assert {one.timestamp for one in told} == {15 * 160}
        assert [one.marker for one in told] == [True, False, False, False, False, False]
        assert [struct.unpack("!BBH", one.payload) for one in told] == [
            (5, 10, 160),
            (5, 10, 320),
            (5, 10, 480),
            *[(5, 0x8A, 640)] * 3,
        ]
        assert [one.marker for one in got[21:]] == [True, False, False, False]

    def test_the_next_one_after_the_pause(self) -> None:
        told = [one for one in dialled([5, 9], 40) if one.payload_type == EVENTS]
        assert [one.payload[0] for one in told] == [5] * 6 + [9] * 6
        assert (told[6].sequence - told[5].sequence) * 20 >= 60
