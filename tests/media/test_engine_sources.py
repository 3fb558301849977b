"""Whose packets a real engine takes: latch, source check, idle ports."""

import socket
from pathlib import Path

import pytest

from pbx.media.protocol import (
    Address,
    Latched,
    Prepare,
    Refused,
    Release,
    Released,
)
from tests.media.engine_process import (
    Link,
    Phone,
    connect_phones,
    rtcp,
    silent,
    stream,
    until,
)


def talking(link: Link, a: Phone, b: Phone) -> tuple[int, int]:
    """Let two phones talk; return their streams' ports."""
    one, two = connect_phones(link, a, b)
    for phone, other, port in ((a, b, one), (b, a, two)):
        packet = phone.say(port)
        assert other.rtp.recv(4096) == packet
    return one, two


class TestSourceCheck:
    def test_latch_on_the_first_source(self, link: Link, phones: list[Phone]) -> None:
        """RFC 4961: behind a NAT the address in SDP is not where packets come from."""
        a, b, other, _ = phones
        one, two = link.ready.ports[:2]
        link.send(stream(one, two, Address("192.0.2.1", 4000)), stream(two, one, b.address))
        link.settle()
        packet = a.say(one)
        assert b.rtp.recv(4096) == packet
        assert link.expect(Latched) == Latched(one, a.address)
        other.say(one)
        until(lambda: link.counts()[one].refused == 1)
        packet = b.say(two)
        assert a.rtp.recv(4096) == packet
        assert link.counts()[one].source == a.address
        packet = a.say(one)
        assert b.rtp.recv(4096) == packet, "what was refused was sent"

    def test_sdp_address_takes_the_latch_over_once(self, link: Link, phones: list[Phone]) -> None:
        a, b, attacker, _ = phones
        one, two = connect_phones(link, a, b)
        attacker.say(one)
        assert link.expect(Latched) == Latched(one, attacker.address)
        b.rtp.recv(4096)
        packet = a.say(one)
        assert b.rtp.recv(4096) == packet
        assert link.expect(Latched) == Latched(one, a.address)
        attacker.say(one)
        until(lambda: link.counts()[one].refused == 1)
        packet = b.say(two)
        assert a.rtp.recv(4096) == packet
        assert silent(attacker.rtp)

    def test_without_latch_only_the_sdp_address(self, link: Link, phones: list[Phone]) -> None:
        a, b, other, _ = phones
        one, two = link.ready.ports[:2]
        link.send(stream(one, two, a.address, latch=False), stream(two, one, b.address))
        link.settle()
        other.say(one)
        other.rtcp.sendto(rtcp(), ("127.0.0.1", one + 1))
        until(lambda: link.counts()[one].refused == 2)
        packet = a.say(one)
        assert b.rtp.recv(4096) == packet
        assert link.expect(Latched) == Latched(one, a.address)
        link.send(stream(one, two, None, latch=False, generation=1))
        link.settle()
        a.say(one)
        until(lambda: link.counts()[one].refused == 3)

    @pytest.mark.parametrize(
        "garbage",
        [
            b"",
            b"\x80" * 7,
            b"\x80\x00" + bytes(9),
            b"GET / HTTP/1.1\r\n\r\n",
            bytes(20),
            b"\x40" * 40,
            b"\x16\xfe\xfd" + bytes(9),
        ],
    )
    def test_garbage_latches_nobody(self, link: Link, phones: list[Phone], garbage: bytes) -> None:
        a, b, attacker, _ = phones
        one, _ = connect_phones(link, a, b)
        attacker.rtp.sendto(garbage, ("127.0.0.1", one))
        attacker.rtcp.sendto(garbage, ("127.0.0.1", one + 1))
        until(lambda: link.counts()[one].refused == 2)
        assert link.counts()[one].source is None

    def test_a_fax_behind_nat(self, link: Link, phones: list[Phone]) -> None:
        """UDPTL looks like nothing: its first packet is any two octets, a sequence number."""
        fax, other, attacker, _ = phones
        one, two = link.ready.ports[:2]
        private = Address("192.0.2.9", 5000)
        link.send(
            stream(one, two, private, opaque=True, datagrams=True),
            stream(two, one, other.address, opaque=True, datagrams=True),
        )
        link.settle()
        fax.rtp.sendto(bytes(20), ("127.0.0.1", one))
        assert other.rtp.recv(4096) == bytes(20)
        attacker.rtp.sendto(b"\1" * 20, ("127.0.0.1", one))
        until(lambda: link.counts()[one].refused == 1)
        other.rtp.sendto(b"\2" * 20, ("127.0.0.1", two))
        assert fax.rtp.recv(4096) == b"\2" * 20

    def test_a_new_generation_forgets(self, link: Link, phones: list[Phone]) -> None:
        a, b, moved, _ = phones
        one, two = connect_phones(link, a, b)
        a.say(one)
        b.rtp.recv(4096)
        link.send(stream(one, two, Address("192.0.2.9", 5000), generation=0))
        link.settle()
        moved.say(one)
        until(lambda: link.counts()[one].refused == 1)
        link.send(stream(one, two, Address("192.0.2.9", 5000), generation=1))
        link.settle()
        assert link.counts()[one].source is None
        packet = moved.say(one)
        assert b.rtp.recv(4096) == packet
        b.say(two)
        moved.rtp.recv(4096)
        assert silent(a.rtp)

    def test_a_new_generation_retargets(self, link: Link, phones: list[Phone]) -> None:
        a, b, elsewhere, _ = phones
        one, two = connect_phones(link, a, b)
        b.say(two)
        a.rtp.recv(4096)
        link.send(stream(two, one, elsewhere.address, generation=1))
        link.settle()
        packet = a.say(one)
        assert elsewhere.rtp.recv(4096) == packet
        assert silent(b.rtp)

    def test_rtcp_latches_on_the_host_of_rtp(self, link: Link, phones: list[Phone]) -> None:
        a, b, other, _ = phones
        far = Phone("127.0.0.3")
        one, two = link.ready.ports[:2]
        link.send(stream(one, two, Address("192.0.2.1", 4000)), stream(two, one, b.address))
        link.settle()
        other.rtcp.sendto(rtcp(1), ("127.0.0.1", one + 1))
        until(lambda: link.counts()[one].refused == 1)
        a.say(one)
        b.rtp.recv(4096)
        far.rtcp.sendto(rtcp(2), ("127.0.0.1", one + 1))
        until(lambda: link.counts()[one].refused == 2)
        other.rtcp.sendto(rtcp(3), ("127.0.0.1", one + 1))
        assert b.rtcp.recv(4096) == rtcp(3), "any port of the right host may be RTCP's"
        b.rtcp.sendto(rtcp(4), ("127.0.0.1", two + 1))
        assert other.rtcp.recv(4096) == rtcp(4)
        a.rtcp.sendto(rtcp(5), ("127.0.0.1", one + 1))
        until(lambda: link.counts()[one].refused == 3)
        far.close()

    def test_the_other_family_is_a_stranger(self, link: Link, phones: list[Phone]) -> None:
        if not link.ready.ipv6:
            return
        a, b = phones[:2]
        six = Phone("::1")
        one, _ = connect_phones(link, a, b)
        six.say(one)
        until(lambda: link.counts()[one].refused == 1)
        six.close()


class TestJoined:
    """A source has a socket for itself; nobody notices otherwise."""

    def test_it_moves(self, link: Link, phones: list[Phone]) -> None:
        a, b, elsewhere, _ = phones
        one, two = talking(link, a, b)
        link.send(stream(one, two, elsewhere.address, generation=1))
        link.settle()
        packet = elsewhere.say(one)
        assert b.rtp.recv(4096) == packet
        packet = b.say(two)
        assert elsewhere.rtp.recv(4096) == packet

    def test_signalling_names_another_address_of_ours(
        self, link: Link, phones: list[Phone]
    ) -> None:
        a, b = phones[:2]
        one, two = talking(link, a, b)
        link.send(stream(one, two, a.address, local="127.0.0.2"))
        link.settle()
        packet = b.say(two)
        assert a.rtp.recvfrom(4096) == (packet, ("127.0.0.2", one))

    def test_it_leaves_from_the_address_that_signalling_has_named(
        self, link: Link, phones: list[Phone]
    ) -> None:
        """The kernel's own choice for a peer on this machine would be 127.0.0.1."""
        a, b = phones[:2]
        one, two = link.ready.ports[:2]
        link.send(stream(one, two, a.address, local="127.0.0.2"), stream(two, one, b.address))
        link.settle()
        for phone, other, port in ((a, b, one), (b, a, two)):
            packet = phone.say(port)
            assert other.rtp.recv(4096) == packet
        packet = b.say(two)
        assert a.rtp.recvfrom(4096) == (packet, ("127.0.0.2", one))

    def test_it_is_away_for_a_moment(self, link: Link, phones: list[Phone]) -> None:
        """A phone that starts anew: its system says meanwhile that the port is nobody's."""
        a, b = phones[:2]
        one, two = talking(link, a, b)
        host, port = a.rtp.getsockname()
        a.rtp.close()
        for _ in range(3):
            b.say(two)
        until(lambda: link.counts()[one].sent == 4)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
            again.settimeout(10)
            again.bind((host, port))
            packet = b.say(two)
            assert again.recv(4096) == packet
        assert link.counts()[one].unsent == 0

    def test_the_next_call_is_one_of_the_other_family(
        self, link: Link, phones: list[Phone]
    ) -> None:
        if not link.ready.ipv6:
            return
        a, b = phones[:2]
        one, two = talking(link, a, b)
        link.release(one, two)
        six = Phone("::1")
        link.send(stream(one, two, None, local="::1"), stream(two, one, b.address))
        link.settle()
        packet = six.say(one, host="::1")
        assert b.rtp.recv(4096) == packet
        packet = b.say(two)
        assert six.rtp.recv(4096) == packet
        link.release(one, two)
        six.close()
        talking(link, a, b)

    def test_nothing_is_left_of_it(self, link: Link, phones: list[Phone]) -> None:
        a, b = phones[:2]
        link.release(*talking(link, a, b))
        folder = Path(f"/proc/{link.ready.pid}/fd")
        before = len(list(folder.iterdir()))
        for generation in range(5):
            one, two = talking(link, a, b)
            link.send(stream(one, two, a.address, generation=generation + 1))
            link.settle()
            packet = a.say(one)
            assert b.rtp.recv(4096) == packet
            link.release(one, two)
        assert len(list(folder.iterdir())) == before

    def test_it_changes_its_family(self, link: Link, phones: list[Phone]) -> None:
        if not link.ready.ipv6:
            return
        a, b = phones[:2]
        one, two = talking(link, a, b)
        six = Phone("::1")
        link.send(stream(one, two, six.address, generation=1))
        link.settle()
        packet = six.say(one, host="::1")
        assert b.rtp.recv(4096) == packet
        packet = b.say(two)
        assert six.rtp.recv(4096) == packet
        six.close()

    def test_from_behind_a_nat_until_it_is_there_itself(
        self, link: Link, phones: list[Phone]
    ) -> None:
        a, b, attacker, _ = phones
        one, two = connect_phones(link, a, b)
        for _ in range(2):
            packet = attacker.say(one)
            assert b.rtp.recv(4096) == packet
        packet = b.say(two)
        assert attacker.rtp.recv(4096) == packet
        packet = a.say(one)
        assert b.rtp.recv(4096) == packet
        packet = b.say(two)
        assert a.rtp.recv(4096) == packet
        attacker.say(one)
        until(lambda: link.counts()[one].refused == 1)

    def test_what_has_waited_comes_first(self, link: Link, phones: list[Phone]) -> None:
        a, b = phones[:2]
        one, two = link.ready.ports[:2]
        link.send(stream(one, 0, a.address, wait=True), stream(two, one, b.address))
        link.settle()
        sent = [a.say(one) for _ in range(100)]
        link.send(stream(one, two, a.address))
        sent += [a.say(one) for _ in range(20)]
        assert [b.rtp.recv(4096) for _ in sent] == sent


class TestIdlePorts:
    def test_nothing_reaches_the_next_call(self, link: Link, phones: list[Phone]) -> None:
        a, b, before, _ = phones
        one, two = link.ready.ports[:2]
        before.say(one)
        connect_phones(link, a, b)
        counts = link.release(one, two)
        assert counts[one].received == counts[one].refused == 0
        before.say(one)
        connect_phones(link, a, b)
        packet = a.say(one)
        assert b.rtp.recv(4096) == packet
        assert link.counts()[one].refused == 0

    def test_a_port_at_once_again(self, link: Link, phones: list[Phone]) -> None:
        """Released and set in one write: the new stream starts from nothing, and hears."""
        a, b = phones[:2]
        one, two = connect_phones(link, a, b)
        a.say(one)
        b.rtp.recv(4096)
        link.send(Release([one]), stream(one, two, a.address))
        assert link.expect(Released).counts.received == 1
        assert link.counts()[one].received == 0
        packet = a.say(one)
        assert b.rtp.recv(4096) == packet


class TestWaiting:
    def test_what_comes_before_signalling_is_done_is_kept(
        self, link: Link, phones: list[Phone]
    ) -> None:
        a, b, _, _ = phones
        one, two = link.ready.ports[:2]
        link.send(stream(one, 0, a.address, wait=True), stream(two, one, None))
        link.settle()
        packets = [a.say(one) for _ in range(3)]
        a.rtcp.sendto(rtcp(), ("127.0.0.1", one + 1))
        link.settle()
        assert silent(b.rtp)
        assert link.counts()[one].received == 0
        link.send(stream(two, one, b.address), stream(one, two, a.address))
        assert [b.rtp.recv(4096) for _ in packets] == packets
        assert b.rtcp.recv(4096) == rtcp()
        packet = a.say(one)
        assert b.rtp.recv(4096) == packet

    def test_what_waits_can_be_given_up(self, link: Link, phones: list[Phone]) -> None:
        a, b, _, _ = phones
        one, two = link.ready.ports[:2]
        link.send(stream(one, two, a.address, wait=True), stream(two, one, b.address))
        link.settle()
        a.say(one)
        assert link.release(one)[one].received == 0
        link.send(stream(one, two, a.address))
        link.settle()
        packet = a.say(one)
        assert b.rtp.recv(4096) == packet

    def test_a_running_stream_may_wait_again(self, link: Link, phones: list[Phone]) -> None:
        a, b, _, _ = phones
        one, two = connect_phones(link, a, b)
        link.send(stream(one, two, a.address, wait=True))
        link.settle()
        packet = a.say(one)
        link.settle()
        assert silent(b.rtp)
        link.send(stream(one, two, a.address))
        assert b.rtp.recv(4096) == packet


class TestPrepared:
    def test_what_comes_before_the_stream_is_set_is_kept(
        self, link: Link, phones: list[Phone]
    ) -> None:
        a, b, _, _ = phones
        one, two = link.ready.ports[:2]
        link.send(Prepare([one, two]))
        link.settle()
        packets = [a.say(one) for _ in range(3)]
        link.send(stream(two, one, b.address), stream(one, two, a.address))
        assert [b.rtp.recv(4096) for _ in packets] == packets

    def test_a_port_is_prepared_once(self, link: Link, phones: list[Phone]) -> None:
        """Preparing it again must not throw away what waits."""
        a, b, _, _ = phones
        one, two = link.ready.ports[:2]
        link.send(Prepare([one]))
        link.settle()
        packet = a.say(one)
        link.send(Prepare([one]), stream(two, one, b.address), stream(one, two, a.address))
        assert b.rtp.recv(4096) == packet

    def test_after_its_call_a_port_is_shut_again(self, link: Link, phones: list[Phone]) -> None:
        a, b, _, _ = phones
        one, two = link.ready.ports[:2]
        link.send(Prepare([one]), stream(two, one, b.address), stream(one, two, a.address))
        link.release(one)
        a.say(one)
        link.send(stream(one, two, a.address))
        link.settle()
        packet = a.say(one)
        assert b.rtp.recv(4096) == packet

    def test_a_port_that_is_not_ours(self, link: Link) -> None:
        link.send(Prepare([1]))
        assert "1" in link.expect(Refused).reason
