"""DNS for SIP, against a name server on loopback that does what a test tells it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import cast

import dns.message
import pytest

from pbx.net.resolver import NOTHING_S, SILENCE_S, Resolver
from pbx.sip.locate import Answer, Kind, Naptr, Question, Srv
from tests.net.zone import Zone

Reply = Callable[[dns.message.Message], bytes | None]


class NameServer(asyncio.DatagramProtocol):
    """Answers as its zone says, or as a test has it reply."""

    def __init__(self) -> None:
        self.zone = Zone()
        self.reply: Reply = self.zone.answer
        self.asked: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not asyncio's by class, only by their methods.
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        self.asked.append(str(query.question[0].name))
        reply = self.reply(query)
        if reply is not None:
            self.transport.sendto(reply, addr)


@pytest.fixture
async def server() -> AsyncIterator[NameServer]:
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(NameServer, local_addr=("127.0.0.1", 0))
    yield server
    transport.close()
    await asyncio.sleep(0)


async def ask(server: NameServer, kind: Kind, name: str, limit_s: float = 5.0) -> Answer:
    """Ask the name server; every question must get its answer."""
    answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    host, port = server.transport.get_extra_info("sockname")
    question = Question(kind, name)

    def take(asked: Question, answer: Answer) -> None:
        assert asked == question
        answered.set_result(answer)

    resolver = Resolver([f"{host}:{port}"], take, limit_s=limit_s)
    try:
        resolver.ask(question)
        return await asyncio.wait_for(answered, 20)
    finally:
        await resolver.close()


async def test_addresses(server: NameServer) -> None:
    server.zone.records["h.example", "A"] = ["192.0.2.9", "192.0.2.10"]
    server.zone.records["h.example", "AAAA"] = ["2001:db8::9"]
    answer = await ask(server, Kind.A, "h.example")
    assert set(answer.records) == {"192.0.2.9", "192.0.2.10"}
    assert answer.ttl_s == 77
    assert (await ask(server, Kind.AAAA, "h.example")).records == ("2001:db8::9",)


async def test_services(server: NameServer) -> None:
    server.zone.records["_sip._udp.h.example", "SRV"] = ["10 20 5070 s.example.", "20 0 0 ."]
    server.zone.records["h.example", "NAPTR"] = ['90 50 "s" "SIP+D2T" "" _sip._tcp.h.example.']
    answer = await ask(server, Kind.SRV, "_sip._udp.h.example")
    assert set(answer.records) == {Srv(10, 20, 5070, "s.example"), Srv(20, 0, 0, "")}
    answer = await ask(server, Kind.NAPTR, "h.example")
    assert answer.records == (Naptr(90, 50, "s", "SIP+D2T", "_sip._tcp.h.example"),)


async def test_no_such_name(server: NameServer) -> None:
    assert await ask(server, Kind.A, "nobody.example") == Answer((), NOTHING_S)


async def test_no_such_record(server: NameServer) -> None:
    server.zone.records["h.example", "A"] = ["192.0.2.9"]
    assert await ask(server, Kind.NAPTR, "h.example") == Answer((), NOTHING_S)


async def test_a_silent_server(server: NameServer) -> None:
    server.reply = lambda query: None
    assert await ask(server, Kind.A, "h.example", limit_s=0.2) == Answer((), SILENCE_S)


@pytest.mark.parametrize("octets", [b"", b"\x00" * 5, b"\xff" * 600])
async def test_a_lying_server(server: NameServer, octets: bytes) -> None:
    server.reply = lambda query: query.to_wire()[:2] + octets
    assert await ask(server, Kind.A, "h.example", limit_s=0.5) == Answer((), SILENCE_S)


@pytest.mark.parametrize("name", ["x" * 64 + ".example", ".".join(["x" * 60] * 5), "a..b"])
async def test_a_name_that_is_none(server: NameServer, name: str) -> None:
    assert await ask(server, Kind.A, name) == Answer((), SILENCE_S)
    assert server.asked == []


async def test_names_of_this_machine_need_no_dns() -> None:
    """The hosts file."""
    answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    resolver = Resolver([], lambda question, answer: answered.set_result(answer), limit_s=1.0)
    try:
        resolver.ask(Question(Kind.A, "localhost"))
        assert "127.0.0.1" in (await asyncio.wait_for(answered, 20)).records
    finally:
        await resolver.close()


async def test_what_is_open_ends_with_it(server: NameServer) -> None:
    server.reply = lambda query: None
    host, port = server.transport.get_extra_info("sockname")
    resolver = Resolver([f"{host}:{port}"], lambda *_: pytest.fail("answered"))
    resolver.ask(Question(Kind.A, "h.example"))
    await resolver.close()
