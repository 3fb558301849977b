from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.app.daemon import Daemon
from tests.app.phone import Phone
from tests.interop.ports import Ports


@pytest.fixture
def ports() -> Iterator[Ports]:
    """The source of the test's free ports."""
    with Ports() as own:
        yield own


@pytest.fixture(scope="module")
def ports_of_file() -> Iterator[Ports]:
    """The source of the ports of what all tests of a file share."""
    with Ports() as own:
        yield own


@pytest.fixture
def closing() -> Iterator[ExitStack]:
    """What a test has to close, whatever becomes of it."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture(scope="module")
def shared(ports_of_file: Ports) -> Iterator[Daemon]:
    """An exchange for all tests of a file that leave it as it was."""
    daemon = Daemon(ports_of_file)
    try:
        daemon.start()
        yield daemon
    finally:
        daemon.close()


NewDaemon = Callable[..., Daemon]
NewPhone = Callable[..., Phone]


@pytest.fixture
def new_daemon(ports: Ports, closing: ExitStack) -> NewDaemon:
    """Makes an exchange of the test's own, not yet started (arguments as `Daemon`)."""

    def make(**settings: Any) -> Daemon:
        daemon = Daemon(ports, **settings)
        closing.callback(daemon.close)
        return daemon

    return make


@pytest.fixture
def new_phone(closing: ExitStack) -> NewPhone:
    """Makes a phone of an exchange; with a number, it is a registered one of the first users."""

    def make(daemon: Daemon, number: str = "nobody", **more: Any) -> Phone:
        password = daemon.passwords().get(number, "")
        port = daemon.tls_port if more.get("transport") == "tls" else daemon.port
        phone = Phone(port, number, password, **more)
        closing.callback(phone.close)
        if password:
            # The next test's calls must not ring here.
            closing.callback(lambda: daemon.running and not phone.closed and phone.register(0))
            assert phone.register().status == 200
        return phone

    return make
