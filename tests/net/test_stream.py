"""SIP over TCP on real sockets: what one connection brings, and how it ends."""

import asyncio
import random
import socket
import struct

import pytest

from pbx.net.stream import BACKLOG_LIMIT
from tests.net.office import Client, NewOffice, Office, options, requested

PING, PONG = b"\r\n\r\n", b"\r\n"


class TestRfc3261Section18_3:
    """Messages are cut out of the stream by Content-Length, however its octets come."""

    async def test_octet_by_octet(self, office: Office) -> None:
        client = await office.client()
        message = options("a", b"body")
        for number in range(len(message)):
            client.write(message[number : number + 1])
            await client.writer.drain()
        assert await office.messages(1) == [message]

    async def test_coalesced_messages(self, office: Office) -> None:
        client = await office.client()
        messages = [options(str(number), b"x" * number) for number in range(100)]
        client.write(b"".join(messages))
        assert await office.messages(100) == messages

    async def test_cut_anywhere(self, office: Office) -> None:
        numbers = random.Random(18)
        messages = [options(str(number), b"\r\n\r\nSIP" * number) for number in range(40)]
        stream = b"".join(messages)
        client = await office.client("::1")
        while stream:
            piece, stream = stream[: numbers.randrange(1, 200)], stream
            stream = stream[len(piece) :]
            client.write(piece)
            await asyncio.sleep(0)
        assert await office.messages(40) == messages

    async def test_flow_says_our_listening_port(self, office: Office) -> None:
        for host in ("127.0.0.2", "::1"):
            client, flow = await office.phone(host)
            assert flow.local.host == host
            assert flow.local.port == office.port
            assert flow.remote == client.address
            assert flow.reliable

    async def test_answer_takes_the_same_connection(self, office: Office) -> None:
        (first, one), (second, two) = await office.phone(), await office.phone()
        assert one.connection != two.connection
        office.transport.send(b"for two", two)
        office.transport.send(b"for one", one)
        assert await first.read(7) == b"for one"
        assert await second.read(7) == b"for two"


class TestRfc5626Section4_4_1:
    """A double CRLF is answered by a single one."""

    async def test_ping_pong(self, office: Office) -> None:
        client = await office.client()
        for _ in range(3):
            client.write(PING)
            assert await client.read(2) == PONG
        assert office.received == []

    async def test_ping_in_two_halves_and_between_messages(self, office: Office) -> None:
        client = await office.client()
        client.write(options("a") + b"\r\n")
        await office.messages(1)
        client.write(b"\r\n")
        assert await client.read(2) == PONG
        client.write(options("b") + PING + options("c"))
        assert await client.read(2) == PONG
        assert requested(b"".join(await office.messages(3))) == ["a", "b", "c"]


class TestGarbage:
    """What can't be followed ends its own connection and no other."""

    @pytest.mark.parametrize(
        "garbage",
        [
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
            b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 99999999999\r\n\r\n",
            b"OPTIONS sip:a SIP/2.0\r\nContent-Length: -1\r\n\r\n",
            b"OPTIONS sip:a SIP/2.0\r\n\r\n",
            b"A" * 200_000,
            b"OPTIONS sip:a SIP/2.0\r\n" + b"X: y\r\n" * 40_000,
            random.Random(3261).randbytes(300_000) + b"\r\n\r\n",
        ],
    )
    async def test_only_that_connection(self, office: Office, garbage: bytes) -> None:
        honest, flow = await office.phone()
        guilty = await office.client()
        guilty.write(garbage)
        await guilty.ended()
        office.transport.send(b"still there", flow)
        assert await honest.read(11) == b"still there"

    async def test_head_without_length_is_passed_on_to_be_answered(self, office: Office) -> None:
        office.answer = lambda data, flow: office.transport.send(b"SIP/2.0 400 Bad", flow)
        client = await office.client()
        client.write(b"OPTIONS sip:a SIP/2.0\r\nVia: x\r\n\r\n")
        assert await client.ended() == b"SIP/2.0 400 Bad"

    async def test_messages_before_the_garbage_count(self, office: Office) -> None:
        client = await office.client()
        client.write(options("a") + options("b") + b"\x16\x03\x01\r\n\r\n" + options("c"))
        await client.ended()
        assert requested(b"".join(data for data, _ in office.received)) == ["a", "b"]


class TestBacklog:
    """A peer that doesn't read costs us a bounded amount, and nobody else anything."""

    async def test_slow_reader_is_dropped_alone(self, office: Office) -> None:
        slow, slow_flow = await office.phone()
        good, good_flow = await office.phone()
        slow.writer.transport.pause_reading()  # type: ignore[attr-defined]
        piece = bytes(BACKLOG_LIMIT // 16)
        for _ in range(600):
            office.transport.send(piece, slow_flow)
        assert (await office.failure()) == (slow_flow, "the peer does not read")
        office.transport.send(b"hello", good_flow)
        assert await good.read(5) == b"hello"
        assert [flow for flow, _ in office.failures] == [slow_flow]

    async def test_reader_within_the_limit_gets_all(self, office: Office) -> None:
        client, flow = await office.phone()
        data = random.Random(1).randbytes(BACKLOG_LIMIT)
        office.transport.send(data, flow)
        office.transport.send(b"end", flow)
        assert await client.read(len(data) + 3) == data + b"end"
        assert office.failures == []


class TestEnds:
    """However a connection ends, whoever used it is told once."""

    async def test_peer_closes(self, office: Office) -> None:
        client, flow = await office.phone()
        client.writer.close()
        assert await office.failure() == (flow, "the peer closed the connection")

    async def test_peer_resets(self, office: Office) -> None:
        client, flow = await office.phone()
        end = client.writer.get_extra_info("socket")
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        failed, why = await office.failure()
        assert failed == flow
        assert why

    async def test_half_closed_peer_still_gets_its_answer(self, office: Office) -> None:
        """As ``printf ... | nc``: it has said all that it has to say."""
        office.answer = lambda data, flow: office.transport.send(b"answer", flow)
        client = await office.client()
        client.write(options())
        client.writer.write_eof()
        assert await client.ended() == b"answer"

    async def test_connection_reset_before_it_is_accepted(self, office: Office) -> None:
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", office.port)) as end:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client, flow = await office.phone()
        office.transport.send(b"x", flow)
        assert await client.read(1) == b"x"

    async def test_sending_on_a_connection_that_has_gone(self, office: Office) -> None:
        client, flow = await office.phone()
        client.close()
        await office.failure()
        office.transport.send(b"x", flow)
        assert office.failures[1:] == [(flow, "the connection is gone")]

    async def test_dead_peers_are_probed(self, office: Office) -> None:
        """A phone without power says no goodbye: the kernel has to find out."""
        _, flow = await office.phone()
        end = office.transport._connections[flow.connection]._transport
        assert end is not None
        options_of = end.get_extra_info("socket")
        assert options_of.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert options_of.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 32_000


class TestHalfMessage:
    """A message that has begun comes to its end, or its connection does."""

    @pytest.mark.parametrize("half", [b"OPTIONS sip:x", options("x", b"body")[:-1], b"O", b"\r\nO"])
    async def test_its_rest_never_comes(self, new_office: NewOffice, half: bytes) -> None:
        office = new_office(half_message_s=0.05)
        await office.transport.open(["127.0.0.1"])
        client, flow = await office.phone()
        client.write(half)
        assert await office.failure() == (flow, "a message's rest never came")
        assert await client.ended() == b""

    async def test_octets_now_and_then_gain_no_time(self, new_office: NewOffice) -> None:
        office = new_office(half_message_s=0.1)
        await office.transport.open(["127.0.0.1"])
        client, _ = await office.phone()
        while not office.failures:
            client.write(b"x")
            await asyncio.sleep(0.01)
        assert office.failures[0][1] == "a message's rest never came"

    async def test_each_message_has_its_own_time(self, office: Office) -> None:
        """A phone that always has one half under way, as on a busy connection, stays."""
        client, flow = await office.phone()
        connection = office.transport._connections[flow.connection]
        message, limits = options("x", b"body"), []
        client.write(message[:10])
        for number in range(3):
            client.write(message[10:] + message[:10])
            await office.messages(number + 2)
            await asyncio.sleep(0)
            limits.append(connection._rest_limit)
        assert None not in limits
        assert len({id(each) for each in limits}) == 3

    async def test_between_messages_there_is_no_limit(self, new_office: NewOffice) -> None:
        """Not after half a ping either: some phones keep their path open with a single CRLF."""
        office = new_office(half_message_s=0.05)
        await office.transport.open(["127.0.0.1"])
        client, flow = await office.phone()
        client.write(b"\r\n")
        late, _ = await office.phone()
        late.write(b"OPTIONS")
        await late.ended()
        office.transport.send(b"x", flow)
        assert await client.read(1) == b"x"


class TestFirstMessage:
    """Whoever connects and says nothing doesn't stay."""

    async def test_silent_peer_is_dropped(self, new_office: NewOffice) -> None:
        office = new_office(first_message_s=0.05)
        await office.transport.open(["127.0.0.1"])
        clients = [await office.client() for _ in range(5)]
        clients[0].write(PING)
        clients[1].write(b"OPTIONS sip:")
        for client in clients:
            await client.ended()

    async def test_peer_that_spoke_stays(self, new_office: NewOffice) -> None:
        office = new_office(first_message_s=0.05)
        await office.transport.open(["127.0.0.1"])
        spoke, flow = await office.phone()
        silent: Client = await office.client()
        await silent.ended()
        office.transport.send(b"x", flow)
        assert await spoke.read(1) == b"x"
