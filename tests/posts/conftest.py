"""Fixtures of the tests of the posts."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.conftest import (
    PASSWORD,
    closing,
    new_exchange,
    new_phone,
    ports,
    pytest_runtest_makereport,
)
from tests.interop.exchange import Exchange
from tests.interop.ports import Ports
from tests.posts.application_server import ApplicationServer

__all__ = ["closing", "new_exchange", "new_phone", "ports", "pytest_runtest_makereport"]

FIRST, SECOND = "200", "201"
"""Users of the shared exchange."""


def choose(exchange: Exchange, **options: int | str) -> None:
    """Give the call-back service other settings."""
    exchange.call("callback.set", options=json.dumps(options))


@pytest.fixture(scope="session")
def callback_port() -> int:
    """Return the port on which the shared exchange takes requests."""
    return Ports().one()


@pytest.fixture(scope="session")
def exchange(tmp_path_factory: pytest.TempPathFactory, callback_port: int) -> Iterator[Exchange]:
    """Yield an exchange that takes requests for call-backs."""
    with ExitStack() as stack:
        shared = Exchange(tmp_path_factory.mktemp("exchange"), Ports(), callback=callback_port)
        stack.callback(shared.close)
        shared.start()
        for number in (FIRST, SECOND):
            shared.add_user(number, PASSWORD)
        yield shared


@pytest.fixture
def afresh(exchange: Exchange, callback_port: int) -> Iterator[None]:
    """Have the call-back service as it was at the start, and no call, after the test."""
    yield
    for call in exchange.running_calls():
        exchange.call("hangup", call=call.id)
    choose(exchange, port=callback_port, application_server="127.0.0.1")
    exchange.wait_idle()
    exchange.assert_sane()


@pytest.fixture
def new_server(
    callback_port: int, afresh: None, closing: ExitStack
) -> Callable[..., ApplicationServer]:
    """Return a function that starts an application server (arguments as `ApplicationServer`)."""

    def start(host: str = "127.0.0.1", port: int = 0) -> ApplicationServer:
        own = ApplicationServer(port or callback_port, host)
        closing.callback(own.close)
        return own

    return start


@pytest.fixture
def server(new_server: Callable[..., ApplicationServer]) -> ApplicationServer:
    """Return an application server on the exchange's own machine."""
    return new_server()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder for the test's files."""
    return tmp_path
