"""Both clients: typed answers, refusals, and every way of not getting an answer."""

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from pbx.api import client as module
from pbx.api.client import AsyncClient, Client, CommandError, ExchangeUnreachable
from pbx.api.schema import NewUser, RunningCall, Status, User, Welcome
from pbx.api.server import ControlServer
from tests.api.fakes import FakeExchange


@pytest.fixture
def served(folder: Path) -> Iterator[Path]:
    """The socket of a server that runs in a thread of its own."""
    ready, stop = threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        server = ControlServer(FakeExchange(), folder / "s")
        await server.start()
        ready.set()
        await stop.wait()
        await server.stop()

    thread = threading.Thread(target=asyncio.run, args=[serve()])
    thread.start()
    ready.wait(10)
    yield folder / "s"
    loops[0].call_soon_threadsafe(stop.set)
    thread.join(10)


@contextlib.contextmanager
def one_answer(path: Path, answer: bytes | None) -> Iterator[None]:
    """A server that gives every client the same answer, whatever it asks; None: no answer."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fspath(path))
        listener.listen()

        def serve() -> None:
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    connection.recv(1000)
                    connection.sendall(answer or b"")
                    if answer is None:
                        connection.recv(1000)

        thread = threading.Thread(target=serve)
        thread.start()
        yield
        thread.join(10)


class TestClient:
    def test_every_call_is_typed(self, served: Path) -> None:
        with Client(served) as client:
            assert isinstance(client.status(), Status)
            assert [type(one) for one in client.users()] == [User] * 3
            assert [type(one) for one in client.calls()] == [RunningCall]
            assert client.hangup("c1") is None  # type: ignore[func-returns-value]
            assert client.add_user("103", display_name="李") == NewUser(
                number="103", password="made-up"
            )
            assert client.add_user("104", "pass").password == "pass"
            assert client.set_password("104", "other").password == "other"
            client.set_algorithm("104", "SHA-256")
            assert client.remove_user("104") is None  # type: ignore[func-returns-value]
            assert isinstance(client.welcome(), Welcome)
            names = {user.number: user.display_name for user in client.users()}
        assert names == {"100": "前台", "101": "", "102": "", "103": "李"}

    def test_a_refusal_leaves_the_connection_usable(self, served: Path) -> None:
        with Client(served) as client:
            with pytest.raises(CommandError) as refused:
                client.hangup("c9")
            assert (refused.value.code, refused.value.sentence) == (
                "unknown-call",
                "There is no such call.",
            )
            assert client.status().pid == 4711

    def test_an_answer_of_many_reads(self, served: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "CHUNK", 7)
        with Client(served) as client:
            assert client.users()[0].display_name == "前台"
            assert client.status().pid == 4711


def unreachable(call: Callable[[], object]) -> str:
    with pytest.raises(ExchangeUnreachable) as error:
        call()
    return error.value.key


def status_of(path: Path, timeout_s: float = 30.0) -> Status:
    with Client(path, timeout_s=timeout_s) as client:
        return client.status()


async def async_status_of(path: Path, timeout_s: float) -> Status:
    async with AsyncClient(path, timeout_s=timeout_s) as client:
        return await client.status()


def status_by_asyncio(path: Path, timeout_s: float = 30.0) -> Status:
    return asyncio.run(async_status_of(path, timeout_s))


BOTH = pytest.mark.parametrize("status", [status_of, status_by_asyncio], ids=["plain", "asyncio"])


@BOTH
class TestUnreachable:
    def test_no_socket(self, folder: Path, status: Callable[[Path], Status]) -> None:
        assert unreachable(lambda: status(folder / "none")) == "exchange-not-running"
        assert unreachable(lambda: status(folder / "none/s")) == "exchange-not-running"
        assert unreachable(lambda: status(folder / ("x" * 200))) == "exchange-not-running"

    def test_a_dead_socket(self, folder: Path, status: Callable[[Path], Status]) -> None:
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(os.fspath(folder / "s"))
        assert unreachable(lambda: status(folder / "s")) == "exchange-not-running"

    def test_no_answer(self, folder: Path, status: Callable[..., Status]) -> None:
        with one_answer(folder / "s", None):
            assert unreachable(lambda: status(folder / "s", 0.05)) == "exchange-silent"

    def test_connection_ends(self, folder: Path, status: Callable[[Path], Status]) -> None:
        for number, answer in enumerate((b"", b'{"id":1,')):
            path = folder / f"s{number}"
            with one_answer(path, answer):
                assert unreachable(lambda path=path: status(path)) == "exchange-gone"  # type: ignore[misc]

    @pytest.mark.parametrize(
        "answer",
        [
            b"220 mail.example ESMTP\n",
            b'{"id":2,"result":null}\n',
            b'{"id":1,"result":{"version":"9"}}\n',
            b'{"id":1}\n',
            b"\xff\n",
            b"[" * 100_000 + b"\n",
        ],
    )
    def test_no_exchange_answers(
        self, folder: Path, status: Callable[[Path], Status], answer: bytes
    ) -> None:
        with one_answer(folder / "s", answer):
            assert unreachable(lambda: status(folder / "s")) == "exchange-strange"

    def test_an_answer_without_end(
        self,
        folder: Path,
        status: Callable[[Path], Status],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(module, "ANSWER_LIMIT", 1000)
        with one_answer(folder / "s", b"x" * 3000):
            assert unreachable(lambda: status(folder / "s")) == "exchange-gone"

    def test_the_server_turns_away(self, folder: Path, status: Callable[[Path], Status]) -> None:
        refusal = b'{"id":0,"code":"too-many-clients","error":"64 clients are connected already"}\n'
        with one_answer(folder / "s", refusal), pytest.raises(CommandError) as refused:
            status(folder / "s")
        assert refused.value.code == "too-many-clients"


def test_forbidden(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Tests may run as root, whom no mode keeps out.
    def connect(self: socket.socket, address: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket, "socket", type("S", (socket.socket,), {"connect": connect}))
    assert unreachable(lambda: Client(folder / "s")) == "exchange-forbidden"


@pytest.fixture
async def client(server: Path) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(server) as connected:
        yield connected


class TestAsyncClient:
    async def test_every_call_is_typed(self, client: AsyncClient) -> None:
        assert isinstance(await client.status(), Status)
        assert [type(one) for one in await client.users()] == [User] * 3
        assert [type(one) for one in await client.calls()] == [RunningCall]
        await client.hangup("c1")
        assert (await client.add_user("103", display_name="李")).password == "made-up"
        assert (await client.set_password("103", "other")).password == "other"
        await client.remove_user("103")
        assert isinstance(await client.welcome(), Welcome)

    async def test_calls_at_the_same_time(self, client: AsyncClient) -> None:
        answers = await asyncio.gather(
            client.status(),
            client.users(),
            client.hangup("c9"),
            client.calls(),
            return_exceptions=True,
        )
        assert [type(one) for one in answers] == [Status, list, CommandError, list]

    async def test_a_call_that_is_given_up_spoils_no_other(
        self, client: AsyncClient, exchange: FakeExchange, server: Path
    ) -> None:
        exchange.database_answers.clear()
        adding = asyncio.create_task(client.add_user("103"))
        async with AsyncClient(server) as other:
            while "add_user" not in exchange.asked:
                await other.status()
        adding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await adding
        exchange.database_answers.set()
        with pytest.raises(ExchangeUnreachable) as error:
            await client.status()
        assert error.value.key == "exchange-gone"
        await client.connect()
        assert (await client.status()).pid == 4711
