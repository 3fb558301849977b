"""Fixtures of the tests with programs that we did not write; see README.md for what they need."""

import itertools
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.interop.baresip import Baresip
from tests.interop.exchange import Exchange
from tests.interop.linphone import Linphone
from tests.interop.phones import Phones, Users
from tests.interop.ports import Ports


@pytest.fixture
def ports() -> Ports:
    """Return the test's source of free ports."""
    return Ports()


@pytest.fixture(scope="session")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """Yield an exchange that the well-behaved tests share."""
    with ExitStack() as stack:
        shared = Exchange(tmp_path_factory.mktemp("exchange"), Ports())
        stack.callback(shared.close)
        shared.start()
        yield shared


@pytest.fixture
def closing() -> Iterator[ExitStack]:
    """Yield a stack that ends what a test started, also when the test failed."""
    with ExitStack() as stack:
        yield stack


_EXCHANGES = pytest.StashKey[list[Exchange]]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the exchanges of a failed test logged at the end."""
    report = yield
    if report.failed:
        own = item.stash.get(_EXCHANGES, [])
        shared = getattr(item, "funcargs", {}).get("exchange")
        for exchange in [*own, *([shared] if shared else [])]:
            report.sections.append(("exchange", exchange.why()))
    return report


@pytest.fixture
def new_exchange(
    tmp_path: Path, ports: Ports, closing: ExitStack, request: pytest.FixtureRequest
) -> Callable[..., Exchange]:
    """Return a function that starts an exchange of the test's own (arguments as `Exchange`)."""

    def start(**settings: Any) -> Exchange:
        own = Exchange(tmp_path / "data", ports, **settings)
        request.node.stash.setdefault(_EXCHANGES, []).append(own)
        closing.callback(own.close)
        own.start()
        return own

    return start


PASSWORD = "secret"
"""Of every user that a test adds."""

_PAIRS = itertools.count(2000, 2)


@pytest.fixture
def users(exchange: Exchange) -> Users:
    """Return two fresh users of the shared exchange."""
    first = next(_PAIRS)
    made = Users(str(first), str(first + 1), PASSWORD)
    exchange.add_user(made.caller, made.password)
    exchange.add_user(made.callee, made.password)
    return made


@pytest.fixture
def new_phone(tmp_path: Path, ports: Ports, closing: ExitStack) -> Callable[..., Baresip]:
    """Return a function that starts a registered baresip (arguments as `Baresip`)."""
    numbers = itertools.count(1)

    def start(number: str, server: str, tone_hz: float, **more: Any) -> Baresip:
        phone = Baresip(
            tmp_path / f"phone{next(numbers)}",
            ports,
            number=number,
            password=more.pop("password", PASSWORD),
            server=server,
            tone_hz=tone_hz,
            **more,
        )
        closing.callback(phone.close)
        phone.registered()
        return phone

    return start


@pytest.fixture
def phones(
    exchange: Exchange, users: Users, tmp_path: Path, ports: Ports, closing: ExitStack
) -> Phones:
    """Return what makes sipp phones of the shared exchange."""
    return Phones(exchange, users, tmp_path, ports, closing)


@pytest.fixture
def phones_of(tmp_path: Path, ports: Ports, closing: ExitStack) -> Callable[[Exchange], Phones]:
    """Return a function that makes sipp phones of an exchange of the test's own: 110 calls 111."""

    def of(exchange: Exchange) -> Phones:
        exchange.add_user("110", PASSWORD)
        exchange.add_user("111", PASSWORD)
        return Phones(exchange, Users("110", "111", PASSWORD), tmp_path, ports, closing)

    return of


@pytest.fixture
def new_linphone(tmp_path: Path, ports: Ports, closing: ExitStack) -> Callable[..., Linphone]:
    """Return a function that starts a registered linphonec (arguments as `Linphone`)."""

    def start(number: str, exchange: Exchange, tone_hz: float, **more: Any) -> Linphone:
        phone = Linphone(
            tmp_path / "linphone",
            ports,
            number=number,
            password=PASSWORD,
            server=exchange.secure_host if more.get("transport") == "tls" else exchange.host,
            tone_hz=tone_hz,
            **more,
        )
        closing.callback(phone.close)
        # linphonec does not print that it is registered.
        exchange.wait_contacts(number)
        return phone

    return start
