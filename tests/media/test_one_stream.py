"""Whatever a phone is sent is one RTP stream, whoever speaks (RFC 3550 §7): the wire after transfers."""

import itertools
import os
import time

import pytest

from pbx.media import codecs
from pbx.media.protocol import Release, StopVoice
from tests.media.engine_process import Link, Phone, connect_phones, rtp, stream
from tests.media.rtcp_packets import Block, Compound, receiver_report, sender_report
from tests.media.rtcp_packets import parse as parse_rtcp
from tests.media.srtp_peer import SUITES, SrtpPeer, secure
from tests.media.voice_phone import (
    PCMU,
    Packet,
    VoicePhone,
    converse,
    parse,
    voice_phone,
    voice_phones,
)

HOST = "127.0.0.1"
PLAIN = (codecs.PCMU, PCMU)


def hear(phone: Phone) -> Packet:
    """Return the next packet that comes."""
    return parse(phone.rtp.recv(4096))


def pass_on(speaker: Phone, port: int, hearer: Phone, *packets: bytes) -> list[Packet]:
    """Let one say packets, one by one, and return what the other one gets."""
    got = []
    for packet in packets:
        speaker.rtp.sendto(packet, (HOST, port))
        got.append(hear(hearer))
        assert got[-1].payload == packet[12:]
    return got


def transfer(link: Link, phones: list[Phone]) -> tuple[int, int, int]:
    """Set up a call of the first two phones, and return the ports of three."""
    connect_phones(link, *phones[:2])
    one, two, three = link.ready.ports[:3]
    return one, two, three


def connect_third(link: Link, phones: list[Phone]) -> None:
    """Let the third phone take the first one's place."""
    one, two, three = link.ready.ports[:3]
    link.send(
        stream(three, two, phones[2].address),
        stream(two, three, phones[1].address),
        Release([one]),
    )
    link.settle()


class TestTransfer:
    def test_numbers_and_time_go_on(self, link: Link, phones: list[Phone]) -> None:
        a, b, c = phones[:3]
        one, _, three = transfer(link, phones)
        before = pass_on(a, one, b, *(rtp(65530 + n, ssrc=7) for n in range(4)))
        began = time.monotonic()
        connect_third(link, phones)
        after = pass_on(c, three, b, *(rtp(9 + n, ssrc=8) for n in (0, 1, 4, 3, 3, 5)))
        passed_s = time.monotonic() - began
        numbers = [packet.sequence for packet in before + after]
        assert numbers == [65530, 65531, 65532, 65533, 65534, 65535, 2, 1, 1, 3]
        assert {packet.ssrc for packet in before + after} == {7}
        gap = (after[0].timestamp - before[-1].timestamp) % 2**32
        assert 160 <= gap <= 8000 * passed_s + 160
        # Within one source all time is its own
        stamps = [(packet.timestamp - after[0].timestamp) // 160 for packet in after]
        assert stamps == [0, 1, 4, 3, 3, 5]

    def test_the_pause_is_kept(self, link: Link, phones: list[Phone]) -> None:
        """RFC 3550 §5.1: timestamps tell of real time."""
        a, b, c = phones[:3]
        one, _, three = transfer(link, phones)
        (last,) = pass_on(a, one, b, rtp(500, ssrc=7))
        began = time.monotonic()
        connect_third(link, phones)
        while time.monotonic() - began < 0.5:
            link.settle()
        (first,) = pass_on(c, three, b, rtp(3, ssrc=8))
        assert first.timestamp - last.timestamp >= 0.5 * 8000 - 8
        assert first.sequence == 501

    def test_nobody_else_is_touched(self, link: Link, phones: list[Phone]) -> None:
        """The third phone hears the second one as it speaks."""
        _, b, c = phones[:3]
        transfer(link, phones)
        connect_third(link, phones)
        two = link.ready.ports[1]
        for packet in (rtp(40000), rtp(40001), rtp(40004), rtp(40003)):
            b.rtp.sendto(packet, (HOST, two))
            assert c.rtp.recv(4096) == packet

    def test_what_is_opaque_stays_as_it_is(self, link: Link, phones: list[Phone]) -> None:
        """SRTP from end to end: a changed header is a forged one."""
        a, b, c = phones[:3]
        one, two, three = transfer(link, phones)
        link.send(stream(two, one, b.address, opaque=True))
        link.settle()
        packets = [rtp(500, ssrc=7), rtp(3, ssrc=8), rtp(40000, ssrc=7)]
        for packet in packets:
            a.rtp.sendto(packet, (HOST, one))
            assert b.rtp.recv(4096) == packet
        link.send(stream(three, two, c.address))
        link.settle()
        c.rtp.sendto(packets[0], (HOST, three))
        assert b.rtp.recv(4096) == packets[0]

    @pytest.mark.parametrize("suite", SUITES)
    def test_protected(self, link: Link, phones: list[Phone], suite: str) -> None:
        """RFC 3711 §3.3.1: who hears counts the turns of the numbers that it gets."""
        a, b, c = phones[:3]
        peer = secure(b, SrtpPeer(suite))
        one, two, three = transfer(link, phones)
        link.send(stream(two, one, b.address, srtp=peer.srtp))
        link.settle()
        got = pass_on(a, one, b, *(rtp(65000 + n, ssrc=7) for n in range(0, 600, 60)))
        link.send(stream(three, two, c.address))
        link.send(stream(two, three, b.address, srtp=peer.srtp))
        link.settle()
        # Lower, and over the turn: to libsrtp both would be packets of long ago
        got += pass_on(c, three, b, *(rtp(64000 + n, ssrc=8) for n in range(0, 3000, 300)))
        got += pass_on(c, three, b, *(rtp(50 + n, ssrc=9) for n in range(5)))
        numbers = [packet.sequence for packet in got]
        steps = [(later - one) % 2**16 for one, later in itertools.pairwise(numbers)]
        assert steps == [60] * 9 + [1] + [300] * 9 + [1] * 5
        assert {packet.ssrc for packet in got} == {7}
        counts = link.counts()
        assert counts[two].unsent == 0


class TestPhoneBeginsAnew:
    def test_another_ssrc(self, link: Link, phones: list[Phone]) -> None:
        a, b = phones[:2]
        one, _ = connect_phones(link, a, b)
        got = pass_on(a, one, b, rtp(900, ssrc=7), *(rtp(n, ssrc=8) for n in range(3)))
        assert [packet.sequence for packet in got] == [900, 901, 902, 903]
        assert {packet.ssrc for packet in got} == {7}

    @pytest.mark.parametrize("first", [0, 63000])
    def test_the_same_ssrc(self, link: Link, phones: list[Phone], first: int) -> None:
        """With its second packet: the first might be a late or doubled one."""
        a, b = phones[:2]
        one, _ = connect_phones(link, a, b)
        got = pass_on(a, one, b, rtp(30000), *(rtp(first + n) for n in range(4)))
        assert [packet.sequence for packet in got] == [30000, first, 30001, 30002, 30003]

    @pytest.mark.parametrize("first", [0, 63000])
    def test_the_same_ssrc_for_a_protected_peer(
        self, link: Link, phones: list[Phone], first: int
    ) -> None:
        """Once 63000 has been protected, nothing behind 30000 can be."""
        a, b = phones[:2]
        one, two = connect_phones(link, a, b)
        peer = secure(b, SrtpPeer())
        link.send(stream(two, one, b.address, srtp=peer.srtp))
        link.settle()
        numbers = [30000, *range(first, first + 4), (first - 500) % 2**16, first + 4]
        sent = [rtp(number, os.urandom(20)) for number in numbers]
        for packet in sent:
            a.rtp.sendto(packet, (HOST, one))
        got = [hear(b) for _ in range(5)]
        assert [packet.sequence for packet in got] == list(range(30000, 30005))
        kept = [sent[0], *sent[2:5], sent[6]]
        assert [packet.payload for packet in got] == [packet[12:] for packet in kept]

    def test_many_at_once(self, link: Link, phones: list[Phone]) -> None:
        """Batches of one system call, with several changes in each."""
        a, b = phones[:2]
        one, _ = connect_phones(link, a, b)
        sent = [rtp(7000 * (n // 5) + n, os.urandom(20), ssrc=n // 5) for n in range(100)]
        for packet in sent:
            a.rtp.sendto(packet, (HOST, one))
        got = [hear(b) for _ in sent]
        assert [packet.payload for packet in got] == [packet[12:] for packet in sent]
        assert [packet.sequence for packet in got] == list(range(100))
        assert {packet.ssrc for packet in got} == {0}


def voiced(phone: VoicePhone) -> None:
    """Let the engine speak with a phone for a while: it hears itself."""
    phone.be(echo=True)
    converse([(phone, phone.tone(500, 0.4))])


def says(speaker: VoicePhone, hertz: float, seconds: float, hearer: VoicePhone) -> list[bytes]:
    """Let one say something that is passed on to another one; return all that this one gets."""
    before = len(hearer.got)
    converse([(speaker, speaker.tone(hertz, seconds))])
    wait_got(hearer, before + round(seconds * 50))
    return [packet.payload for packet in hearer.got[before:]]


def wait_got(phone: VoicePhone, count: int) -> None:
    """Wait until a phone has got so many packets in all."""
    end = time.monotonic() + 30
    while len(phone.got) < count:
        assert time.monotonic() < end
        phone.receive()


def stop(link: Link, phone: VoicePhone) -> None:
    link.send(StopVoice(phone.port))
    link.settle()
    phone.receive()


class TestSoundOfTheEngine:
    """Music, announcements, tones: then another phone, and the engine again."""

    def test_one_stream_all_the_time(self, link: Link) -> None:
        with voice_phones(link, PLAIN, PLAIN) as (a, b):
            a.ssrc, b.ssrc = 7, 8
            voiced(b)
            stop(link, b)
            link.send(a.stream(sink=b.port), b.stream(sink=a.port))
            link.settle()
            said = says(a, 900, 0.4, b)
            voiced(b)
            stop(link, b)
            a.sequence -= 20000
            assert says(a, 900, 0.4, b) == said
            assert len({packet.ssrc for packet in b.got}) == 1
            numbers = [packet.sequence for packet in b.got]
            steps = {(later - one) % 2**16 for one, later in itertools.pairwise(numbers)}
            assert steps == {1}
            stamps = [packet.timestamp for packet in b.got]
            gaps = [(later - one) % 2**32 for one, later in itertools.pairwise(stamps)]
            assert all(0 < gap < 2**31 for gap in gaps)

    def test_time_goes_on(self, link: Link) -> None:
        """By the clock: neither is what follows taken for late, nor does the hearer wait for it."""
        with voice_phones(link, PLAIN, PLAIN) as (a, b):
            before = time.monotonic()
            voiced(b)
            wait_got(b, 1)
            # Its first packet went out between these two
            after = time.monotonic()
            first = b.got[0]
            stop(link, b)
            link.send(a.stream(sink=b.port))
            link.settle()
            while time.monotonic() < after + 0.6:
                link.settle()
            for _ in range(5):
                sent = time.monotonic()
                a.send(b"x" * 160)
                wait_got(b, len(b.got) + 1)
                told = (b.got[-1].timestamp - first.timestamp) % 2**32 / 8000
                assert sent - after - 0.02 <= told <= time.monotonic() - before + 0.3
                a.sequence += 10000

    def test_it_begins_with_a_phone_and_is_protected(self, link: Link) -> None:
        with voice_phones(link, PLAIN) as (a,), voice_phone(link, 1) as b:
            keys = secure(b.phone, SrtpPeer()).srtp
            link.send(a.stream(sink=b.port), b.stream(sink=a.port, srtp=keys))
            link.settle()
            a.sequence = 65_500
            says(a, 500, 0.5, b)
            voiced(b)
            stop(link, b)
            a.sequence = 3
            says(a, 500, 0.5, b)
            numbers = [packet.sequence for packet in b.got]
            assert len(numbers) >= 60
            steps = {(later - one) % 2**16 for one, later in itertools.pairwise(numbers)}
            assert steps == {1}
            link.release(b.port)


class TestReports:
    """RTCP speaks of what each party knows."""

    def exchange(
        self, phones: list[Phone], speaker: int, port: int, hearer: int, data: bytes
    ) -> Compound:
        phones[speaker].rtcp.sendto(data, (HOST, port + 1))
        return parse_rtcp(phones[hearer].rtcp.recv(4096))

    def test_after_a_transfer(self, link: Link, phones: list[Phone]) -> None:
        a, b, c = phones[:3]
        one, two, three = transfer(link, phones)
        before = pass_on(a, one, b, *(rtp(500 + n, ssrc=7) for n in range(3)))
        pass_on(b, two, a, rtp(0, ssrc=9))
        assert self.exchange(phones, 0, one, 1, sender_report(7, 1 << 32)).ssrc == 7
        connect_third(link, phones)
        after = pass_on(c, three, b, *(rtp(30 + n, ssrc=8, timestamp=160 * n) for n in range(3)))
        ntp = 0x1111_2222_3333_4444
        told = self.exchange(phones, 2, three, 1, sender_report(8, ntp))
        assert (told.ssrc, told.ntp) == (7, ntp)
        assert told.timestamp == after[0].timestamp
        assert (told.packets, told.octets) == (6, 6 * 160)
        block = Block(7, 12, 0, after[-1].sequence, 4, 0x2222_3333, 5)
        (about,) = self.exchange(phones, 1, two, 2, receiver_report(9, block)).blocks
        assert about == Block(8, 12, 0, 32, 4, 0x2222_3333, 5)
        assert before[-1].sequence + 3 == after[-1].sequence
        counts = link.counts()
        assert (counts[three].received, counts[three].lost) == (3, 0)
        assert counts[two].sent == 6

    def test_protected(self, link: Link, phones: list[Phone]) -> None:
        a, b = phones[:2]
        peer = secure(b, SrtpPeer())
        one, two = link.ready.ports[:2]
        link.send(stream(one, two, a.address), stream(two, one, b.address, srtp=peer.srtp))
        link.settle()
        pass_on(a, one, b, rtp(500, ssrc=7), rtp(3, ssrc=8))
        assert self.exchange(phones, 0, one, 1, sender_report(8, 1)).ssrc == 7
        block = Block(7, 0, 0, 501, 0, 0, 0)
        (about,) = self.exchange(phones, 1, two, 0, receiver_report(9, block)).blocks
        assert (about.ssrc, about.highest) == (8, 3)

    def test_the_engine_s_go_on_counting(self, link: Link) -> None:
        """RFC 3550 §6.4.1: the same source, so its packets are counted from its beginning on."""
        with voice_phones(link, PLAIN, PLAIN) as (a, b):
            link.send(a.stream(sink=b.port), b.stream(sink=a.port))
            link.settle()
            converse([(a, a.tone(500, 0.3))])
            b.receive()
            voiced(b)
            link.send(Release([b.port]))
            b.phone.rtcp.settimeout(10)
            told = parse_rtcp(b.phone.rtcp.recv(2048))
            b.receive()
            assert told.ssrc == b.got[0].ssrc
            assert told.packets == len(b.got)
            assert told.octets == 160 * len(b.got)
            link.send(b.stream())
