"""SIP over UDP on real sockets."""

import errno
import os
import socket

import pytest

from pbx.errors import StartError
from pbx.locale import choose
from pbx.net.udp import BACKLOG_LIMIT, UdpSocket
from pbx.sip.flow import Address, Flow
from tests.net.office import HOSTS, NewOffice, Office, UdpPeer

BIGGEST = 65507
"""Octets of UDP's payload in the biggest IPv4 packet."""


class TestRfc3581Section4:
    """An answer leaves from the address and port that the request came to."""

    @pytest.mark.parametrize("host", HOSTS)
    async def test_answer_comes_from_the_address_asked(self, office: Office, host: str) -> None:
        office.answer = lambda data, flow: office.transport.send(b"answer to " + data, flow)
        with UdpPeer("::1" if host == "::1" else "127.0.0.1") as peer:
            peer.send(b"question", host, office.port)
            assert await peer.receive() == (b"answer to question", Address(host, office.port))
            assert office.received == [
                (b"question", Flow("udp", Address(host, office.port), peer.address))
            ]

    async def test_flow_whose_own_address_has_gone_uses_another(self, office: Office) -> None:
        gone = Address("127.9.9.9", office.port)
        with UdpPeer() as peer:
            office.transport.send(b"x", Flow("udp", gone, peer.address))
            assert await peer.receive() == (b"x", Address("127.0.0.1", office.port))

    async def test_no_address_of_the_peers_kind(self, port: int, new_office: NewOffice) -> None:
        office = new_office()
        await office.transport.open(["127.0.0.1"])
        flow = Flow("udp", Address("::1", port), Address("::1", 9))
        office.transport.send(b"x", flow)
        assert office.failures == [(flow, "no local address of the peer's kind")]


class TestRfc3261Section18_1_1:
    """Messages up to the size of the biggest datagram are taken."""

    async def test_biggest_datagram_both_ways(self, office: Office) -> None:
        office.answer = office.transport.send
        data = os.urandom(BIGGEST)
        with UdpPeer() as peer:
            peer.send(data, "127.0.0.1", office.port)
            assert (await peer.receive())[0] == data

    async def test_too_big_fails_at_once_and_alone(self, office: Office) -> None:
        with UdpPeer() as peer:
            flow = Flow("udp", Address("127.0.0.1", office.port), peer.address)
            office.transport.send(bytes(BIGGEST + 1), flow)
            assert office.failures == [(flow, os.strerror(errno.EMSGSIZE))]
            office.transport.send(b"small", flow)
            assert (await peer.receive())[0] == b"small"

    async def test_an_empty_datagram_does_no_harm(self, office: Office) -> None:
        with UdpPeer() as peer:
            peer.send(b"", "127.0.0.1", office.port)
            peer.send(b"next", "127.0.0.1", office.port)
            await office.until(lambda: any(data == b"next" for data, _ in office.received))


class TestRfc3261Section18_4:
    """Whose datagram the kernel refused, and whose not."""

    async def test_refusal_names_its_own_flow_only(self, office: Office) -> None:
        local = Address("127.0.0.1", office.port)
        with UdpPeer() as peer:
            good = Flow("udp", local, peer.address)
            # From a loopback address nothing leaves the machine: EINVAL.
            bad = Flow("udp", local, Address("192.0.2.99", 5060))
            office.transport.send(b"1", good)
            office.transport.send(b"2", bad)
            office.transport.send(b"3", good)
            assert [flow for flow, _ in office.failures] == [bad]
            assert [(await peer.receive())[0] for _ in range(2)] == [b"1", b"3"]

    async def test_late_error_fails_nobody(self, port: int) -> None:
        failed: list[Flow] = []
        udp = await UdpSocket.open(
            Address("127.0.0.1", port),
            lambda data, flow: None,
            lambda flow, why: failed.append(flow),
        )
        with UdpPeer() as peer:
            flow = Flow("udp", Address("127.0.0.1", port), peer.address)
            udp.send(b"x", flow)
            # As when a datagram that had waited for the kernel is refused later.
            udp.error_received(OSError(errno.EHOSTUNREACH, "unreachable"))
            assert failed == []
        await udp.close()

    async def test_full_kernel_queue_loses_datagrams_and_no_flow(self, port: int) -> None:
        failed: list[Flow] = []
        udp = await UdpSocket.open(
            Address("127.0.0.1", port),
            lambda data, flow: None,
            lambda flow, why: failed.append(flow),
        )
        with UdpPeer() as peer:
            flow = Flow("udp", Address("127.0.0.1", port), peer.address)
            udp.pause_writing()
            udp.send(b"lost", flow)
            udp.resume_writing()
            udp.send(b"sent", flow)
            assert (await peer.receive())[0] == b"sent"
        assert failed == []
        assert BACKLOG_LIMIT >= BIGGEST
        await udp.close()

    async def test_nobody_there_fails_nobody(self, office: Office) -> None:
        """ICMP's port unreachable: the request times out, and other peers go on."""
        with UdpPeer() as peer:
            address = peer.address
        local = Address("127.0.0.1", office.port)
        office.transport.send(b"x", Flow("udp", local, address))
        with UdpPeer() as peer:
            peer.send(b"y", "127.0.0.1", office.port)
            await office.messages(1)
        assert office.failures == []

    async def test_closed_socket_fails_the_flow(self, port: int) -> None:
        failed: list[str] = []
        udp = await UdpSocket.open(
            Address("127.0.0.1", port),
            lambda data, flow: None,
            lambda flow, why: failed.append(why),
        )
        await udp.close()
        udp.send(b"x", Flow("udp", Address("127.0.0.1", port), Address("127.0.0.1", 9)))
        assert failed == ["the socket is closed"]


class TestStart:
    """What stands in the way is said in one sentence."""

    @pytest.mark.parametrize("host", HOSTS)
    async def test_port_in_use(self, port: int, new_office: NewOffice, host: str) -> None:
        choose("en")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        office = new_office()
        with socket.socket(family, socket.SOCK_DGRAM) as other:
            other.bind((host, port))
            with pytest.raises(StartError) as caught:
                await office.transport.open(HOSTS)
        where = Address(host, port)
        assert caught.value.sentence == f"The UDP port {where} is in use by another program."
        assert caught.value.exit_code == 69

    async def test_port_in_use_on_all_addresses(self, port: int, new_office: NewOffice) -> None:
        office = new_office()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("0.0.0.0", port))
            with pytest.raises(StartError, match="in use"):
                await office.transport.open(["127.0.0.1"])

    async def test_two_exchanges_never_share_a_port(self, office: Office) -> None:
        with pytest.raises(OSError) as caught:
            await UdpSocket.open(
                Address("127.0.0.1", office.port), lambda data, flow: None, lambda flow, why: None
            )
        assert caught.value.errno == errno.EADDRINUSE

    async def test_sockets_of_a_failed_start_are_closed_again(
        self, port: int, new_office: NewOffice
    ) -> None:
        office = new_office()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.2", port))
            with pytest.raises(StartError):
                await office.transport.open(HOSTS)
        await office.close()
        again = new_office()
        await again.transport.open(HOSTS)
