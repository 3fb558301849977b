"""Fixtures of the tests of the posts."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests import tables
from tests.carriers.conftest import exchange as lines_exchange
from tests.carriers.conftest import (
    far,
    ims,
    new_carrier,
    office,
    phone,
    subscription,
    zone,
)
from tests.interop.conftest import (
    PASSWORD,
    closing,
    database,
    new_exchange,
    new_phone,
    phones_of,
    ports,
    pytest_runtest_makereport,
)
from tests.interop.exchange import Exchange
from tests.interop.ports import Ports
from tests.posts.application_server import ApplicationServer
from tests.posts.statements import summary, unproved

__all__ = [
    "closing",
    "database",
    "far",
    "ims",
    "lines_exchange",
    "new_carrier",
    "new_exchange",
    "new_phone",
    "office",
    "phone",
    "phones_of",
    "ports",
    "pytest_runtest_makereport",
    "subscription",
    "zone",
]

_COLLECTED = pytest.StashKey[list[str]]()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Note which tests there are, before some are left out."""
    names = [one.nodeid.removeprefix("tests/posts/") for one in items]
    config.stash[_COLLECTED] = names


def _collected(config: pytest.Config) -> list[str]:
    """The names of all tests that there are; none where they could not be read."""
    return config.stash.get(_COLLECTED, list[str]())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table of statements, where ``./build.sh test posts`` asks for it."""
    if tables.asked_for("posts"):
        became = tables.outcomes(terminalreporter, "tests/posts")
        config = terminalreporter.config
        lines = summary(became, _collected(config), config.stash[tables.SPOKEN])
        tables.show(terminalreporter, "the ten posts / 十篇文章", lines)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A statement that nothing proves fails the run that asks for the table."""
    if session.exitstatus != pytest.ExitCode.OK or not tables.asked_for("posts"):
        return
    if unproved(_collected(session.config)):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


FIRST, SECOND = "200", "201"
"""Users of the shared exchange."""


def choose(exchange: Exchange, **options: int | str) -> None:
    """Give the call-back service other settings."""
    exchange.call("callback.set", options=json.dumps(options))


@pytest.fixture(scope="session")
def callback_port() -> Iterator[int]:
    """Yield the port on which the shared exchange takes requests; it is closed now and then."""
    with Ports() as ports:
        yield ports.one()


@pytest.fixture(scope="session")
def exchange(tmp_path_factory: pytest.TempPathFactory, callback_port: int) -> Iterator[Exchange]:
    """Yield an exchange that takes requests for call-backs."""
    with ExitStack() as stack:
        shared = Exchange(
            tmp_path_factory.mktemp("exchange"),
            stack.enter_context(Ports()),
            callback=callback_port,
        )
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
