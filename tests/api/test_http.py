"""Provisioning and health over HTTP, and that the exchange never suffers from it."""

import asyncio
import json
import logging
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

import pytest
import uvloop

from pbx.api import http as module
from pbx.api.http import MISSES_LIMIT, HttpServer
from pbx.api.schema import Problem
from tests.api.fakes import FakeExchange
from tests.api.test_provisioning import entries


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


@asynccontextmanager
async def connection(
    port: int, host: str = "127.0.0.1"
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def request(
    port: int, path: str, *, method: str = "GET", host: str = "127.0.0.1", name: str = "pbx.example"
) -> Answer:
    ask = f"{method} {path} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n"
    async with connection(port, host) as (reader, writer):
        writer.write(ask.encode())
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    start, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return Answer(int(start.split()[1]), headers, body)


async def ended(reader: asyncio.StreamReader) -> None:
    with suppress(ConnectionResetError):
        assert await reader.read() == b""


@pytest.fixture
async def http(port: int, exchange: FakeExchange) -> AsyncIterator[HttpServer]:
    server = HttpServer(exchange, port)
    await server.start()
    yield server
    await server.stop()


def path_of(server: HttpServer, number: str) -> str:
    url = server.provisioning_url(number, "192.0.2.1")
    return url[url.index("/provision/") :]


class TestHealth:
    async def test_ready(self, http: HttpServer, port: int) -> None:
        answer = await request(port, "/health")
        told = {"status": "ready", "problems": []}
        assert (answer.status, json.loads(answer.body)) == (200, told)

    @pytest.mark.parametrize(("severity", "status"), [("attention", 200), ("failed", 503)])
    async def test_what_is_wrong_is_named_but_nobody(
        self, http: HttpServer, exchange: FakeExchange, port: int, severity: str, status: int
    ) -> None:
        lost = Problem(slug="phone-lost", severity=severity, values={"number": "105"})
        exchange.problems = [lost]
        answer = await request(port, "/health")
        assert (answer.status, json.loads(answer.body)) == (
            status,
            {"status": severity, "problems": ["phone-lost"]},
        )

    async def test_over_every_ip_version_of_the_machine(self, http: HttpServer, port: int) -> None:
        hosts = ["127.0.0.1", "::1"] if socket.has_dualstack_ipv6() else ["127.0.0.1"]
        assert [(await request(port, "/health", host=host)).status for host in hosts] == [
            200 for _ in hosts
        ]

    async def test_nothing_else_is_there(self, http: HttpServer, port: int) -> None:
        for path in ("/", "/provision/", "/provision", "/docs", "/../etc/passwd"):
            assert (await request(port, path)).status == 404
        assert (await request(port, "/health", method="POST")).status == 405


class TestProvisioning:
    async def test_document(self, http: HttpServer, port: int) -> None:
        answer = await request(port, path_of(http, "100"))
        assert answer.status == 200
        assert answer.headers["content-type"] == "application/xml"
        assert answer.headers["cache-control"] == "no-store"
        found = entries(answer.body)
        assert found["auth_info_0/passwd"] == "first-secret"
        assert found["proxy_0/reg_proxy"] == "<sip:pbx.example;transport=udp>"
        assert found["proxy_0/reg_identity"] == '"前台" <sip:100@pbx.example>'

    async def test_without_a_usable_host_header_our_own_address(
        self, http: HttpServer, port: int
    ) -> None:
        answer = await request(port, path_of(http, "100"), name="not a host")
        assert entries(answer.body)["proxy_0/reg_proxy"] == "<sip:127.0.0.1;transport=udp>"

    @pytest.mark.parametrize(
        ("host", "where"),
        [("192.0.2.1", "192.0.2.1"), ("2001:db8::1", "[2001:db8::1]"), ("pbx.lan", "pbx.lan")],
    )
    async def test_url(self, http: HttpServer, port: int, host: str, where: str) -> None:
        url = http.provisioning_url("100", host)
        assert url.startswith(f"http://{where}:{port}/provision/")
        assert url.endswith(".xml")

    async def test_each_user_has_its_own(self, http: HttpServer, port: int) -> None:
        for number in ("100", "101", "102"):
            answer = await request(port, path_of(http, number))
            assert entries(answer.body)["auth_info_0/username"] == number

    async def test_gone_with_the_initial_password(
        self, http: HttpServer, port: int, exchange: FakeExchange
    ) -> None:
        path = path_of(http, "100")
        await exchange.set_password("100", "my-own")
        assert (await request(port, path)).status == 404

    async def test_a_wrong_token(self, http: HttpServer, port: int) -> None:
        path = path_of(http, "100")
        for wrong in ("/provision/x.xml", path[:-5] + "x.xml", "/provision/%ff%00.xml"):
            answer = await request(port, wrong)
            assert answer.status == 404
            assert b"100" not in answer.body

    async def test_guessing_is_slowed_down(self, http: HttpServer, port: int) -> None:
        path = path_of(http, "100")
        for number in range(MISSES_LIMIT):
            assert (await request(port, f"/provision/{number}.xml")).status == 404
        answer = await request(port, path)
        assert (answer.status, answer.headers["retry-after"]) == (429, "60")
        assert (await request(port, "/health")).status == 200

    async def test_the_log_names_no_secret(
        self, http: HttpServer, port: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        path = path_of(http, "100")
        await request(port, path)
        await request(port, "/provision/guess.xml")
        own = [one.getMessage() for one in caplog.records if one.name != "asyncio"]
        assert own == ["a phone at 127.0.0.1 fetches the account of 100"]


class TestExchangeGoesOn:
    async def test_port_in_use(
        self, exchange: FakeExchange, caplog: pytest.LogCaptureFixture
    ) -> None:
        with socket.create_server(("", 0)) as other:
            port = other.getsockname()[1]
            server = HttpServer(exchange, port)
            await server.start()
            assert server.provisioning_url("100", "192.0.2.1") == ""
            await server.stop()
        (line,) = (one for one in caplog.records if one.levelno >= logging.WARNING)
        assert f"HTTP port {port}: " in line.getMessage()
        assert "in use" in line.getMessage()

    async def test_port_0_serves_nothing(self, exchange: FakeExchange) -> None:
        server = HttpServer(exchange, 0)
        await server.start()
        assert server.provisioning_url("100", "192.0.2.1") == ""
        await server.stop()

    async def test_nothing_before_start_and_after_stop(
        self, exchange: FakeExchange, port: int
    ) -> None:
        server = HttpServer(exchange, port)
        assert server.provisioning_url("100", "192.0.2.1") == ""
        await server.start()
        assert server.provisioning_url("100", "192.0.2.1") != ""
        await server.stop()
        assert server.provisioning_url("100", "192.0.2.1") == ""
        with pytest.raises(ConnectionRefusedError):
            await request(port, "/health")

    async def test_signals_are_left_alone(self, exchange: FakeExchange, port: int) -> None:
        both = (signal.SIGINT, signal.SIGTERM)
        before = [signal.getsignal(one) for one in both]
        server = HttpServer(exchange, port)
        await server.start()
        assert [signal.getsignal(one) for one in both] == before
        await server.stop()

    async def test_garbage_is_refused_without_a_word_in_the_log(
        self, http: HttpServer, port: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        for garbage in (
            b"\x16\x03\x01\x02\x00",
            b"INVITE sip:100@h SIP/2.0\r\n\r\n",
            b"\0" * 70000,
        ):
            async with connection(port) as (reader, writer):
                writer.write(garbage + b"\r\n\r\n")
                assert b"400" in (await reader.readline())
        assert (await request(port, "/health")).status == 200
        assert caplog.records == []

    async def test_stop_does_not_wait_for_an_open_connection(
        self, http: HttpServer, port: int
    ) -> None:
        async with connection(port) as (reader, writer):
            writer.write(b"GET /health HTTP/1.1\r\n")
            assert (await request(port, "/health")).status == 200
            async with asyncio.timeout(5):
                await http.stop()
            await ended(reader)

    async def test_too_many_connections_are_turned_away(
        self, http: HttpServer, port: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "CONNECTIONS_LIMIT", 1)
        async with connection(port) as (first, writer):
            writer.write(b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n")
            assert b"200" in await first.readline()
            async with connection(port) as (second, _):
                await ended(second)
            writer.write(b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n")
            assert b'"status":"ready"' in await first.readuntil(b"}")

    async def test_a_silent_connection_has_an_end(
        self, http: HttpServer, port: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "CONNECTION_S", 0.01)
        async with connection(port) as (reader, _):
            await ended(reader)


def test_on_uvloop(port: int) -> None:
    async def scenario() -> None:
        server = HttpServer(FakeExchange(), port)
        await server.start()
        assert (await request(port, path_of(server, "100"))).status == 200
        await server.stop()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario())
