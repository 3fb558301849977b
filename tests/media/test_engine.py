"""The media engine as a real process, with real sockets on loopback."""

import contextlib
import os
import socket
import struct
import time
from pathlib import Path

import pytest

from pbx.media.protocol import (
    VERSION,
    Address,
    Latched,
    StreamCounts,
    Timeout,
)
from tests.media.engine_process import (
    REPOSITORY,
    EngineProcess,
    Link,
    Phone,
    connect_phones,
    free_block,
    rtcp,
    rtp,
    running,
    stream,
    until,
)
from tests.media.rtcp_packets import Block, receiver_report, sender_report, voip_metrics


class TestStart:
    def test_ready_names_bound_pairs(self, engine: EngineProcess, link: Link) -> None:
        ready = link.ready
        assert ready.version == VERSION
        assert link.peer_pid == ready.pid != engine.process.pid
        assert ready.ports
        assert all(port % 2 == 0 for port in ready.ports)
        for port in (ready.ports[0], ready.ports[0] + 1):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other, pytest.raises(OSError):
                other.bind(("127.0.0.1", port))

    def test_five_hundred_calls(self) -> None:
        """1000 descriptors: more than many systems allow at first."""
        span = "--first-port", "14000", "--last-port", "16999"
        with running(*span, under=("prlimit", "--nofile=256:")) as another:
            link = another.connect()
            ports = link.ready.ports
            assert len(ports) > 500, another.log
            link.send(*(stream(port, 0, None) for port in ports))
            assert set(link.counts()) == set(ports)
            assert set(link.release(*ports)) == set(ports)

    def test_a_warm_start_compiles_nothing(self, engine: EngineProcess) -> None:
        """A crash must cost a call less than a second; `tests/bench` measures it."""
        with running("--verbose") as another:
            another.connect()
            assert " s, 0 compiled" in another.log

    def test_no_port_at_all(self, link: Link) -> None:
        taken = link.ready.ports[0]
        with running("--first-port", str(taken), "--last-port", str(taken + 1)) as another:
            assert another.wait() == 69
            assert another.log.startswith("ERROR no RTP port from")
            assert another.log.count("\n") == 1

    def test_an_empty_range(self) -> None:
        with running("--first-port", "30001", "--last-port", "30002") as another:
            assert another.wait() == 69

    def test_socket_of_a_running_engine_stays(self, engine: EngineProcess, link: Link) -> None:
        with running("--socket", str(engine.path)) as another:
            assert another.wait() == 69
            assert "another media engine listens" in another.log
        assert link.counts() == {}

    def test_left_over_socket_is_replaced(self, tmp_path: Path) -> None:
        path = str(tmp_path / "left")
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(path)
        with running("--socket", path):
            connection = socket.socket(socket.AF_UNIX)
            until(lambda: connection.connect_ex(path) == 0)
            connection.close()

    def test_socket_that_cannot_be_made(self) -> None:
        with running("--socket", "/nonexistent/media.sock") as another:
            assert another.wait() == 73
            assert "ERROR cannot listen at /nonexistent/media.sock" in another.log

    def test_control_socket_is_private(self, engine: EngineProcess) -> None:
        assert engine.path.stat().st_mode & 0o077 == 0

    def test_ports_of_others_are_left_out(self) -> None:
        """A whole range that another exchange holds is one short line."""
        block = free_block()
        with contextlib.ExitStack() as others:
            for port in (block, block + 4, block + 6, block + 9):
                other = others.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                other.bind(("0.0.0.0", port))
            with running(first_port=block) as another:
                assert another.connect().ready.ports[:2] == [block + 2, block + 10]
                assert f"left out: {block}, {block + 4}-{block + 8} (" in another.log


class TestRelay:
    def test_both_ways_unchanged(self, link: Link, phones: list[Phone]) -> None:
        a, b = phones[:2]
        one, two = connect_phones(link, a, b)
        event = rtp(1, bytes([5, 0x8A, 3, 0x20]))  # RFC 4733
        for packet in (rtp(0), event, rtp(2, os.urandom(2036))):
            a.rtp.sendto(packet, ("127.0.0.1", one))
            data, source = b.rtp.recvfrom(4096)
            assert data == packet
            assert source == ("127.0.0.1", two)
            b.rtp.sendto(packet, ("127.0.0.1", two))
            data, source = a.rtp.recvfrom(4096)
            assert data == packet
            assert source == ("127.0.0.1", one)

    def test_dtls_and_stun_in_the_media_path(self, link: Link, phones: list[Phone]) -> None:
        """RFC 7983: what ends negotiate on the RTP port passes through, and proves the source."""
        a, b = phones[:2]
        stun = struct.pack("!HHI12s", 1, 0, 0x2112A442, b"transaction1")
        dtls = bytes([22, 254, 253]) + bytes(20)
        for number, packet in enumerate((stun, dtls), 1):
            one, two = link.ready.ports[:2]
            nobody = Address("127.0.0.1", 9)
            link.send(
                stream(one, two, nobody, generation=number),
                stream(two, one, b.address, generation=number),
            )
            link.settle()
            a.rtp.sendto(packet, ("127.0.0.1", one))
            assert b.rtp.recv(4096) == packet
            assert link.expect(Latched) == Latched(one, a.address)

    def test_keep_alives_of_the_peer_pass(self, link: Link, phones: list[Phone]) -> None:
        a, b = phones[:2]
        one, _ = connect_phones(link, a, b)
        for packet in (b"", b"\r\n", bytes(4)):
            a.rtp.sendto(packet, ("127.0.0.1", one))
            assert b.rtp.recv(4096) == packet
        assert link.counts()[one].received == 3

    def test_too_long_a_packet_is_dropped(self, link: Link, phones: list[Phone]) -> None:
        a, b = phones[:2]
        one, _ = connect_phones(link, a, b)
        a.rtp.sendto(bytes([0x80]) * 2049, ("127.0.0.1", one))
        packet = a.say(one)
        assert b.rtp.recv(4096) == packet
        assert link.counts()[one].unsent == 1

    def test_rtcp(self, link: Link, phones: list[Phone]) -> None:
        a, b = phones[:2]
        one, two = connect_phones(link, a, b)
        a.rtcp.sendto(rtcp(), ("127.0.0.1", one + 1))
        assert b.rtcp.recvfrom(4096) == (rtcp(), ("127.0.0.1", two + 1))
        b.rtcp.sendto(rtcp(9), ("127.0.0.1", two + 1))
        assert a.rtcp.recvfrom(4096) == (rtcp(9), ("127.0.0.1", one + 1))
        counts = link.counts()
        assert (counts[one].rtcp_received, counts[one].rtcp_sent) == (1, 1)
        assert (counts[one].received, counts[one].sent) == (0, 0)

    def test_rtcp_at_the_address_that_sdp_names(self, link: Link, phones: list[Phone]) -> None:
        """RFC 3605: a=rtcp."""
        a, b, c, _ = phones
        one, two = link.ready.ports[:2]
        link.send(
            stream(one, two, a.address), stream(two, one, b.address, remote_rtcp=c.rtcp_address)
        )
        link.settle()
        a.rtcp.sendto(rtcp(), ("127.0.0.1", one + 1))
        assert c.rtcp.recv(4096) == rtcp()

    def test_rtcp_mux_on_one_side(self, link: Link, phones: list[Phone]) -> None:
        """RFC 5761: one side shares the port, the other does not."""
        a, b = phones[:2]
        one, two = link.ready.ports[:2]
        link.send(stream(one, two, a.address, rtcp_mux=True), stream(two, one, b.address))
        link.settle()
        packet = a.say(one)
        assert b.rtp.recv(4096) == packet
        a.rtp.sendto(rtcp(), ("127.0.0.1", one))
        assert b.rtcp.recvfrom(4096) == (rtcp(), ("127.0.0.1", two + 1))
        b.rtcp.sendto(rtcp(9), ("127.0.0.1", two + 1))
        assert a.rtp.recvfrom(4096) == (rtcp(9), ("127.0.0.1", one))
        counts = link.counts()[one]
        assert (counts.received, counts.rtcp_received, counts.rtcp_sent) == (1, 1, 1)

    def test_ipv6_and_ipv4_in_one_call(self, link: Link, phones: list[Phone]) -> None:
        if not link.ready.ipv6:
            assert not socket.has_ipv6 or not Path("/proc/net/if_inet6").exists()
            return
        a = Phone("::1")
        b = phones[0]
        one, two = connect_phones(link, a, b)
        packet = a.say(one)
        assert b.rtp.recvfrom(4096) == (packet, ("127.0.0.1", two))
        packet = b.say(two)
        data, source = a.rtp.recvfrom(4096)
        assert (data, source[:2]) == (packet, ("::1", one))
        assert {link.expect(Latched), link.expect(Latched)} == {
            Latched(one, a.address),
            Latched(two, b.address),
        }
        a.close()

    def test_leaves_from_the_local_address(self, link: Link, phones: list[Phone]) -> None:
        a, b = phones[:2]
        one, two = link.ready.ports[:2]
        link.send(stream(one, two, a.address), stream(two, one, b.address, local="127.0.0.2"))
        link.settle()
        a.say(one)
        assert b.rtp.recvfrom(4096)[1] == ("127.0.0.2", two)
        a.rtcp.sendto(rtcp(), ("127.0.0.1", one + 1))
        assert b.rtcp.recvfrom(4096)[1] == ("127.0.0.2", two + 1)

    def test_local_address_that_is_not_ours(self, link: Link, phones: list[Phone]) -> None:
        """A router translates it: the kernel then knows better what to send from."""
        a, b = phones[:2]
        one, two = link.ready.ports[:2]
        link.send(stream(one, two, a.address), stream(two, one, b.address, local="198.51.100.1"))
        link.settle()
        packet = a.say(one)
        assert b.rtp.recv(4096) == packet

    def test_hold(self, link: Link, phones: list[Phone]) -> None:
        a, b = phones[:2]
        one, two = link.ready.ports[:2]
        link.send(stream(one, two, a.address), stream(two, one, b.address, send=False))
        link.settle()
        a.say(one)
        until(lambda: link.counts()[one].received == 1)
        link.send(stream(two, one, b.address))
        link.settle()
        packet = a.say(one)
        assert b.rtp.recv(4096) == packet, "what came in hold was sent"
        counts = link.counts()
        assert (counts[two].sent, counts[two].unsent, counts[one].unsent) == (1, 0, 0)

    def test_reports_in_hold(self, link: Link, phones: list[Phone]) -> None:
        """RFC 3264 §5.1: RTCP goes on, whatever the direction."""
        a, b = phones[:2]
        one, two = link.ready.ports[:2]
        link.send(stream(one, two, a.address), stream(two, one, b.address, send=False))
        link.settle()
        a.say(one)
        a.rtcp.sendto(rtcp(), ("127.0.0.1", one + 1))
        assert b.rtcp.recv(4096)[:2] == rtcp()[:2]
        until(lambda: link.counts()[one].received == 1)
        assert link.counts()[two].sent == 0

    def test_no_sink(self, link: Link, phones: list[Phone]) -> None:
        a = phones[0]
        one, two = link.ready.ports[:2]
        for sink in (0, two):
            link.send(stream(one, sink, a.address))
            link.settle()
            a.say(one)
        until(lambda: link.counts()[one].unsent == 2)

    def test_no_address_to_send_to(self, link: Link, phones: list[Phone]) -> None:
        a, b = phones[:2]
        one, two = link.ready.ports[:2]
        link.send(stream(one, two, a.address), stream(two, one, None))
        link.settle()
        a.say(one)
        until(lambda: link.counts()[two].unsent == 1)
        b.say(two)
        a.rtp.recv(4096)
        packet = a.say(one)
        assert b.rtp.recv(4096) == packet, "the latched source is an address"

    def test_what_the_kernel_refuses(self, link: Link, phones: list[Phone]) -> None:
        """A broadcast address needs SO_BROADCAST, which nobody has set: EACCES."""
        a = phones[0]
        one, two = link.ready.ports[:2]
        far = Address("255.255.255.255", 9)
        link.send(stream(one, two, a.address), stream(two, one, far))
        link.settle()
        a.say(one)
        until(lambda: link.counts()[two].unsent == 1)
        assert link.counts()[two].sent == 0

    def test_ten_thousand_packets(self, link: Link, phones: list[Phone]) -> None:
        a, b = phones[:2]
        one, two = connect_phones(link, a, b)
        for number in range(0, 5000, 50):
            forth = [a.say(one, struct.pack("!I", number + n)) for n in range(50)]
            back = [b.say(two, struct.pack("!I", number + n)) for n in range(50)]
            assert [b.rtp.recv(4096) for _ in forth] == forth
            assert [a.rtp.recv(4096) for _ in back] == back
        for port, counts in link.release(one, two).items():
            assert counts.received == counts.sent == 5000, port
            assert counts.received_octets == counts.sent_octets == 5000 * 16
            assert (counts.lost, counts.reordered, counts.refused, counts.unsent) == (0, 0, 0, 0)


def one_of(link: Link, port: int) -> StreamCounts:
    return link.counts()[port]


class TestCounts:
    def test_loss_and_order(self, link: Link, phones: list[Phone]) -> None:
        """RFC 3550 A.1, A.3: over the turn of the sequence numbers, and with another SSRC."""
        a, b = phones[:2]
        one, two = connect_phones(link, a, b)
        sent = [rtp(n) for n in (65533, 65535, 65534, 0, 3, 3)]  # 1 and 2 are missing
        for packet in sent:
            a.rtp.sendto(packet, ("127.0.0.1", one))
            assert b.rtp.recv(4096) == packet
        others = [rtp(n, ssrc=8) for n in (100, 101, 105)]  # 102, 103 and 104 are missing
        for packet in others:
            a.rtp.sendto(packet, ("127.0.0.1", one))
            assert b.rtp.recv(4096)[12:] == packet[12:]
        sent += others
        counts = link.release(one, two)[one]
        assert (counts.received, counts.lost, counts.reordered) == (9, 5, 1)
        assert counts.received_octets == sum(map(len, sent))
        assert counts.source == a.address

    @pytest.mark.parametrize("clock", [8000, 48000])
    def test_jitter(self, link: Link, phones: list[Phone], clock: int) -> None:
        """RFC 3550 §6.4.1: timestamps of 100 ms between packets that come at once."""
        a, b = phones[:2]
        one, two = connect_phones(link, a, b)
        link.send(stream(one, two, a.address, clock=clock))
        link.settle()
        for number in range(20):
            timestamp = clock // 10 * number
            a.rtp.sendto(rtp(number, timestamp=timestamp), ("127.0.0.1", one))
            b.rtp.recv(4096)
        # J goes towards 100 ms by 1/16 of the distance at each of 19 packets.
        assert 60 < link.counts()[one].jitter_ms < 72

    def test_the_worst_second_of_what_is_passed_on(self, link: Link, phones: list[Phone]) -> None:
        """Each second from the engine's own clock, so a burst may lie on the border of two."""
        a, b = phones[:2]
        one, two = connect_phones(link, a, b)

        def says(*numbers: int) -> None:
            for number in numbers:
                a.rtp.sendto(rtp(number), ("127.0.0.1", one))
                b.rtp.recv(4096)

        says(*range(100), *range(150, 200))
        first = until(lambda: one_of(link, one).worst_loss_percent)
        # All of it in one second, or what is before the gap or behind it in another
        assert 25.0 <= first <= 50.0
        says(*range(200, 220), *range(300, 310))
        worst = until(
            lambda: found if (found := one_of(link, one).worst_loss_percent) > first else None
        )
        assert 72 < worst <= 100
        # Seconds without loss change nothing
        says(*range(310, 400))
        assert one_of(link, one).worst_loss_percent == worst
        counts = link.release(one, two)
        assert counts[one].worst_loss_percent == worst
        assert counts[one].lost == 130
        assert counts[two].worst_loss_percent == 0

    def test_the_second_that_a_stream_ends_in(self, link: Link, phones: list[Phone]) -> None:
        """It is compared with the whole ones before it, if it is more than a half."""
        a, b = phones[:2]
        one, two = connect_phones(link, a, b)

        def says(*numbers: int) -> None:
            for number in numbers:
                a.rtp.sendto(rtp(number), ("127.0.0.1", one))
                b.rtp.recv(4096)

        says(*range(100), *range(110, 200))
        until(lambda: one_of(link, one).worst_loss_percent)
        says(200)
        # A second has just ended; the next look may come by then, or doesn't
        end = time.monotonic() + 0.6
        says(*range(300, 310))
        until(lambda: time.monotonic() > end)
        assert link.release(one, two)[one].worst_loss_percent > 85

    def test_what_phones_report_to_each_other(self, link: Link, phones: list[Phone]) -> None:
        """RFC 3550 §6.4.1, RFC 3611 §4.7: read on its way, and passed on as it was."""
        a, b = phones[:2]
        one, two = connect_phones(link, a, b)
        a.rtp.sendto(rtp(1, ssrc=7), ("127.0.0.1", one))
        b.rtp.recv(4096)
        ntp = 0x1111_2222_3333_4444
        report = sender_report(7, ntp)
        a.rtcp.sendto(report, ("127.0.0.1", one + 1))
        assert b.rtcp.recv(4096) == report
        passed = time.monotonic()
        nothing = one_of(link, two)
        assert (nothing.round_trip_ms, nothing.peer_loss_percent, nothing.peer_mos) == (-1, -1, 0)
        # It has had the report for 300 ms, and the rest of half a second or more was the way
        until(lambda: time.monotonic() - passed >= 0.5)
        block = Block(7, 64, 3, 1, 0, 0x2222_3333, 65536 * 3 // 10)
        answer = receiver_report(9, block) + voip_metrics(9, 7, 39)
        b.rtcp.sendto(answer, ("127.0.0.1", two + 1))
        assert a.rtcp.recv(4096) == answer
        most_ms = (time.monotonic() - passed) * 1000 - 300
        told = one_of(link, two)
        assert 190 <= told.round_trip_ms <= most_ms + 10
        assert (told.peer_loss_percent, told.peer_mos) == (25.0, 3.9)
        # Of its own sound nobody has told
        assert one_of(link, one).peer_loss_percent == -1
        assert link.release(one, two)[two].peer_mos == 3.9

    def test_another_call_on_the_port_begins_anew(self, link: Link, phones: list[Phone]) -> None:
        a, b = phones[:2]
        one, two = connect_phones(link, a, b)
        a.rtp.sendto(rtp(1, ssrc=7), ("127.0.0.1", one))
        b.rtp.recv(4096)
        b.rtcp.sendto(receiver_report(9, Block(7, 64, 3, 1, 0, 0, 0)), ("127.0.0.1", two + 1))
        a.rtcp.recv(4096)
        assert link.release(one, two)[two].peer_loss_percent == 25.0
        connect_phones(link, a, b)
        assert link.release(one, two)[two].peer_loss_percent == -1

    def test_release_of_many(self, link: Link) -> None:
        ports = link.ready.ports
        link.send(*(stream(port, 0, None) for port in ports))
        assert set(link.counts()) == set(ports)
        assert set(link.release(*ports)) == set(ports)
        assert link.counts() == {}


class TestTimeout:
    def test_said_once_until_a_packet_comes(self, link: Link, phones: list[Phone]) -> None:
        a = phones[0]
        one = link.ready.ports[0]
        began = time.monotonic()
        link.send(stream(one, 0, a.address, timeout_s=0.3))
        assert link.expect(Timeout) == Timeout(one)
        first = time.monotonic() - began
        assert first >= 0.3
        assert not (link.poll(0.5) and link.waiting)
        a.rtcp.sendto(rtcp(), ("127.0.0.1", one + 1))
        assert link.expect(Timeout) == Timeout(one)

    def test_never(self, link: Link, phones: list[Phone]) -> None:
        one, two = link.ready.ports[:2]
        link.send(stream(one, 0, phones[0].address))
        link.send(stream(two, 0, phones[1].address, timeout_s=0.4))
        assert link.expect(Timeout) == Timeout(two)
        assert link.waiting == []

    def test_a_change_starts_it_anew(self, link: Link, phones: list[Phone]) -> None:
        one = link.ready.ports[0]
        link.send(stream(one, 0, phones[0].address, timeout_s=0.2))
        link.expect(Timeout)
        link.send(stream(one, 0, phones[0].address, timeout_s=0.2, generation=1))
        assert link.expect(Timeout) == Timeout(one)


class TestRepository:
    def test_the_engine_imports_only_its_protocol(self) -> None:
        """Design, section 2: nothing of pbx but errors, media.protocol, and facts of codecs, talk, tones and WAV."""
        for path in (REPOSITORY / "pbx/media/engine").rglob("*.py"):
            for line in path.read_text().splitlines():
                if "import" in line and "pbx." in line and line.strip().startswith(("from", "imp")):
                    assert any(
                        line.strip() == f"from {name}"
                        or f"from {name} " in line
                        or f"from {name}." in line
                        for name in (
                            "pbx.media.engine",
                            "pbx.media.protocol",
                            "pbx.media import codecs",
                            "pbx.media import codecs, emodel",
                            "pbx.media import emodel",
                            "pbx.media.tones",
                            "pbx.media.wav_header",
                            "pbx.errors",
                        )
                    ), (path, line)
