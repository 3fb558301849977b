"""SIP over UDP on real sockets."""

import asyncio
import errno
import os
import select
import socket
import struct
from typing import Any, cast

import pytest

from pbx.errors import StartError
from pbx.locale import choose
from pbx.net.errqueue import take_errors
from pbx.net.udp import UdpSocket
from pbx.sip.flow import Address, Flow
from tests.net.office import HOSTS, WITHIN_S, NewOffice, Office, UdpPeer, options

BIGGEST = 65507
"""Octets of UDP's payload in the biggest IPv4 packet."""


class Troubled(socket.socket):
    """A bound socket whose next operations fail as a test says: nothing on loopback fills a queue."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(socket.AF_INET, socket.SOCK_DGRAM)
        self.troubles: list[int] = []
        self.setblocking(False)
        self.bind((host, port))

    def _trouble(self) -> None:
        if self.troubles:
            number = self.troubles.pop(0)
            raise OSError(number, os.strerror(number))

    def sendto(self, *sent: Any) -> int:
        """Send, or fail."""
        self._trouble()
        return super().sendto(*sent)

    def recvfrom(self, *size: Any) -> Any:
        """Receive, or fail."""
        self._trouble()
        return super().recvfrom(*size)


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

    async def test_an_error_that_names_nobody_fails_nobody(self, port: int) -> None:
        """As when the kernel had no memory to keep whom it concerns."""
        came: list[bytes] = []
        failed: list[Flow] = []
        arrived = asyncio.Event()

        def receive(data: bytes, flow: Flow) -> None:
            came.append(data)
            arrived.set()

        bound = Troubled("127.0.0.1", port)
        udp = UdpSocket(
            Address("127.0.0.1", port), receive, lambda flow, why: failed.append(flow), bound
        )
        with UdpPeer() as peer:
            bound.troubles = [errno.EHOSTUNREACH]
            peer.send(b"x", "127.0.0.1", port)
            async with asyncio.timeout(WITHIN_S):
                await arrived.wait()
        assert (came, failed, bound.troubles) == ([b"x"], [], [])
        udp.close()

    async def test_full_kernel_queue_loses_datagrams_and_no_flow(self, port: int) -> None:
        failed: list[Flow] = []
        bound = Troubled("127.0.0.1", port)
        udp = UdpSocket(
            Address("127.0.0.1", port),
            lambda data, flow: None,
            lambda flow, why: failed.append(flow),
            bound,
        )
        with UdpPeer() as peer:
            flow = Flow("udp", Address("127.0.0.1", port), peer.address)
            for trouble in (errno.EAGAIN, errno.ENOBUFS):
                bound.troubles = [trouble]
                udp.send(b"lost", flow)
            udp.send(b"sent", flow)
            assert (await peer.receive())[0] == b"sent"
        assert (failed, bound.troubles) == ([], [])
        udp.close()

    @pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
    async def test_nobody_there_fails_that_flow_at_once(self, office: Office, host: str) -> None:
        """ICMP's port unreachable: a telephone that has lost its power, or its program."""
        with UdpPeer(host) as peer:
            address = peer.address
        flow = Flow("udp", Address(host, office.port), address)
        office.transport.send(b"x", flow)
        assert await office.failure() == (flow, os.strerror(errno.ECONNREFUSED))
        with UdpPeer(host) as peer:
            peer.send(b"y", host, office.port)
            await office.messages(1)
        assert len(office.failures) == 1

    async def test_what_is_sent_meanwhile_arrives(self, office: Office) -> None:
        """The kernel tells of one datagram's fate in place of sending the next one."""
        local = Address("127.0.0.1", office.port)
        gone = [UdpPeer() for _ in range(3)]
        flows = [Flow("udp", local, peer.address) for peer in gone]
        for dead in gone:
            dead.__exit__()
        with UdpPeer() as peer:
            alive = Flow("udp", local, peer.address)
            for number in range(30):
                office.transport.send(b"lost", flows[number % 3])
                office.transport.send(b"%d" % number, alive)
            assert [(await peer.receive())[0] for _ in range(30)] == [
                b"%d" % number for number in range(30)
            ]
        await office.until(lambda: {flow for flow, _ in office.failures} == set(flows))

    async def test_whoever_is_told_may_send(self, office: Office) -> None:
        """A call goes on to the next telephone when the first one is found dead."""
        local = Address("127.0.0.1", office.port)
        with UdpPeer() as dead, UdpPeer() as peer:
            flow, alive = (Flow("udp", local, one.address) for one in (dead, peer))
            dead.__exit__()
            office.failed = lambda failed, why: office.transport.send(b"instead", alive)
            office.transport.send(b"x", flow)
            assert (await peer.receive())[0] == b"instead"

    async def test_whoever_is_told_may_send_there_again(self, office: Office) -> None:
        """libuv would read the queue of errors once it has told of one: what lies there crashes it."""
        with UdpPeer() as peer:
            address = peer.address
        flow = Flow("udp", Address("127.0.0.1", office.port), address)

        def again(failed: Flow, why: str) -> None:
            if len(office.failures) < 5:
                office.transport.send(b"again", failed)

        office.failed = again
        office.transport.send(b"x", flow)
        await office.until(lambda: len(office.failures) == 5)

    @pytest.mark.parametrize("bounces_at", [1, 31, 32, 33, 40])
    async def test_a_burst_may_be_answered_to_a_peer_that_is_gone(
        self, office: Office, bounces_at: int
    ) -> None:
        """libuv takes 32 datagrams, and then reads the errors if any were told of before those.

        Told of, and taken by whoever had its turn first: here a message over TCP.
        """
        local = Address("127.0.0.1", office.port)
        client, connection = await office.phone()
        with UdpPeer() as dead, UdpPeer() as peer:
            gone, alive = (Flow("udp", local, one.address) for one in (dead, peer))
            dead.__exit__()
            burst: list[bytes] = []

            def answer(data: bytes, flow: Flow) -> None:
                if flow == connection:
                    office.transport.send(b"takes the error", alive)
                    return
                burst.append(data)
                office.transport.send(data, gone if len(burst) == bounces_at else alive)

            office.answer = answer
            client.write(options())
            for number in range(40):
                peer.send(b"%d" % number, "127.0.0.1", office.port)
            office.transport.send(b"refused", gone)
            await office.until(lambda: len(burst) == 40 and len(office.failures) == 2)
            assert burst == [b"%d" % number for number in range(40)]
            assert {flow for flow, _ in office.failures} == {gone}

    async def test_nothing_is_left_that_would_keep_the_loop_busy(self, office: Office) -> None:
        with UdpPeer() as peer:
            address = peer.address
        flow = Flow("udp", Address("127.0.0.1", office.port), address)
        office.transport.send(b"x", flow)
        await office.failure()
        poll = select.poll()
        for udp in office.transport._udp.values():
            poll.register(udp._socket, 0)
            poll.register(udp._wakes, select.POLLIN)
        assert poll.poll(0) == []

    async def test_whoever_is_told_may_close(self, office: Office) -> None:
        with UdpPeer() as peer:
            address = peer.address
        flow = Flow("udp", Address("127.0.0.1", office.port), address)

        def close(failed: Flow, why: str) -> None:
            for udp in office.transport._udp.values():
                udp.close()

        office.failed = close
        office.transport.send(b"x", flow)
        assert await office.failure() == (flow, os.strerror(errno.ECONNREFUSED))
        office.failed = lambda failed, why: None
        office.transport.send(b"y", flow)
        assert office.failures[1:] == [(flow, "the socket is closed")]

    async def test_closed_socket_fails_the_flow(self, port: int) -> None:
        failed: list[str] = []
        udp = UdpSocket.open(
            Address("127.0.0.1", port),
            lambda data, flow: None,
            lambda flow, why: failed.append(why),
        )
        udp.close()
        udp.send(b"x", Flow("udp", Address("127.0.0.1", port), Address("127.0.0.1", 9)))
        assert failed == ["the socket is closed"]


class Queue:
    """A socket whose error queue holds what a test puts in: no router sends it that."""

    def __init__(self, *errors: tuple[int, int, int, int]) -> None:
        self._errors = list(errors)

    def recvmsg(self, *_: int) -> tuple[bytes, list[tuple[int, int, bytes]], int, tuple[str, int]]:
        """Return the next error; EAGAIN without one."""
        if not self._errors:
            raise BlockingIOError(errno.EAGAIN, "empty")
        data = struct.pack("=IBBBBII", *self._errors.pop(0), 0, 0, 0)
        return b"", [(0, 11, data), (0, 8, b"another control message")], 0, ("192.0.2.1", 5060)


class TestIcmp:
    """Which messages mean that a peer isn't reached (RFC 792, RFC 4443)."""

    @pytest.mark.parametrize(
        ("error", "meant"),
        [
            ((errno.ECONNREFUSED, 2, 3, 3), True),
            ((errno.EHOSTUNREACH, 2, 3, 1), True),
            ((errno.ENETUNREACH, 2, 3, 0), True),
            ((errno.EPROTO, 2, 12, 0), True),
            ((errno.EMSGSIZE, 2, 3, 4), False),
            ((errno.EHOSTUNREACH, 2, 11, 0), False),
            ((errno.ECONNREFUSED, 3, 1, 4), True),
            ((errno.EMSGSIZE, 3, 2, 0), False),
            ((errno.EHOSTUNREACH, 3, 3, 0), False),
            ((errno.EPROTO, 3, 4, 1), True),
            ((errno.EMSGSIZE, 1, 0, 0), False),
        ],
    )
    def test_meaning(self, error: tuple[int, int, int, int], meant: bool) -> None:
        queue = Queue(error, (errno.ECONNREFUSED, 2, 3, 3))
        told = list(take_errors(cast(socket.socket, queue)))
        last = (Address("192.0.2.1", 5060), os.strerror(errno.ECONNREFUSED))
        assert told[-1] == last
        assert len(told) == 1 + meant


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
            UdpSocket.open(
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
