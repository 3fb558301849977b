"""Fixtures of the tests with carriers that we did not write."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.carriers.odd import OddCarrier
from tests.carriers.office import NUMBER, PASSWORD, SECOND, TONE_HZ, Office
from tests.interop.baresip import Baresip
from tests.interop.conftest import (
    closing,
    new_exchange,
    new_phone,
    ports,
    pytest_runtest_makereport,
)
from tests.interop.exchange import Exchange
from tests.interop.ports import Ports
from tests.net.zone import NameServer, Zone

__all__ = ["closing", "new_exchange", "new_phone", "ports", "pytest_runtest_makereport"]


@pytest.fixture(scope="session")
def zone() -> Zone:
    """Return what the exchange's name server knows."""
    return Zone()


@pytest.fixture(scope="session")
def exchange(tmp_path_factory: pytest.TempPathFactory, zone: Zone) -> Iterator[Exchange]:
    """Yield the exchange whose lines are tested."""
    with ExitStack() as stack:
        server = NameServer(zone)
        stack.callback(server.close)
        shared = Exchange(
            tmp_path_factory.mktemp("exchange"),
            Ports(),
            top='[cdr]\nsides = ["LO", "LT", "OO", "OT"]',
            sip=f'name_servers = ["127.0.0.1:{server.port}"]',
        )
        stack.callback(shared.close)
        shared.start()
        for number in (NUMBER, SECOND):
            shared.add_user(number, PASSWORD)
        yield shared


@pytest.fixture(scope="session")
def phone(exchange: Exchange, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Baresip]:
    """Yield a phone of the exchange's."""
    own = Baresip(
        tmp_path_factory.mktemp("phone") / "own",
        Ports(),
        number=NUMBER,
        password=PASSWORD,
        server=exchange.host,
        tone_hz=TONE_HZ,
        register_s=3600,
    )
    own.registered()
    yield own
    own.close()


@pytest.fixture
def office(
    exchange: Exchange, phone: Baresip, tmp_path: Path, ports: Ports, closing: ExitStack
) -> Iterator[Office]:
    """Yield the exchange for one test."""
    own = Office(exchange, phone, tmp_path, ports, closing)
    yield own
    own.restore()


@pytest.fixture
def new_carrier(tmp_path: Path, ports: Ports, closing: ExitStack) -> Callable[..., OddCarrier]:
    """Return a function that starts a carrier of a scenario (more arguments as `OddCarrier`)."""

    def start(text: str, **more: Any) -> OddCarrier:
        return OddCarrier(tmp_path, ports, text, closing, **more)

    return start
