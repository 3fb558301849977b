"""Reports between two parties that know each other by numbers of ours (RFC 3550 §7.2)."""

import os
import struct

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pbx.media.engine import stream_row as row
from pbx.media.engine.kernels import numbering, rtcp_numbering
from pbx.media.engine.tables import Words
from tests.media.kernels.twins_rtcp_numbering import Heard, Way
from tests.media.rtcp_packets import (
    BYE,
    SDES,
    Block,
    parse,
    receiver_report,
    sender_report,
    voip_metrics,
)

HEARER, SOURCE, GONE = 3, 4, 5
"""Rows: who hears; whom it hears now, and whom it has heard before."""

OLD, NEW, OWN = 0x0A0A0A0A, 0x0B0B0B0B, 0x0C0C0C0C
"""SSRCs: of whom it has heard (and still believes to hear), of whom it hears, and its own."""

NTP = 0x1234_5678_9ABC_DEF0
NAMED = 0x5678_9ABC
TICK_NS = 20_000_000


class Parties:
    """Two parties: `hearer` has heard the gone one, and hears the source now."""

    def __init__(self, *, renumbered: bool = True) -> None:
        self.hearer: Words = np.zeros(row.WIDTH, np.int64)
        self.source: Words = np.zeros(row.WIDTH, np.int64)
        self.hearer[row.CLOCK] = self.source[row.CLOCK] = 8000
        self.now = 10**9
        self.hears(GONE if renumbered else SOURCE, 1000, OLD if renumbered else NEW, 10)
        if renumbered:
            # It has missed 7 of them
            self.from_hearer(receiver_report(OWN, Block(OLD, 0, 7, 1009, 0, 0, 0)), to=GONE)
            self.hears(SOURCE, 65530, NEW, 10)
        numbering.follow(self.source, self.hearer, HEARER, octets_of(header(20, 0, OWN)), self.now)
        self.hearer[row.SENT], self.hearer[row.SENT_OCTETS] = 20, 20 * 172

    def hears(self, slot: int, first: int, ssrc: int, count: int) -> None:
        for n in range(count):
            packet = octets_of(header((first + n) % 2**16, 160 * n, ssrc))
            numbering.follow(self.hearer, self.source, slot, packet, self.now)
            self.now += TICK_NS

    def from_source(self, data: bytes) -> bytes:
        return translated(self.hearer, HEARER, self.source, SOURCE, data)

    def from_hearer(self, data: bytes, to: int = SOURCE) -> bytes:
        return translated(self.source, to, self.hearer, HEARER, data)


def header(sequence: int, timestamp: int, ssrc: int) -> bytes:
    return struct.pack("!BBHII", 0x80, 0, sequence, timestamp, ssrc)


def octets_of(data: bytes) -> "np.ndarray[tuple[int], np.dtype[np.uint8]]":
    return np.frombuffer(bytearray(data), np.uint8)


def translated(hearer: Words, sink: int, reporter: Words, slot: int, data: bytes) -> bytes:
    """Return what the hearer gets; nothing behind what has come may be touched."""
    beyond = b"\x81\xcb\x00\x01" + struct.pack("!I", NEW)
    octets = octets_of(data + beyond)
    length = rtcp_numbering.translate(hearer, sink, reporter, slot, octets, len(data))
    assert length <= len(data)
    assert octets[len(data) :].tobytes() == beyond
    return octets[:length].tobytes()


def sdes(ssrc: int) -> bytes:
    return struct.pack("!BBHI", 0x81, SDES, 3, ssrc) + b"\x01\x03joe\0\0\0"


def bye(*sources: int) -> bytes:
    return struct.pack(f"!BBH{len(sources)}I", 0x80 | len(sources), BYE, len(sources), *sources)


class TestSenderReport:
    def test_time_and_packets_are_the_hearer_s(self) -> None:
        """The same moment by both: RTP time as packets have it, and what the hearer was sent."""
        parties = Parties()
        info = struct.pack("!QIII", NTP, 5000, 999, 8888)
        body = struct.pack("!BBHI", 0x80, 200, 6, NEW) + info
        told = parse(parties.from_source(body + sdes(NEW)))
        # Its first packet (timestamp 0) came 20 ms after the old one's last (1440)
        assert (told.ssrc, told.ntp, told.timestamp) == (OLD, NTP, 5000 + 1600)
        assert (told.packets, told.octets) == (20, 20 * 160)
        assert told.name == b"joe"

    def test_of_another_source_stays(self) -> None:
        parties = Parties()
        for data in (sender_report(77, NTP) + bye(77), receiver_report(77) + sdes(77)):
            assert parties.from_source(data) == data

    def test_a_farewell_ends_no_stream_that_goes_on(self) -> None:
        """Neither of whom the hearer hears now, nor of whom it believes to hear."""
        report = receiver_report(NEW) + sdes(NEW)
        reason = struct.pack("!BBHI", 0x81, BYE, 3, NEW) + b"\6moving\0"
        for farewell in (bye(77, NEW), bye(NEW), bye(OLD), reason):
            parties = Parties()
            assert parties.from_source(report + farewell) == receiver_report(OLD) + sdes(OLD)
            # What stands behind it is translated, too
            more = parties.from_source(report + farewell + voip_metrics(NEW, OWN, 40))
            assert more == receiver_report(OLD) + sdes(OLD) + voip_metrics(OLD, OWN, 40)
            # RFC 5506: nothing else
            assert parties.from_source(farewell) == b""
        assert parse(Parties().from_source(report + bye(77))).leaving == [77]

    def test_the_first_source_leaves(self) -> None:
        """Who follows goes on with its SSRC, and isn't known yet."""
        report = sender_report(NEW, NTP) + sdes(NEW)
        assert Parties(renumbered=False).from_source(report + bye(NEW)) == report


class TestReportBlock:
    def test_numbers_are_the_source_s(self) -> None:
        parties = Parties()
        parties.from_source(sender_report(NEW, NTP))
        block = Block(OLD, 31, 9, 1018, 55, NAMED, 66)
        (told,) = parse(parties.from_hearer(receiver_report(OWN, block))).blocks
        # The tenth of ten, behind the turn; 2 of the 9 lost were the source's
        assert told == Block(NEW, 31, 2, 65538, 55, NAMED, 66)

    def test_who_counts_turns_from_elsewhere(self) -> None:
        block = Block(OLD, 0, 7, 3 * 65536 + 1019, 0, 0, 0)
        (told,) = parse(Parties().from_hearer(receiver_report(OWN, block))).blocks
        assert (told.highest, told.lost) == (65539, 0)

    def test_no_round_trip_by_another_s_report(self) -> None:
        parties = Parties()
        block = Block(OLD, 0, 0, 1018, 0, NAMED, 66)
        for _ in range(2):
            (told,) = parse(parties.from_hearer(receiver_report(OWN, block))).blocks
            assert (told.lsr, told.dlsr) == (0, 0)
            parties.from_source(sender_report(NEW, NTP + 2**32))

    def test_from_before_the_change(self) -> None:
        block = Block(OLD, 0, 7, 3, 0, 0, 0)
        parties = Parties()
        parties.hearer[row.SEQUENCE_SHIFT] = 2000
        (told,) = parse(parties.from_hearer(receiver_report(OWN, block))).blocks
        assert told.highest == 0

    def test_only_who_is_heard_is_told(self) -> None:
        """One who reads it but isn't heard any more learns nothing wrong."""
        parties = Parties()
        blocks = (Block(OLD, 31, 9, 1018, 55, 0, 0), Block(78, 1, 2, 3, 4, 5, 6))
        data = receiver_report(OWN, *blocks)
        assert parties.from_hearer(data, to=GONE) == data
        assert parse(parties.from_hearer(data)).blocks[1] == blocks[1]

    def test_in_a_sender_report(self) -> None:
        parties = Parties()
        data = sender_report(OWN, NTP, Block(OLD, 0, 7, 1019, 0, 0, 0))
        told = parse(parties.from_hearer(data))
        assert (told.ssrc, told.blocks[0].ssrc, told.blocks[0].highest) == (OWN, NEW, 65539)


class TestMore:
    def test_metrics(self) -> None:
        """RFC 3611 §4.7."""
        data = receiver_report(OWN) + voip_metrics(OWN, OLD, 40)
        assert Parties().from_hearer(data) == receiver_report(OWN) + voip_metrics(OWN, NEW, 40)

    def test_losses_one_by_one(self) -> None:
        """RFC 3611 §4.1: a range of sequence numbers."""
        block = struct.pack("!BBHIHHHH", 1, 0, 3, OLD, 1010, 1019, 0x8000, 0)
        data = struct.pack("!BBHI", 0x80, 207, 5, OWN) + block
        told = Parties().from_hearer(data)
        assert struct.unpack("!IHH", told[12:20]) == (NEW, 65530, 3)

    def test_feedback(self) -> None:
        """RFC 4585 §6.2.1: packets that are missed."""
        data = struct.pack("!BBHIIHHHH", 0x81, 205, 4, OWN, OLD, 1010, 1, 1017, 0)
        told = struct.unpack("!IIHHHH", Parties().from_hearer(data)[4:])
        assert told == (OWN, NEW, 65530, 1, 1, 0)


class TestAsItCame:
    def test_a_call_that_nobody_was_in_before(self) -> None:
        parties = Parties(renumbered=False)
        block = Block(NEW, 31, 9, 65535, 55, NAMED, 66)
        data = sender_report(OWN, NTP, block) + sdes(OWN) + voip_metrics(OWN, NEW, 40) + bye(77)
        assert parties.from_hearer(data) == data
        data = sender_report(NEW, NTP, Block(OWN, 0, 1, 20, 0, NAMED, 1)) + sdes(NEW) + bye(77)
        assert parties.from_source(data) == data

    @settings(deadline=None, max_examples=300)
    @given(st.binary(max_size=200))
    def test_no_rtcp(self, data: bytes) -> None:
        """Nothing is read as what it isn't, nor written behind the end (`translated`)."""
        parties = Parties()
        for begin in (b"", sender_report(NEW, NTP)[:8], b"\x9f\xcf", b"\x81\xcd", b"\x9f\xcb"):
            parties.from_source(begin + data)
            parties.from_hearer(begin + data)

    def test_what_is_cut_off(self) -> None:
        blocks = [Block(OLD, 31, 9, 1018, 55, NAMED, 66)] * 2
        whole = sender_report(OWN, NTP, *blocks) + voip_metrics(OWN, OLD, 40) + bye(OWN, OLD)
        for length in range(len(whole)):
            Parties().from_hearer(whole[:length])
            Parties().from_hearer(bytes([0x9F]) + os.urandom(1) + whole[2:length])


def heard_by(stream: Words) -> Heard:
    """Return the words of a row as its twin has them."""
    source = int(stream[row.FROM])
    return Heard(
        source=((source >> 32) - 1, source & 0xFFFFFFFF) if stream[row.OUT_NS] else None,
        ssrc=int(stream[row.OUT_SSRC]),
        newest=int(stream[row.OUT_SEQUENCE]),
        shift=int(stream[row.SEQUENCE_SHIFT]),
        stamp_shift=int(stream[row.TIMESTAMP_SHIFT]),
        renumbered=bool(stream[row.RENUMBERED]),
        packets=int(stream[row.SENT]),
        octets=int(stream[row.SENT_OCTETS]),
        lost_before=int(stream[row.LOST_EARLIER]),
        lost=int(stream[row.LOST_TOLD]),
        named=int(stream[row.REPORT_NAMED]),
    )


words = st.integers(0, 2**32 - 1)
halves = st.integers(0, 2**16 - 1)
ssrcs = st.one_of(st.sampled_from((OLD, NEW, OWN)), st.sampled_from((OLD, NEW, OWN)), words)


def packed(form: str, *parts: st.SearchStrategy[int]) -> st.SearchStrategy[bytes]:
    return st.tuples(*parts).map(lambda numbers: struct.pack(form, *numbers))


@st.composite
def packets(draw: st.DrawFn) -> bytes:
    """One packet of a datagram, mostly as it should be."""
    kind = draw(st.sampled_from((200, 201, 202, 203, 204, 205, 206, 207, 207, 208)))
    count = draw(st.integers(0, 3))
    body = draw(packed("!I", ssrcs))
    if kind == 200:
        body += draw(packed("!QIII", st.one_of(st.just(NTP), words), words, words, words))
    if kind in (200, 201):
        named = st.one_of(st.just(NAMED), words)
        block = packed("!IIIIII", ssrcs, words, words, words, named, words)
        body += b"".join(draw(st.lists(block, min_size=count, max_size=count)))
    elif kind == 203:
        body = b"".join(draw(st.lists(packed("!I", ssrcs), min_size=1, max_size=3)))
    elif kind == 207:
        for _ in range(count):
            rest = draw(packed("!IHH", ssrcs, halves, halves)) + draw(st.binary(max_size=8))
            rest = rest[: draw(st.sampled_from((4, 8, 12, 16)))]
            rest += bytes(-len(rest) % 4)
            size = len(rest) // 4 + draw(st.sampled_from((0, 0, 0, 0, -1, 1)))
            body += struct.pack("!BBH", draw(st.integers(0, 8)), 0, size) + rest
    elif kind in (205, 206):
        body += draw(packed("!I", ssrcs))
        missed = packed("!HH", halves, halves)
        body += b"".join(draw(st.lists(missed, max_size=3)))
    body += draw(st.sampled_from((b"", b"", b"", bytes(4))))
    size = len(body) // 4 + draw(st.sampled_from((0,) * 20 + (-1, 1)))
    return struct.pack("!BBH", 0x80 | count, kind, max(size, 0)) + body


RANGES = b"".join(struct.pack("!BBHIHH", kind, 0, 2, OLD, 1010, 1019) for kind in range(9))
"""A block of RFC 3611 of each type, as if all of them named a range."""

WHOLE = [
    sender_report(NEW, NTP) + sdes(NEW) + bye(OLD),
    receiver_report(OWN, Block(OLD, 31, 9, 1018, 55, NAMED, 66)) + bye(77, OLD),
    struct.pack("!BBHI", 0x80, 207, 1 + len(RANGES) // 4, OWN) + RANGES,
    struct.pack("!BBHIIHHHH", 0x81, 205, 4, OWN, OLD, 1010, 1, 1017, 0),
    struct.pack("!BBHIIHH", 0x8F, 205, 3, OWN, OLD, 1010, 1),
    struct.pack("!BBHIIHH", 0x81, 206, 3, OWN, OLD, 1010, 1),
]
"""What speaks of whom the hearer hears, or believes to hear."""


class TestLikeItsTwin:
    @settings(deadline=None, max_examples=500)
    @given(
        st.lists(
            st.tuples(
                st.lists(packets(), min_size=1, max_size=4).map(b"".join),
                st.integers(0, 3),
                st.sampled_from(("source", "hearer", "gone")),
            ),
            min_size=1,
            max_size=4,
        ),
        st.booleans(),
        st.integers(-70_000, 70_000),
    )
    @example([(one, 0, who) for who in ("source", "hearer", "gone") for one in WHOLE], True, 0)
    @example([(one, 0, who) for who in ("source", "hearer", "gone") for one in WHOLE], False, 0)
    def test_each_datagram(
        self, datagrams: list[tuple[bytes, int, str]], renumbered: bool, further: int
    ) -> None:
        parties = Parties(renumbered=renumbered)
        if renumbered:
            parties.hearer[row.SEQUENCE_SHIFT] += further
        told, owner = heard_by(parties.hearer), heard_by(parties.source)
        ways = {
            "source": Way(told, HEARER, owner, SOURCE),
            "hearer": Way(owner, SOURCE, told, HEARER),
            "gone": Way(owner, GONE, told, HEARER),
        }
        for whole, cut, who in datagrams:
            data = whole[: len(whole) - cut]
            if who == "source":
                got = parties.from_source(data)
            else:
                got = parties.from_hearer(data, to=GONE if who == "gone" else SOURCE)
            assert got == ways[who].datagram(data)
            for stream, twin in ((parties.hearer, told), (parties.source, owner)):
                assert (stream[row.LOST_TOLD], stream[row.REPORT_NAMED]) == (twin.lost, twin.named)
