"""The control socket: what clients get, and that no client disturbs another."""

import asyncio
import json
import logging
import os
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pbx.api.schema import LINE_LIMIT, METHODS, ReplacedConfiguration
from pbx.api.server import PATH_LIMIT, ControlServer
from pbx.errors import StartError
from pbx.locale import choose
from tests.api.fakes import FakeExchange

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def connection(path: Path) -> AsyncIterator[Streams]:
    reader, writer = await asyncio.open_unix_connection(path, limit=4 * LINE_LIMIT)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def ask(streams: Streams, line: bytes) -> dict[str, Any]:
    reader, writer = streams
    writer.write(line + b"\n")
    answer = json.loads(await reader.readline())
    assert isinstance(answer, dict)
    return answer


async def call(path: Path, method: str, **params: str) -> dict[str, Any]:
    async with connection(path) as streams:
        return await ask(
            streams, json.dumps({"id": 7, "method": method, "params": params}).encode()
        )


class TestMethods:
    async def test_every_method_is_served(self, server: Path, exchange: FakeExchange) -> None:
        for number in (1, 2):
            exchange.configured.replaced[str(number)] = ReplacedConfiguration(
                number=number, replaced="2026-11-30T18:30:00+00:00", users=["100"], lines=[]
            )
        params = {
            "record": {"call": "c1"},
            "record.stop": {"call": "c1"},
            "recordings": {"day": "20261130", "number": "100", "most": "5"},
            "recordings.remove": {"file": "20261101/120000_102_100_9f3c.wav"},
            "recordings.remove_before": {"day": "20261130"},
            "hangup": {"call": "c1"},
            "room.mute": {"room": "1", "member": "101"},
            "room.unmute": {"room": "1", "member": "all"},
            "room.gain": {"room": "1", "member": "101", "gain_db": "6"},
            "room.remove": {"room": "1", "member": "101"},
            "user.add": {"number": "103"},
            "user.set": {"number": "101", "options": "{}"},
            "line.add": {"name": "x", "options": '{"kind":"sip-trunk","server":"x"}'},
            "line.set": {"name": "x", "options": "{}"},
            "line.remove": {"name": "x"},
            "plan.set": {"tables": "{}"},
            "configuration.restore": {"number": "1"},
            "configuration.discard": {"number": "2"},
            "callback.set": {"options": "{}"},
            "doctor": {"name": "telco"},
            "doctor.more": {"id": "1", "after": "0"},
            "doctor.stop": {"id": "1"},
            "route": {"caller": "100", "called": "101"},
            "hardware.note": {"kind": "sound", "event": "added", "name": "USB Audio"},
        }
        for method in METHODS:
            given_params = params.get(method, {"number": "102"} if "user." in method else {})
            if method in ("user.password", "user.algorithm"):
                given_params = {"number": "101"}
            if method == "user.algorithm":
                given_params["algorithm"] = "SHA-256"
            answer = await call(server, method, **given_params)
            assert answer["id"] == 7, method
            assert "result" in answer, (method, answer)

    async def test_params_may_be_left_out(self, server: Path) -> None:
        async with connection(server) as streams:
            answer = await ask(streams, b'{"id":1,"method":"status"}')
        assert answer["result"]["pid"] == 4711

    async def test_add_user_with_everything(self, server: Path, exchange: FakeExchange) -> None:
        answer = await call(server, "user.add", number="103", password="pass", display_name="李")
        assert answer["result"] == {
            "number": "103",
            "password": "pass",
            "provisioning_url": "",
        }
        assert exchange.names["103"] == "李"

    async def test_nothing_to_tell_is_null(self, server: Path) -> None:
        assert await call(server, "user.remove", number="102") == {"id": 7, "result": None}

    async def test_calls_on_one_connection_are_answered_in_order(self, server: Path) -> None:
        async with connection(server) as (reader, writer):
            for number in range(50):
                writer.write(b'{"id":%d,"method":"calls"}\n' % number)
            ids = [json.loads(await reader.readline())["id"] for _ in range(50)]
        assert ids == list(range(50))


class TestRefusals:
    @pytest.mark.parametrize(
        ("method", "params", "code"),
        [
            ("frobnicate", {}, "unknown-method"),
            ("status", {"verbose": "1"}, "unknown-parameter"),
            ("hangup", {}, "missing-parameter"),
            ("user.add", {"password": "x"}, "missing-parameter"),
            ("user.add", {"number": "103", "pasword": "x"}, "unknown-parameter"),
            ("user.add", {"number": ""}, "empty-parameter"),
            ("user.password", {"number": "100", "password": ""}, "empty-parameter"),
            ("user.remove", {"number": "999"}, "unknown-user"),
            ("hangup", {"call": "c9"}, "unknown-call"),
            ("record", {}, "missing-parameter"),
            ("record", {"call": "c9"}, "unknown-call"),
            ("record.stop", {"call": "c1"}, "not-recorded"),
        ],
    )
    async def test_code_and_sentence(
        self, server: Path, method: str, params: dict[str, str], code: str
    ) -> None:
        answer = await call(server, method, **params)
        assert (answer["id"], answer["code"]) == (7, code)
        assert answer["error"]

    @pytest.mark.parametrize(
        "line",
        [
            b'{"id":7}',
            b'{"id":7,"method":1}',
            b'{"id":7,"method":"user.add","params":{"number":103}}',
            b'{"id":7,"method":"status","params":[]}',
        ],
    )
    async def test_json_that_is_no_call_is_answered_and_the_client_stays(
        self, server: Path, line: bytes
    ) -> None:
        async with connection(server) as streams:
            answer = await ask(streams, line)
            assert (answer["id"], answer["code"]) == (7, "bad-request")
            assert "result" in await ask(streams, b'{"id":8,"method":"status"}')

    async def test_a_bug_is_logged_and_told_without_its_words(
        self, server: Path, exchange: FakeExchange, caplog: pytest.LogCaptureFixture
    ) -> None:
        exchange.failure = ZeroDivisionError("secret")
        answer = await call(server, "status")
        assert (answer["code"], "secret" in answer["error"]) == ("internal", False)
        assert "ZeroDivisionError: secret" in caplog.text
        exchange.failure = None
        assert "result" in await call(server, "status")


class TestStrangeClients:
    @pytest.mark.parametrize(
        "garbage",
        [
            b"GET / HTTP/1.1",
            b"",
            b"\xff\xfe\x00",
            b'{"id":1,"method":"sta',
            b"[" * 100_000,
            b'{"a":' * 100_000,
            b"null",
            b'{"id":"\xc3(","method":"status"}',
        ],
    )
    async def test_garbage_is_told_so_and_cut_off(self, server: Path, garbage: bytes) -> None:
        async with connection(server) as streams:
            answer = await ask(streams, garbage)
            assert (answer["id"], answer["code"]) == (0, "bad-request")
            assert await streams[0].read() == b""
        assert "result" in await call(server, "status")

    @settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(line=st.binary(max_size=200).filter(lambda line: b"\n" not in line))
    def test_no_bytes_do_harm(self, line: bytes, folder: Path) -> None:
        async def scenario() -> None:
            running = ControlServer(FakeExchange(), folder / "random.sock")
            await running.start()
            async with connection(folder / "random.sock") as streams:
                assert (await ask(streams, line))["code"] == "bad-request"
            await running.stop()

        asyncio.run(scenario())

    async def test_a_line_without_end_is_refused(self, server: Path) -> None:
        async with connection(server) as (reader, writer):
            writer.write(b"x" * (LINE_LIMIT + 1))
            answer = json.loads(await reader.readline())
            assert answer["code"] == "line-too-long"

    async def test_half_a_line_and_gone(self, server: Path, exchange: FakeExchange) -> None:
        async with connection(server) as (reader, writer):
            writer.write(b'{"id":1,"method":"status"}')
            writer.write_eof()
            assert await reader.read() == b""
        assert exchange.asked == []

    async def test_a_client_that_vanishes_while_the_database_works(
        self, server: Path, exchange: FakeExchange, caplog: pytest.LogCaptureFixture
    ) -> None:
        exchange.database_answers.clear()
        async with connection(server) as (_, writer):
            writer.write(b'{"id":1,"method":"user.add","params":{"number":"103"}}\n')
            # Another client is served while that one waits.
            while "add_user" not in exchange.asked:
                assert "result" in await call(server, "status")
        exchange.database_answers.set()
        assert "result" in await call(server, "status")
        assert "103" in exchange.passwords
        assert [one for one in caplog.records if one.levelno >= logging.WARNING] == []

    async def test_a_client_that_does_not_read_is_cut_off(
        self, folder: Path, exchange: FakeExchange
    ) -> None:
        exchange.user_agent = "x" * 200_000
        path = folder / "slow.sock"
        running = ControlServer(exchange, path, write_timeout_s=0.05)
        await running.start()
        with socket.socket(socket.AF_UNIX) as stalled:
            stalled.connect(os.fspath(path))
            stalled.sendall(b'{"id":1,"method":"users"}\n' * 20)
            async with connection(path) as streams:
                while "users" not in exchange.asked or running.clients > 1:
                    assert "result" in await ask(streams, b'{"id":1,"method":"calls"}')
        await running.stop()
        assert exchange.asked.count("users") < 20

    async def test_stop_does_not_wait_for_a_client_that_does_not_read(
        self, folder: Path, exchange: FakeExchange
    ) -> None:
        exchange.user_agent = "x" * 1_000_000
        path = folder / "slow.sock"
        running = ControlServer(exchange, path)
        await running.start()
        with socket.socket(socket.AF_UNIX) as stalled:
            stalled.connect(os.fspath(path))
            stalled.sendall(b'{"id":1,"method":"users"}\n')
            while "users" not in exchange.asked:
                await call(path, "calls")
            async with asyncio.timeout(5):
                await running.stop()

    async def test_too_many_clients(self, folder: Path, exchange: FakeExchange) -> None:
        path = folder / "busy.sock"
        running = ControlServer(exchange, path, clients_limit=1)
        await running.start()
        async with connection(path) as first:
            assert "result" in await ask(first, b'{"id":1,"method":"status"}')
            async with connection(path) as (reader, _):
                assert json.loads(await reader.readline())["code"] == "too-many-clients"
                assert await reader.read() == b""
            assert "result" in await ask(first, b'{"id":1,"method":"status"}')
        await running.stop()


class TestSocket:
    def test_mode(self, server: Path) -> None:
        assert stat.S_IMODE(server.stat().st_mode) == 0o660

    async def test_it_goes_with_the_server(self, folder: Path, exchange: FakeExchange) -> None:
        running = ControlServer(exchange, folder / "s")
        await running.start()
        async with connection(folder / "s") as streams:
            assert "result" in await ask(streams, b'{"id":1,"method":"status"}')
            await running.stop()
            assert await streams[0].read() == b""
        assert not (folder / "s").exists()
        await running.stop()

    async def test_a_successors_socket_is_left_alone(
        self, folder: Path, exchange: FakeExchange
    ) -> None:
        path = folder / "s"
        running = ControlServer(exchange, path)
        await running.start()
        path.rename(folder / "moved")
        path.touch()
        await running.stop()
        assert path.exists()

    async def test_a_dead_exchanges_socket_is_replaced(
        self, folder: Path, exchange: FakeExchange
    ) -> None:
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(os.fspath(folder / "s"))
            dead.listen()
        running = ControlServer(exchange, folder / "s")
        await running.start()
        assert "result" in await call(folder / "s", "status")
        await running.stop()

    @pytest.mark.parametrize("backlog_full", [False, True])
    async def test_a_live_exchange_is_left_alone(
        self, folder: Path, exchange: FakeExchange, backlog_full: bool
    ) -> None:
        path = folder / "s"
        with socket.socket(socket.AF_UNIX) as live, socket.socket(socket.AF_UNIX) as waiting:
            live.bind(os.fspath(path))
            live.listen(0)
            if backlog_full:
                waiting.connect(os.fspath(path))
            with pytest.raises(StartError) as refused:
                await ControlServer(exchange, path).start()
        assert (refused.value.exit_code, "in use" in refused.value.sentence) == (69, True)
        assert path.exists()

    async def test_a_file_in_the_way_is_left_alone(
        self, folder: Path, exchange: FakeExchange
    ) -> None:
        (folder / "s").write_text("precious")
        with pytest.raises(StartError) as refused:
            await ControlServer(exchange, folder / "s").start()
        assert refused.value.exit_code == 73
        assert "File exists" in refused.value.sentence
        assert (folder / "s").read_text() == "precious"

    async def test_no_folder(self, folder: Path, exchange: FakeExchange) -> None:
        with pytest.raises(StartError) as refused:
            await ControlServer(exchange, folder / "none/s").start()
        assert "No such file or directory" in refused.value.sentence

    async def test_path_too_long(self, folder: Path, exchange: FakeExchange) -> None:
        path = folder / ("x" * PATH_LIMIT)
        with pytest.raises(StartError) as refused:
            await ControlServer(exchange, path).start()
        assert f"{PATH_LIMIT} bytes" in refused.value.sentence
        choose("zh")
        with pytest.raises(StartError) as refused:
            await ControlServer(exchange, path).start()
        assert "超过" in refused.value.sentence

    async def test_the_longest_path(self, folder: Path, exchange: FakeExchange) -> None:
        path = folder / ("x" * (PATH_LIMIT - len(os.fspath(folder)) - 1))
        running = ControlServer(exchange, path)
        await running.start()
        assert "result" in await call(path, "status")
        await running.stop()


def test_on_uvloop(folder: Path) -> None:
    async def scenario() -> None:
        running = ControlServer(FakeExchange(), folder / "s")
        await running.start()
        assert "result" in await call(folder / "s", "status")
        async with connection(folder / "s") as streams:
            assert "result" in await ask(streams, b'{"id":1,"method":"status"}')
            await running.stop()
            assert await streams[0].read() == b""
        assert not (folder / "s").exists()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario())
