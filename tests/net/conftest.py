"""The network tests run on both event loops that the exchange may run on."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest
import uvloop

from tests.net.office import HOSTS, NewOffice, Office


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run each test on asyncio's own loop and on uvloop's."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
def port() -> int:
    """A port that is free for UDP and TCP on all of `HOSTS`."""
    return _free_port(range(23000, 24000))


@pytest.fixture
def tls_port() -> int:
    """Another such port."""
    return _free_port(range(24000, 25000))


def _free_port(numbers: range) -> int:
    for number in numbers:
        if all(_free(kind, host, number) for kind in ("udp", "tcp") for host in HOSTS):
            return number
    raise AssertionError("no port is free")


def _free(kind: str, host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM) as probe:
        if kind == "tcp":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


@pytest.fixture
async def new_office(port: int) -> AsyncIterator[NewOffice]:
    """Return a function that makes an office (arguments as `SipTransport`); the test's end ends it."""
    made: list[Office] = []

    def make(**limits: Any) -> Office:
        made.append(Office(port, **limits))
        return made[-1]

    yield make
    for office in made:
        await office.close()


@pytest.fixture
async def office(new_office: NewOffice) -> Office:
    """An office whose transport listens on all of `HOSTS`."""
    office = new_office()
    await office.transport.open(HOSTS)
    return office
