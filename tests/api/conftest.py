import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from pbx.api.server import ControlServer
from tests.api.fakes import FakeExchange


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short path: a Unix socket's has 107 octets at most."""
    path = Path(tempfile.mkdtemp(prefix="api"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
async def exchange() -> FakeExchange:
    return FakeExchange()


@pytest.fixture
async def server(folder: Path, exchange: FakeExchange) -> AsyncIterator[Path]:
    """The control socket of a running server."""
    path = folder / "control.sock"
    running = ControlServer(exchange, path)
    await running.start()
    yield path
    await running.stop()


@pytest.fixture
def port() -> int:
    """A TCP port that nobody uses."""
    with socket.create_server(("", 0)) as probe:
        number: int = probe.getsockname()[1]
    return number


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
