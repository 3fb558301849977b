"""The kernels beside slow twins in plain Python."""

import socket
import struct
import threading
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.media.engine import ring_row
from pbx.media.engine import stream_row as row
from pbx.media.engine import tables as t
from pbx.media.engine.addresses import (
    AddressError,
    address_of,
    address_words,
    parse_host,
    source_control,
)
from pbx.media.engine.kernels import rtp, source
from pbx.media.engine.loading import Kernels, load_kernels
from pbx.media.engine.tables import Words, make_tables
from pbx.media.protocol import Address
from tests.media.kernels.twins_sequence import SequenceTwin

twin = settings(deadline=None, max_examples=300)


def fresh_stream() -> Words:
    stream = np.zeros(row.WIDTH, np.int64)
    stream[row.SEQ_AFTER_JUMP] = -1
    stream[row.TRANSIT] = -1
    stream[row.CLOCK] = 8000
    return stream


# --- kinds ------------------------------------------------------------------------------------


def kind_of(data: bytes) -> int:
    """RFC 7983 §7 with RFC 5761 §4, and no shorter than the protocol's header."""
    if len(data) < 8:
        return rtp.OTHER
    if 128 <= data[0] <= 191:
        if 192 <= data[1] <= 223:
            return rtp.RTCP
        return rtp.RTP if len(data) >= 12 else rtp.OTHER
    if 20 <= data[0] <= 63:
        return rtp.DTLS if len(data) >= 13 else rtp.OTHER
    if data[0] <= 3 and len(data) >= 20 and data[4:8] == bytes.fromhex("2112a442"):
        return rtp.STUN
    return rtp.OTHER


class TestRfc7983Section7:
    def test_every_first_octet(self) -> None:
        for first in range(256):
            for second in (0, 96, 191, 192, 200, 223, 224, 255):
                for length in (0, 1, 7, 8, 11, 12, 13, 19, 20, 200):
                    for cookie in (bytes.fromhex("2112a442"), bytes(4)):
                        data = (bytes([first, second, 0, 0]) + cookie + bytes(192))[:length]
                        # What stands in the buffer behind the packet is another packet's.
                        octets = np.frombuffer(data.ljust(t.PACKET, b"\x80"), np.uint8)
                        assert rtp.packet_kind(octets, length) == kind_of(data), data


# --- sequence numbers ---------------------------------------------------------------------------


steps = st.one_of(st.integers(-70, 70), st.integers(-4000, 4000), st.integers(0, 65535), st.just(1))


class TestRfc3550AppendixA1:
    @twin
    @given(st.integers(0, 65535), st.lists(st.tuples(steps, st.integers(0, 20)), max_size=80))
    def test_like_its_twin(self, first: int, moves: list[tuple[int, int]]) -> None:
        stream, slow = fresh_stream(), SequenceTwin()
        sequence, ssrc = first, 5
        for step, chance in [(0, 1), *moves]:
            sequence = (sequence + step) % 0x10000
            ssrc += chance == 0
            rtp.count_sequence(stream, ssrc, sequence)
            slow.packet(ssrc, sequence)
            assert rtp.lost(stream) == slow.lost
            assert stream[row.REORDERED] == slow.reordered

    def test_nothing_yet(self) -> None:
        assert rtp.lost(fresh_stream()) == 0


# --- jitter -------------------------------------------------------------------------------------


class JitterTwin:
    """RFC 3550 A.8, with whole packets kept."""

    def __init__(self, clock: int) -> None:
        self.clock = clock
        self.last: tuple[int, int] | None = None
        self.jitter_16 = 0

    def packet(self, timestamp: int, arrival_ns: int) -> None:
        arrival = arrival_ns // 1000 * self.clock // 10**6
        if self.last is not None:
            last_arrival, last_timestamp = self.last
            if timestamp == last_timestamp:
                return
            difference = (arrival - last_arrival) - (timestamp - last_timestamp)
            distance = abs((difference + 2**31) % 2**32 - 2**31)
            if distance <= self.clock:
                self.jitter_16 += distance - ((self.jitter_16 + 8) >> 4)
        self.last = arrival, timestamp


class TestRfc3550Section6Paragraph4Section1:
    @twin
    @given(
        st.integers(0, 2**32 - 1),
        st.integers(0, 10**15),
        st.lists(
            st.tuples(
                st.one_of(st.just(160), st.integers(-500, 500), st.integers(-(2**31), 2**31)),
                st.one_of(st.integers(0, 60_000_000), st.integers(0, 10**13)),
            ),
            max_size=60,
        ),
        st.sampled_from((8000, 16000, 44100, 48000, 90000)),
    )
    def test_like_its_twin(
        self, stamp: int, now_ns: int, packets: list[tuple[int, int]], clock: int
    ) -> None:
        stream, slow = fresh_stream(), JitterTwin(clock)
        stream[row.CLOCK] = clock
        for step, pause_ns in [(0, 0), *packets]:
            stamp = (stamp + step) % 2**32
            now_ns += pause_ns
            rtp.count_jitter(stream, stamp, now_ns)
            slow.packet(stamp, now_ns)
            assert stream[row.JITTER_16] == slow.jitter_16
            assert 0 <= stream[row.JITTER_16] <= 16 * clock

    @pytest.mark.parametrize("clock", [8000, 48000])
    def test_an_even_pace_has_none(self, clock: int) -> None:
        stream = fresh_stream()
        stream[row.CLOCK] = clock
        for number in range(100):
            rtp.count_jitter(stream, clock // 50 * number, 20_000_000 * number)
        assert stream[row.JITTER_16] == 0


# --- source check ---------------------------------------------------------------------------------


@dataclass
class SourceTwin:
    """Who is listened to, in words of hosts and ports."""

    latch: bool
    rtp_said: tuple[str, int] | None
    rtcp_said: tuple[str, int] | None
    rtp: tuple[str, int] | None = None
    rtcp: tuple[str, int] | None = None

    def accept_rtp(self, who: tuple[str, int], proof: bool) -> int:
        if who == self.rtp:
            return 1
        family = ":" in who[0]
        may = who == self.rtp_said
        may |= self.latch and self.rtp is None and proof and not family
        if may and proof:
            self.rtp = who
            if self.rtcp is not None and self.rtcp[0] != who[0]:
                self.rtcp = None
            return 2
        return int(may)

    def accept_rtcp(self, who: tuple[str, int], proof: bool) -> int:
        if who == self.rtcp:
            return 1
        neighbour = self.rtp or self.rtp_said
        may = who == self.rtcp_said
        if self.latch and self.rtcp is None and proof and neighbour is not None:
            may |= who[0] == neighbour[0]
        if may and proof:
            self.rtcp = who
            return 2
        return int(may)


hosts = st.sampled_from(["192.0.2.1", "192.0.2.2", "2001:db8::1"])
peers = st.tuples(hosts, st.sampled_from([4000, 4001, 0x0AFF]))
ipv4_peers = st.tuples(st.sampled_from(["192.0.2.1", "192.0.2.2"]), st.sampled_from([4000, 4001]))


class TestRfc4961:
    @pytest.mark.parametrize("dual_stack", [True, False])
    @twin
    @given(
        latch=st.booleans(),
        rtp_said=st.none() | ipv4_peers,
        rtcp_said=st.none() | ipv4_peers,
        packets=st.lists(st.tuples(st.booleans(), peers, st.sampled_from(range(5))), max_size=30),
    )
    def test_like_its_twin(
        self,
        dual_stack: bool,
        latch: bool,
        rtp_said: tuple[str, int] | None,
        rtcp_said: tuple[str, int] | None,
        packets: list[tuple[bool, tuple[str, int], int]],
    ) -> None:
        facts = make_tables([0, 0], dual_stack=dual_stack).facts
        stream, slow = fresh_stream(), SourceTwin(latch, rtp_said, rtcp_said)
        stream[row.FLAGS] = row.IPV4 | (row.LATCH if latch else 0)
        for said, column, flag in (
            (rtp_said, row.REMOTE_RTP, row.HAS_RTP),
            (rtcp_said, row.REMOTE_RTCP, row.HAS_RTCP),
        ):
            if said is not None:
                stream[column : column + 4] = words(*said, dual_stack=dual_stack)
                stream[row.FLAGS] |= flag
        for on_rtcp, who, kind in packets:
            if not dual_stack and ":" in who[0]:
                continue
            name = words(*who, dual_stack=dual_stack)
            if on_rtcp:
                fast = source.judge_rtcp(facts, stream, name, kind)
                if fast == 2:
                    source.latch_rtcp(stream, name)
                proof = kind in (rtp.RTCP, rtp.DTLS, rtp.STUN)
                assert fast == slow.accept_rtcp(who, proof)
            else:
                fast = source.judge_rtp(facts, stream, name, kind)
                if fast == 2:
                    source.latch_rtp(facts, stream, name)
                assert fast == slow.accept_rtp(who, kind != rtp.OTHER)
            assert latched(stream, row.LATCHED_RTP, row.SOURCE_RTP, dual_stack) == slow.rtp
            assert latched(stream, row.LATCHED_RTCP, row.SOURCE_RTCP, dual_stack) == slow.rtcp


def words(host: str, port: int, *, dual_stack: bool) -> Words:
    return address_words(parse_host(host), port, dual_stack=dual_stack)


def latched(stream: Words, flag: int, column: int, dual_stack: bool) -> tuple[str, int] | None:
    if not stream[flag]:
        return None
    address = address_of(stream[column : column + 4], dual_stack=dual_stack)
    return address.host, address.port


# --- addresses --------------------------------------------------------------------------------


class TestAddresses:
    @twin
    @given(st.ip_addresses(), st.integers(1, 65535))
    def test_there_and_back(self, host: object, port: int) -> None:
        parsed = parse_host(str(host))
        try:
            words = address_words(parsed, port, dual_stack=True)
        except AddressError:
            assert parsed.is_unspecified
            return
        again = address_of(words, dual_stack=True)
        assert (parse_host(again.host), again.port) == (parsed, port)
        if parsed.version == 4:
            plain = address_words(parsed, port, dual_stack=False)
            assert address_of(plain, dual_stack=False) == Address(str(parsed), port)

    @pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
    def test_as_the_kernel_writes_them(self, family: int) -> None:
        """What recvmsg fills in is what `address_words` makes of the same address."""
        host = "127.0.0.1" if family == socket.AF_INET else "::1"
        tables = make_tables([0, 0], dual_stack=family == socket.AF_INET6)
        sender = socket.socket(family, socket.SOCK_DGRAM)
        receiver = socket.socket(family, socket.SOCK_DGRAM)
        with sender, receiver:
            try:
                sender.bind((host, 0))
            except OSError:
                return
            receiver.bind((host, 0))
            sender.sendto(b"x", receiver.getsockname()[:2])
            receiver.settimeout(10)
            receiver.recv(1, socket.MSG_PEEK)
            from pbx.media.engine.kernels.relay import receive

            tables.fds[0] = receiver.fileno()
            assert receive(tables, 0, 0, 0) == 1
            port = sender.getsockname()[1]
        expected = words(host, port, dual_stack=family == socket.AF_INET6)
        assert tables.names[0].tolist() == expected.tolist()

    def test_ipv6_without_ipv6(self) -> None:
        with pytest.raises(AddressError):
            address_words(parse_host("2001:db8::1"), 4000, dual_stack=False)

    def test_scope(self) -> None:
        octets = words("fe80::1%lo", 4000, dual_stack=True).tobytes()
        assert struct.unpack_from("=I", octets, 24)[0] == socket.if_nametoindex("lo")
        octets = words("fe80::1%7", 4000, dual_stack=True).tobytes()
        assert struct.unpack_from("=I", octets, 24)[0] == 7

    def test_source_control_is_a_control_message(self) -> None:
        """RFC 3542 §6.1, and as Python's own sendmsg builds it."""
        for host, dual_stack, data in (
            ("127.0.0.2", True, bytes(10) + b"\xff\xff\x7f\0\0\x02" + bytes(4)),
            ("127.0.0.2", False, bytes(4) + b"\x7f\0\0\x02" + bytes(4)),
        ):
            control, length = source_control(parse_host(host), dual_stack=dual_stack)
            assert length == socket.CMSG_SPACE(len(data))
            octets = control.tobytes()
            assert struct.unpack_from("@n", octets)[0] == socket.CMSG_LEN(len(data))
            assert octets[16 : 16 + len(data)] == data


# --- rings --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kernels() -> Kernels:
    return load_kernels({})


class TestRing:
    def test_full_and_empty(self, kernels: Kernels) -> None:
        ring = np.zeros((8, ring_row.WIDTH), np.int64)
        cursors = np.zeros(ring_row.CURSORS, np.int64)
        record = np.zeros(ring_row.WIDTH, np.int64)
        for turn in range(3):
            assert not kernels.ring_take(ring, cursors, record)
            for number in range(8):
                record[:] = 100 * turn + number
                assert kernels.ring_put(ring, cursors, record[np.newaxis]) == 1
            assert kernels.ring_put(ring, cursors, record[np.newaxis]) == 0
            for number in range(8):
                assert kernels.ring_take(ring, cursors, record)
                assert set(record) == {100 * turn + number}

    def test_several_at_once(self, kernels: Kernels) -> None:
        """As many as find room, over the ring's end, too."""
        ring = np.zeros((8, ring_row.WIDTH), np.int64)
        cursors = np.zeros(ring_row.CURSORS, np.int64)
        record = np.zeros(ring_row.WIDTH, np.int64)
        records = np.arange(11)[:, np.newaxis] + np.zeros_like(record)
        for first, put in ((0, 5), (5, 3)):
            assert kernels.ring_put(ring, cursors, records[first : first + 5]) == put
        for number in range(5):
            assert kernels.ring_take(ring, cursors, record)
            assert set(record) == {number}
        assert kernels.ring_put(ring, cursors, records[8:]) == 3
        assert kernels.ring_put(ring, cursors, records[:0]) == 0
        for number in range(5, 11):
            assert kernels.ring_take(ring, cursors, record)
            assert set(record) == {number}
        assert not kernels.ring_take(ring, cursors, record)

    def test_two_threads(self, kernels: Kernels) -> None:
        """Every record arrives whole and in order."""
        ring = np.zeros((16, ring_row.WIDTH), np.int64)
        cursors = np.zeros(ring_row.CURSORS, np.int64)
        total = 5_000
        faults: list[int] = []

        def take() -> None:
            record = np.zeros(ring_row.WIDTH, np.int64)
            for number in range(total):
                while not kernels.ring_take(ring, cursors, record):
                    pass
                if record[0] != number or record[-1] != number:
                    faults.append(number)

        reader = threading.Thread(target=take)
        reader.start()
        record = np.zeros(ring_row.WIDTH, np.int64)
        for number in range(total):
            record[:] = number
            while not kernels.ring_put(ring, cursors, record[np.newaxis]):
                pass
        reader.join()
        assert faults == []
