"""Fixtures of the tests with carriers that we did not write."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pbx.config.data_folder import DataFolder
from tests.carriers import steps
from tests.carriers.asterisk_carrier import AsteriskCarrier
from tests.carriers.ims import Ims, Subscription
from tests.carriers.nat import HomeNetwork, NoNat
from tests.carriers.odd import OddCarrier
from tests.carriers.office import NUMBER, PASSWORD, SECOND, TONE_HZ, Office
from tests.interop.baresip import Baresip
from tests.interop.conftest import (
    closing,
    edge_identity,
    new_exchange,
    new_phone,
    ports,
    pytest_runtest_makereport,
)
from tests.interop.devices import HoldingDevice, PjsuaDevice
from tests.interop.exchange import Exchange
from tests.interop.pjsua_talker import PjsuaTalker
from tests.interop.ports import Ports
from tests.interop.starting import Starting
from tests.net.zone import NameServer, Zone

__all__ = [
    "closing",
    "edge_identity",
    "new_exchange",
    "new_phone",
    "ports",
    "pytest_runtest_makereport",
]


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
            stack.enter_context(Ports()),
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
    with Ports() as ports:
        own = Baresip(
            tmp_path_factory.mktemp("phone") / "own",
            ports,
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


ACCOUNT = "4930555"
"""Of the line that `telco` is the carrier of."""

_NUMBERS = itertools.count(210)


@pytest.fixture
def new_device(
    exchange: Exchange, edge_identity: DataFolder, tmp_path: Path, ports: Ports, closing: ExitStack
) -> Callable[[str, float], HoldingDevice]:
    """Return a function that starts a phone of a make, of a new user: ``new_device("pjsua", 880)``."""

    def start(make: str, tone_hz: float) -> HoldingDevice:
        number = str(next(_NUMBERS))
        exchange.add_user(number, PASSWORD)
        starting = Starting(exchange, PASSWORD, ports, closing, edge_identity)
        phone = starting.phone(f"{make}-udp", tmp_path / f"{make}{number}", number, tone_hz)
        assert isinstance(phone, HoldingDevice)
        return phone

    return start


@pytest.fixture
def telco(office: Office, tmp_path: Path, closing: ExitStack) -> AsteriskCarrier:
    """Return Asterisk as the carrier of the line `telco`, whose calls go to the office's phone."""
    own = AsteriskCarrier(tmp_path / "telco", office.ports, name=ACCOUNT)
    closing.callback(own.close)
    office.line("telco", server=own.host, user=ACCOUNT, password="secret", destination=NUMBER)
    own.wait("ContactStatus", 30, AOR=ACCOUNT)
    office.wait_usable("telco")
    return own


PEER, PEER_HZ = "030777", 1320.0
"""The number of `peer`, and what it plays."""


@pytest.fixture
def peer(office: Office, tmp_path: Path, closing: ExitStack) -> PjsuaDevice:
    """Return PJSIP as the peer of the trunk `peer`."""
    own = PjsuaTalker(
        tmp_path / "peer",
        office.ports,
        number=PEER,
        password="",
        server=office.exchange.host,
        tone_hz=PEER_HZ,
        expecting=0,
        peer="yes",
    )
    closing.callback(own.close)
    # A trunk that doesn't answer in time isn't asked again soon
    own.wait("ready", True, 60)
    office.trunk("peer", own.own)
    office.wait_usable("peer")
    return PjsuaDevice(own)


CALLED = "+4930123456"
"""A number of the telephone network behind the IMS."""


@pytest.fixture
def subscription() -> Subscription:
    """Return whom the IMS serves."""
    return Subscription()


@pytest.fixture
def far(tmp_path: Path, ports: Ports, closing: ExitStack) -> OddCarrier:
    """Return the telephone network behind the IMS: it demands 100rel, and wants its PRACK."""
    text = steps.carrier(*steps.demanding("Supported:", "100rel", "421 No"), *steps.reliable())
    return OddCarrier(tmp_path, ports, text, closing, address="127.0.0.24", name="far", user=CALLED)


@pytest.fixture(params=["udp", "tcp"])
def ims(
    request: pytest.FixtureRequest,
    office: Office,
    subscription: Subscription,
    far: OddCarrier,
    tmp_path: Path,
    closing: ExitStack,
) -> Ims:
    """Return an IMS with which the exchange's line `ims` is registered, by each transport."""
    own = Ims(tmp_path / "ims", office.ports, subscription, far.host, min_se_s=2400)
    closing.callback(own.close)
    office.line(
        "ims",
        server=subscription.domain,
        proxy=own.proxy,
        transport=request.param,
        user=subscription.user,
        auth_name=subscription.auth_name,
        password=subscription.password,
        identity="ppi",
        country="86",
        number_format="+e164",
        caller_format="+e164",
        did_from=["p-called-party-id", "request-uri"],
    )
    office.plan(
        incoming=[
            {"line": "ims", "did": subscription.second, "destination": NUMBER},
            {"line": "ims", "destination": "299"},
        ]
    )
    own.wait_registered()
    office.wait_usable("ims")
    return own


@pytest.fixture
def network(closing: ExitStack) -> HomeNetwork:
    """Return networks of the kernel's, with the test in one of them."""
    try:
        return HomeNetwork(closing)
    except NoNat as reason:
        pytest.skip(f"no NAT on this machine: {reason}")
