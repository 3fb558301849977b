"""Fixtures of the tests with programs that we did not write; see README.md for what they need."""

import itertools
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pbx.config.data_folder import DataFolder
from pbx.config.settings import TlsSettings
from pbx.net.certificate import own_identity
from tests import tables
from tests.interop.asterisk import Asterisk
from tests.interop.asterisk_conf import Line
from tests.interop.baresip import Baresip
from tests.interop.devices import BaresipDevice, PjsuaDevice
from tests.interop.exchange import Exchange
from tests.interop.linphone import Linphone
from tests.interop.long_calls import LongCalls
from tests.interop.mariadb import MariaDb
from tests.interop.matrix import summary
from tests.interop.phones import Phones, Users
from tests.interop.pjsua_chat import PjsuaChat
from tests.interop.pjsua_talker import PjsuaTalker
from tests.interop.ports import Ports


@pytest.fixture
def ports() -> Iterator[Ports]:
    """Yield the test's source of free ports."""
    with Ports() as own:
        yield own


@pytest.fixture(scope="session")
def edge_identity(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    """Return a folder with key and certificate of a proxy at 127.0.0.4."""
    made = DataFolder(tmp_path_factory.mktemp("edge"))
    own_identity(TlsSettings(), made, ["127.0.0.4"])
    return made


@pytest.fixture(scope="session")
def exchange(
    tmp_path_factory: pytest.TempPathFactory, edge_identity: DataFolder
) -> Iterator[Exchange]:
    """Yield an exchange that the well-behaved tests share."""
    with ExitStack() as stack:
        trusts = f'[tls]\nauthorities = "{edge_identity.tls}/certificate.pem"'
        shared = Exchange(
            tmp_path_factory.mktemp("exchange"), stack.enter_context(Ports()), top=trusts
        )
        stack.callback(shared.close)
        shared.start()
        yield shared


@pytest.fixture(scope="session")
def long_calls(
    tmp_path_factory: pytest.TempPathFactory, edge_identity: DataFolder
) -> Iterator[LongCalls]:
    """Yield calls that go on beside the other tests."""
    calls = LongCalls(tmp_path_factory.mktemp("long"), edge_identity)
    yield calls
    calls.close()


@pytest.fixture(scope="session", autouse=True)
def begin_early(request: pytest.FixtureRequest) -> None:
    """Begin what takes longest before the first test, if any will want it."""
    if any("long_calls" in getattr(item, "fixturenames", ()) for item in request.session.items):
        request.getfixturevalue("long_calls")


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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the interop matrix, where ``./build.sh test interop`` asks for it."""
    if tables.asked_for("interop"):
        became = tables.outcomes(terminalreporter, "tests/interop")
        tables.show(terminalreporter, "interop matrix", summary(became))


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


@pytest.fixture
def database(tmp_path: Path, ports: Ports, closing: ExitStack) -> MariaDb:
    """Return a MariaDB of the test's own, started; it may be stopped and started again."""
    own = MariaDb(tmp_path / "mariadb", ports.one())
    closing.callback(own.stop)
    own.start()
    return own


PASSWORD = "secret"
"""Of every user that a test adds."""

NewPhone = Callable[..., Baresip]
"""What `new_phone` returns."""

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
    request: pytest.FixtureRequest,
    exchange: Exchange,
    users: Users,
    tmp_path: Path,
    ports: Ports,
    closing: ExitStack,
) -> Phones:
    """Return what makes sipp phones of the shared exchange; the parameter is their transport."""
    transport = getattr(request, "param", "udp")
    return Phones(exchange, users, tmp_path, ports, closing, transport)


@pytest.fixture
def phones_of(tmp_path: Path, ports: Ports, closing: ExitStack) -> Callable[..., Phones]:
    """Return a function that makes sipp phones of an exchange of the test's own: 110 calls 111."""

    def of(exchange: Exchange, transport: str = "udp") -> Phones:
        exchange.add_user("110", PASSWORD)
        exchange.add_user("111", PASSWORD)
        users = Users("110", "111", PASSWORD)
        return Phones(exchange, users, tmp_path, ports, closing, transport)

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


@pytest.fixture
def new_chat(tmp_path: Path, ports: Ports, closing: ExitStack) -> Callable[..., PjsuaChat]:
    """Return a function that starts a registered pjsua2."""

    def start(number: str, exchange: Exchange, **more: Any) -> PjsuaChat:
        return PjsuaChat(
            tmp_path / "pjsua",
            ports,
            number=number,
            password=PASSWORD,
            server=exchange.host,
            closing=closing,
            **more,
        )

    return start


OTHER_HZ, THIRD_HZ, EARLY_HZ = 880.0, 1320.0, 660.0
"""What the phones that a session's tests share play."""


@pytest.fixture
def new_other(exchange: Exchange, new_phone: NewPhone) -> Callable[..., BaresipDevice]:
    """Return a function that starts whom a phone under test talks with, of a new user."""

    def start(tone_hz: float, **more: Any) -> BaresipDevice:
        number = str(next(_OTHERS))
        exchange.add_user(number, PASSWORD)
        return BaresipDevice(new_phone(number, exchange.host, tone_hz, **more))

    return start


_OTHERS = itertools.count(7001)


@pytest.fixture
def other(new_other: Callable[..., BaresipDevice]) -> BaresipDevice:
    """Return whom the phone under test talks with."""
    return new_other(OTHER_HZ)


@pytest.fixture
def third(new_other: Callable[..., BaresipDevice]) -> BaresipDevice:
    """Return whom a call is transferred to."""
    return new_other(THIRD_HZ)


@pytest.fixture
def slow(new_other: Callable[..., BaresipDevice]) -> BaresipDevice:
    """Return a phone that nobody answers."""
    return new_other(THIRD_HZ, answer="manual")


@pytest.fixture(scope="session")
def early(exchange: Exchange, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PjsuaDevice]:
    """Yield a phone that is heard before it answers, which it does when it is told to."""
    exchange.add_user("7000", PASSWORD)
    with Ports() as ports:
        phone = PjsuaTalker(
            tmp_path_factory.mktemp("early") / "own",
            ports,
            number="7000",
            password=PASSWORD,
            server=exchange.host,
            tone_hz=EARLY_HZ,
            patient=True,
        )
        yield PjsuaDevice(phone)
        phone.close()


@pytest.fixture
def afresh(request: pytest.FixtureRequest, exchange: Exchange) -> Iterator[None]:
    """Have each phone of the test forget the calls before; none is left after it."""
    for name in ("device", "early"):
        if name in request.fixturenames:
            request.getfixturevalue(name).begin()
    yield
    try:
        exchange.wait_idle()
    except AssertionError:
        # The next test is to tell of itself
        for call in exchange.running_calls():
            exchange.call("hangup", call=call.id)
        raise
    exchange.assert_sane()


LINES = {"udp": "810", "tcp": "820", "tls": "830"}
"""How the numbers of Asterisk's lines begin."""

KEYS = {"rfc4733": "1", "info": "2", "inband": "3"}
"""How they end, by how the line sends keys."""

ASTERISK_HZ = 440.0


@pytest.fixture(scope="session")
def asterisk(exchange: Exchange, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asterisk]:
    """Yield an Asterisk with a line for each transport and each way to send keys."""
    lines = [
        Line(first + last, PASSWORD, transport, keys)
        for transport, first in LINES.items()
        for keys, last in KEYS.items()
    ]
    for line in lines:
        exchange.add_user(line.number, PASSWORD)
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("asterisk") / "own"
        own = Asterisk(folder, stack.enter_context(Ports()), exchange, lines, ASTERISK_HZ)
        stack.callback(own.close)
        yield own
