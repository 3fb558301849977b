"""SRTP through a real engine: each leg of a call protected, or not, by keys of its own."""

import os
import struct
from pathlib import Path
from typing import Any

import pytest

from pbx.media.protocol import Address, Latched, Refused, Srtp
from tests.media.engine_process import (
    EngineProcess,
    Link,
    Phone,
    rtcp,
    rtp,
    silent,
    stream,
    until,
)
from tests.media.kernels.twins_srtp import Sender
from tests.media.srtp_peer import COMMON, SUITES, Error, SrtpPeer, new_key, raw, secure

HOST = "127.0.0.1"


def connect(
    link: Link,
    a: Phone,
    b: Phone,
    *,
    first: Srtp | None = None,
    second: Srtp | None,
    **changes: Any,
) -> tuple[int, int]:
    """Set up a call; returns the ports that `a` and `b` talk to."""
    one, two = link.ready.ports[:2]
    link.send(
        stream(one, two, a.address, srtp=first, **changes),
        stream(two, one, b.address, srtp=second, **changes),
    )
    link.settle()
    return one, two


def talks(speaker: Phone, port: int, listener: Phone, *packets: bytes) -> None:
    """Assert that packets reach the other phone as they were."""
    for packet in packets:
        speaker.rtp.sendto(packet, (HOST, port))
        assert listener.rtp.recv(4096) == packet


class TestSuites:
    def test_all_are_named(self, link: Link) -> None:
        assert link.ready.suites[0] == "AEAD_AES_256_GCM"
        assert set(link.ready.suites) == {
            *SUITES,
            "AES_256_CM_HMAC_SHA1_80",
            "AES_256_CM_HMAC_SHA1_32",
        }

    @pytest.mark.parametrize("suite", SUITES)
    def test_one_leg(self, link: Link, phones: list[Phone], suite: str) -> None:
        a, b = phones[:2]
        peer = secure(b, SrtpPeer(suite))
        one, two = connect(link, a, b, second=peer.srtp)
        packets = [rtp(number, os.urandom(160)) for number in range(30)]
        packets += [rtp(30, b""), rtp(31, bytes([5, 0x8A, 3, 0x20])), rtp(32, os.urandom(1300))]
        talks(a, one, b, *packets)
        talks(b, two, a, *packets)
        a.rtcp.sendto(rtcp(), (HOST, one + 1))
        assert b.rtcp.recv(4096) == rtcp()
        b.rtcp.sendto(rtcp(8), (HOST, two + 1))
        assert a.rtcp.recv(4096) == rtcp(8)
        for port, counts in link.release(one, two).items():
            assert counts.received == counts.sent == len(packets), port
            assert counts.rtcp_received == counts.rtcp_sent == 1
            assert (counts.lost, counts.refused, counts.unsent) == (0, 0, 0)
            assert counts.forged == counts.replayed == 0

    @pytest.mark.parametrize("suite", ["AES_256_CM_HMAC_SHA1_80", "AES_256_CM_HMAC_SHA1_32"])
    def test_those_that_pylibsrtp_does_not_know(
        self, link: Link, phones: list[Phone], suite: str
    ) -> None:
        """RFC 6188, beside a sender in plain Python."""
        a, b = phones[:2]
        keys = Srtp(suite, new_key(suite), new_key(suite))
        ours, theirs = (
            Sender(key[:32], key[32:], 10 if suite.endswith("80") else 4)
            for key in (keys.sending, keys.receiving)
        )
        one, two = connect(link, a, b, second=keys)
        for number in range(3):
            packet = a.say(one, os.urandom(20))
            assert b.rtp.recv(4096) == ours.protect(packet)
            answer = rtp(number, os.urandom(20), ssrc=5)
            b.rtp.sendto(theirs.protect(answer), (HOST, two))
            assert a.rtp.recv(4096) == answer

    def test_both_legs_by_keys_of_their_own(self, link: Link, phones: list[Phone]) -> None:
        a, b = phones[:2]
        first, second = secure(a, SrtpPeer(SUITES[0])), secure(b, SrtpPeer(SUITES[3]))
        one, two = connect(link, a, b, first=first.srtp, second=second.srtp)
        for number in range(40):
            talks(a, one, b, rtp(number, os.urandom(160)))
            talks(b, two, a, rtp(number, os.urandom(160)))
        a.rtcp.sendto(rtcp(), (HOST, one + 1))
        assert b.rtcp.recv(4096) == rtcp()

    def test_many_at_once(self, link: Link, phones: list[Phone]) -> None:
        """A batch of one system call, each of its packets for itself."""
        a, b = phones[:2]
        first, second = secure(a, SrtpPeer()), secure(b, SrtpPeer())
        one, _ = connect(link, a, b, first=first.srtp, second=second.srtp)
        packets = [rtp(number, os.urandom(number)) for number in range(100)]
        for packet in packets:
            a.rtp.sendto(packet, (HOST, one))
        assert [b.rtp.recv(4096) for _ in packets] == packets

    def test_rtcp_on_the_port_of_rtp(self, link: Link, phones: list[Phone]) -> None:
        """RFC 5761."""
        a, b = phones[:2]
        peer = secure(b, SrtpPeer())
        one, two = connect(link, a, b, second=peer.srtp, rtcp_mux=True)
        a.rtp.sendto(rtcp(), (HOST, one))
        assert b.rtp.recv(4096) == rtcp()
        b.rtp.sendto(rtcp(9), (HOST, two))
        assert a.rtp.recv(4096) == rtcp(9)
        talks(b, two, a, rtp(1))

    def test_the_longest_packet(self, link: Link, phones: list[Phone]) -> None:
        a, b = phones[:2]
        keys = Srtp(COMMON, new_key(COMMON), new_key(COMMON))
        one, _ = connect(link, a, b, second=keys)
        packet = a.say(one, bytes(2048 - 12))
        assert len(b.rtp.recv(4096)) == len(packet) + 10


class TestRollOver:
    """RFC 3711 §3.3.1: the turns of the sequence numbers are part of the index."""

    NUMBERS = (65533, 65534, 65535, 0, 1, 20000, 40000, 60000, 14464, 34464, 54464, 8928)

    @pytest.mark.parametrize("suite", [SUITES[1], COMMON])
    def test_each_way(self, link: Link, phones: list[Phone], suite: str) -> None:
        a, b = phones[:2]
        peer = secure(b, SrtpPeer(suite))
        one, two = connect(link, a, b, second=peer.srtp)
        for number in self.NUMBERS:
            talks(a, one, b, rtp(number, os.urandom(20)))
            talks(b, two, a, rtp(number, os.urandom(20)))

    def test_late_packets_of_the_turn_before(self, link: Link, phones: list[Phone]) -> None:
        a, b = phones[:2]
        peer = secure(b, SrtpPeer())
        _, two = connect(link, a, b, second=peer.srtp)
        sent = {number: peer.protect(rtp(number)) for number in (65534, 65535, 0, 1)}
        for number in (65534, 0, 65535, 1):
            raw(b.rtp).sendto(sent[number], (HOST, two))
            assert a.rtp.recv(4096) == rtp(number)
        counts = link.counts()[two]
        assert (counts.received, counts.reordered, counts.lost) == (4, 1, 0)


class TestRefused:
    @pytest.mark.parametrize("suite", SUITES)
    def test_another_key(self, link: Link, phones: list[Phone], suite: str) -> None:
        a, b = phones[:2]
        peer = secure(b, SrtpPeer(suite))
        stranger = SrtpPeer(suite, receiving=peer.receiving)
        _, two = connect(link, a, b, second=peer.srtp)
        talks(b, two, a, rtp(1))
        raw(b.rtp).sendto(stranger.protect(rtp(2)), (HOST, two))
        raw(b.rtcp).sendto(stranger.protect(rtcp(), rtcp=True), (HOST, two + 1))
        raw(b.rtp).sendto(rtp(2), (HOST, two))
        counts = until(lambda: one if (one := link.counts()[two]).forged == 3 else None)
        assert (counts.received, counts.rtcp_received, counts.replayed) == (1, 0, 0)
        assert silent(a.rtp)
        assert silent(a.rtcp)
        talks(b, two, a, rtp(2))

    def test_one_changed_octet(self, link: Link, phones: list[Phone]) -> None:
        a, b = phones[:2]
        peer = secure(b, SrtpPeer())
        _, two = connect(link, a, b, second=peer.srtp)
        sent = bytearray(peer.protect(rtp(1)))
        sent[50] ^= 1
        raw(b.rtp).sendto(bytes(sent), (HOST, two))
        until(lambda: link.counts()[two].forged == 1)
        assert silent(a.rtp)

    @pytest.mark.parametrize("suite", SUITES)
    def test_a_packet_that_comes_again(self, link: Link, phones: list[Phone], suite: str) -> None:
        a, b = phones[:2]
        peer = secure(b, SrtpPeer(suite))
        _, two = connect(link, a, b, second=peer.srtp)
        sent = [peer.protect(rtp(number)) for number in range(200)]
        for number in (0, 2, 1, 199):
            raw(b.rtp).sendto(sent[number], (HOST, two))
            assert a.rtp.recv(4096) == rtp(number)
        report = peer.protect(rtcp(), rtcp=True)
        raw(b.rtcp).sendto(report, (HOST, two + 1))
        assert a.rtcp.recv(4096) == rtcp()
        # The last of them would be new, but is too old to tell.
        for number in (1, 2, 199, 3):
            raw(b.rtp).sendto(sent[number], (HOST, two))
        raw(b.rtcp).sendto(report, (HOST, two + 1))
        counts = until(lambda: one if (one := link.counts()[two]).replayed == 5 else None)
        assert (counts.received, counts.rtcp_received, counts.forged) == (4, 1, 0)
        assert silent(a.rtp)
        assert silent(a.rtcp)

    def test_who_has_no_key_latches_nothing(self, link: Link, phones: list[Phone]) -> None:
        """Else anybody who finds the port could turn the call to himself."""
        a, b, stranger = phones[:3]
        peer = secure(b, SrtpPeer())
        one, two = connect(link, a, b, second=peer.srtp)
        link.send(stream(two, one, Address(HOST, 9), srtp=peer.srtp))
        link.settle()
        stranger.rtp.sendto(rtp(1), (HOST, two))
        stranger.rtp.sendto(SrtpPeer().protect(rtp(1)), (HOST, two))
        until(lambda: link.counts()[two].forged == 2)
        assert link.said(Latched) == []
        talks(b, two, a, rtp(1))
        assert link.expect(Latched) == Latched(two, b.address)
        talks(a, one, b, rtp(1))

    def test_what_is_no_rtp(self, link: Link, phones: list[Phone]) -> None:
        """Neither STUN, DTLS nor what keeps a NAT open goes from one leg to the other."""
        a, b = phones[:2]
        peer = secure(b, SrtpPeer())
        one, two = connect(link, a, b, second=peer.srtp)
        stun = struct.pack("!HHI", 1, 0, 0x2112A442) + bytes(12)
        dtls = bytes([22]) + bytes(30)
        for packet in (stun, dtls, b"\0\0\0\0"):
            a.rtp.sendto(packet, (HOST, one))
            raw(b.rtp).sendto(packet, (HOST, two))
        counts = until(lambda: found if (found := link.counts()[two]).refused == 3 else None)
        assert (counts.received, counts.forged, counts.sent) == (0, 0, 0)
        until(lambda: link.counts()[two].unsent == 3)
        assert silent(a.rtp)
        assert silent(raw(b.rtp))

    def test_nothing_passes_until_the_keys_are_known(self, link: Link, phones: list[Phone]) -> None:
        a, b = phones[:2]
        peer = secure(b, SrtpPeer())
        one, two = connect(link, a, b, second=Srtp(COMMON))
        a.say(one)
        b.say(two)
        until(lambda: link.counts()[two].forged == 1)
        until(lambda: link.counts()[two].unsent == 1)
        assert silent(a.rtp)
        assert silent(raw(b.rtp))
        link.send(stream(two, one, b.address, srtp=peer.srtp))
        link.settle()
        talks(a, one, b, rtp(5))
        talks(b, two, a, rtp(5))


class TestKeys:
    def test_another_one_in_mid_call(self, link: Link, phones: list[Phone]) -> None:
        """As by a re-INVITE (RFC 4568 §7.1.4)."""
        a, b = phones[:2]
        before = secure(b, SrtpPeer())
        one, two = connect(link, a, b, second=before.srtp)
        talks(a, one, b, rtp(65535), rtp(0))
        talks(b, two, a, rtp(65535), rtp(0))
        after = secure(b, SrtpPeer(SUITES[0]))
        link.send(stream(two, one, b.address, srtp=after.srtp))
        link.settle()
        talks(a, one, b, rtp(1), rtp(2))
        talks(b, two, a, rtp(1), rtp(2))
        raw(b.rtp).sendto(before.protect(rtp(3)), (HOST, two))
        until(lambda: link.counts()[two].forged == 1)
        a.say(one)
        sent = raw(b.rtp).recv(4096)
        with pytest.raises(Error):
            before.unprotect(sent)

    def test_the_same_ones_change_nothing(self, link: Link, phones: list[Phone]) -> None:
        """Whatever else a re-INVITE changes: no packet is taken twice, and no turn forgotten."""
        a, b = phones[:2]
        peer = secure(b, SrtpPeer())
        one, two = connect(link, a, b, second=peer.srtp)
        talks(a, one, b, rtp(65535), rtp(0))
        sent = peer.protect(rtp(65535))
        raw(b.rtp).sendto(sent, (HOST, two))
        assert a.rtp.recv(4096) == rtp(65535)
        link.send(stream(two, one, b.address, generation=1, srtp=peer.srtp))
        link.settle()
        raw(b.rtp).sendto(sent, (HOST, two))
        until(lambda: link.counts()[two].replayed == 1)
        talks(b, two, a, rtp(0))
        talks(a, one, b, rtp(1))

    def test_of_one_direction(self, link: Link, phones: list[Phone]) -> None:
        """Only the phone has taken another key: what goes to it goes on in its turn."""
        a, b = phones[:2]
        peer = secure(b, SrtpPeer())
        one, two = connect(link, a, b, second=peer.srtp)
        talks(a, one, b, rtp(65535), rtp(0))
        talks(b, two, a, rtp(1))
        other = SrtpPeer(receiving=peer.receiving)
        link.send(stream(two, one, b.address, srtp=other.srtp))
        link.settle()
        talks(a, one, b, rtp(1))
        raw(b.rtp).sendto(other.protect(rtp(1)), (HOST, two))
        assert a.rtp.recv(4096) == rtp(1)

    def test_no_more(self, link: Link, phones: list[Phone]) -> None:
        a, b = phones[:2]
        peer = secure(b, SrtpPeer())
        one, two = connect(link, a, b, second=peer.srtp)
        talks(b, two, a, rtp(1))
        link.send(stream(two, one, b.address))
        link.settle()
        packet = a.say(one)
        assert raw(b.rtp).recv(4096) == packet

    def test_of_the_stream_before(self, link: Link, phones: list[Phone]) -> None:
        """A stream that begins anew at the same port has no key, and no memory, of it."""
        a, b = phones[:2]
        peer = secure(b, SrtpPeer())
        one, two = connect(link, a, b, second=peer.srtp)
        sent = peer.protect(rtp(1))
        raw(b.rtp).sendto(sent, (HOST, two))
        assert a.rtp.recv(4096) == rtp(1)
        link.release(two)
        link.send(stream(two, one, b.address, srtp=peer.srtp))
        link.settle()
        raw(b.rtp).sendto(sent, (HOST, two))
        assert a.rtp.recv(4096) == rtp(1)
        assert link.counts()[two].replayed == 0

    def test_an_exchange_that_has_restarted(
        self, engine: EngineProcess, link: Link, phones: list[Phone]
    ) -> None:
        a, b = phones[:2]
        peer = secure(b, SrtpPeer())
        one, two = connect(link, a, b, second=peer.srtp)
        talks(a, one, b, rtp(65535), rtp(0))
        another = engine.connect()
        another.send(stream(two, one, b.address, srtp=peer.srtp))
        another.settle()
        talks(a, one, b, rtp(1))

    @pytest.mark.parametrize(
        ("srtp", "why"),
        [
            (Srtp("F8_128_HMAC_SHA1_80", bytes(30), bytes(30)), "no crypto suite"),
            (Srtp(COMMON, bytes(30), bytes(29)), "takes 30 octets of key and salt, not 29"),
            (Srtp(COMMON, bytes(31), bytes(30)), "takes 30 octets of key and salt, not 31"),
        ],
    )
    def test_impossible_ones(self, link: Link, phones: list[Phone], srtp: Srtp, why: str) -> None:
        a, b = phones[:2]
        peer = secure(b, SrtpPeer())
        one, two = connect(link, a, b, second=peer.srtp)
        link.send(stream(two, one, b.address, srtp=srtp))
        assert why in link.expect(Refused).reason
        # What was set before still holds.
        talks(a, one, b, rtp(1))
        talks(b, two, a, rtp(1))

    def test_they_are_shown_nowhere(
        self, engine: EngineProcess, link: Link, phones: list[Phone]
    ) -> None:
        a, b = phones[:2]
        marked = b"KeyKeyKeyKeyKeyKeySaltSaltSalt"
        for srtp in (Srtp(COMMON, marked, marked), Srtp(COMMON, marked, marked + b"x")):
            one, two = link.ready.ports[:2]
            message = stream(two, one, b.address, srtp=srtp)
            assert "Key" not in repr(message)
            assert "Key" not in "".join(f"{name}{value}" for name, value in srtp.__rich_repr__())
            link.send(message)
        assert "Key" not in repr(link.expect(Refused))
        b.say(two)
        a.say(one)
        until(lambda: link.counts()[two].forged == 1)
        link.release(two)
        assert "KeyKey" not in engine.log

    def test_memory_of_old_ones_is_given_back(self, link: Link, phones: list[Phone]) -> None:
        one, two = link.ready.ports[:2]
        key = new_key(COMMON)

        def rekey(times: int) -> int:
            """Take new keys and new streams so often; returns the pages in use then."""
            for number in range(times):
                sending = struct.pack("!I", number) + key[4:]
                link.send(stream(two, one, None, srtp=Srtp(COMMON, sending, sending)))
                if number % 50 == 0:
                    link.release(two)
            link.release(two)
            return int(Path(f"/proc/{link.ready.pid}/statm").read_text().split()[1])

        before = rekey(200)
        # Each pair of sessions takes some 10 KB.
        assert rekey(1000) - before < 512
