"""What phones do, each over each of its transports: the cells of the interop matrix (`matrix`)."""

import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pbx.config.data_folder import DataFolder
from tests.interop.conftest import ASTERISK_HZ as TONE_HZ
from tests.interop.conftest import EARLY_HZ, KEYS, LINES, OTHER_HZ, PASSWORD, THIRD_HZ
from tests.interop.devices import (
    AsteriskDevice,
    BaresipDevice,
    Device,
    HoldingDevice,
    LinphoneDevice,
    PjsuaDevice,
)
from tests.interop.exchange import Exchange
from tests.interop.ports import Ports
from tests.interop.starting import Starting
from tests.interop.waiting import until

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("afresh")]

BARESIP = ["baresip-udp", "baresip-tcp", "baresip-tls"]
LINPHONE = ["linphone-udp", "linphone-tcp", "linphone-tls"]
PJSUA = ["pjsua-udp", "pjsua-tcp", "pjsua-tls"]
KAMAILIO = ["Kamailio-udp", "Kamailio-tcp", "Kamailio-tls"]
"""PJSIP phones behind it."""

ASTERISK = ["Asterisk-udp", "Asterisk-tcp", "Asterisk-tls"]
ALL = [*BARESIP, *LINPHONE, *PJSUA, *KAMAILIO, *ASTERISK]


_NUMBERS = itertools.count(7501)


def _number(exchange: Exchange) -> str:
    """Return a new user of the exchange."""
    number = str(next(_NUMBERS))
    exchange.add_user(number, PASSWORD)
    return number


@pytest.fixture(scope="module")
def device(
    request: pytest.FixtureRequest,
    exchange: Exchange,
    edge_identity: DataFolder,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Device]:
    """Yield the phone under test."""
    make, _, transport = request.param.partition("-")
    if make == "Asterisk":
        yield AsteriskDevice(
            request.getfixturevalue("asterisk"), LINES[transport] + KEYS["rfc4733"]
        )
        return
    folder = tmp_path_factory.mktemp("device") / "own"
    with ExitStack() as stack:
        start = Starting(exchange, PASSWORD, stack.enter_context(Ports()), stack, edge_identity)
        yield start.phone(request.param, folder, _number(exchange), TONE_HZ)


def phones(*which: str) -> pytest.MarkDecorator:
    """Have a test done with each of these phones."""
    return pytest.mark.parametrize("device", which, indirect=True)


def _talk(device: Device, other: BaresipDevice) -> None:
    """Let the phone call the other one, until each hears the other."""
    device.dial(other.number)
    device.wait_tone(OTHER_HZ)
    other.wait_tone(TONE_HZ)


@phones(*ALL)
def test_call(
    request: pytest.FixtureRequest, exchange: Exchange, device: Device, other: BaresipDevice
) -> None:
    """It registers, calls and is called; either side hangs up."""
    (contact,) = exchange.users()[device.number].contacts
    transport = request.node.callspec.params["device"].partition("-")[2]
    assert contact.source.startswith(f"{transport} ")
    _talk(device, other)
    device.hang_up()
    other.wait("CALL_CLOSED")
    exchange.wait_idle()
    device.begin()
    other.begin()
    other.dial(device.number)
    device.wait_tone(OTHER_HZ)
    other.wait_tone(TONE_HZ)
    other.hang_up()


@phones(*BARESIP, *LINPHONE, *PJSUA, *KAMAILIO)
def test_hold(device: HoldingDevice, other: BaresipDevice) -> None:
    """It holds, and is held; who holds may go on sending, music for one."""
    _talk(device, other)
    holders: tuple[tuple[HoldingDevice, float], ...] = ((device, OTHER_HZ), (other, TONE_HZ))
    for holder, tone_hz in holders:
        holder.hold()
        holder.wait_silence(tone_hz)
        holder.resume()
        other.wait_sound(TONE_HZ)
        device.wait_sound(OTHER_HZ)
    other.hang_up()


@phones(*ALL)
def test_keys(device: Device, other: BaresipDevice) -> None:
    """As telephone-events, both ways."""
    _talk(device, other)
    device.press("15#")
    other.wait_keys("15#")
    other.press("79*")
    device.wait_keys("79*")
    device.hang_up()
    other.wait("CALL_CLOSED")


@phones(*ALL)
def test_cancel(device: Device, slow: BaresipDevice) -> None:
    """It gives up while the other phone rings."""
    device.dial(slow.number)
    slow.wait("CALL_INCOMING")
    device.hang_up()
    slow.wait("CALL_CLOSED")


@phones(*ALL)
def test_early_media(device: Device, early: PjsuaDevice) -> None:
    """It hears who has not answered yet."""
    device.dial(early.number)
    device.wait_tone(EARLY_HZ)
    assert not any(one["value"] == "CONFIRMED" for one in early.since())
    early.answer()
    early.wait_tone(TONE_HZ)
    device.hang_up()


def _are_connected(exchange: Exchange, *parties: BaresipDevice) -> None:
    """Wait until these two talk with each other, and nobody else has a call."""
    numbers = [one.number for one in parties]

    def connected() -> bool:
        calls = exchange.running_calls()
        return [(one.caller, one.called, one.state) for one in calls] == [(*numbers, "talking")]

    until("who was transferred talks", connected, why_not=exchange.why)


@phones(*ALL)
def test_blind_transfer(
    exchange: Exchange, device: Device, other: BaresipDevice, third: BaresipDevice
) -> None:
    before = len(exchange.records())
    _talk(device, other)
    device.transfer(f"sip:{third.number}@{exchange.host}")
    third.wait_tone(OTHER_HZ)
    _are_connected(exchange, other, third)
    other.wait_sound(THIRD_HZ)
    third.hang_up()
    assert exchange.wait_transferred(before)["transferredBy"] == device.number


@phones(*LINPHONE, *PJSUA, *KAMAILIO, *ASTERISK)
def test_attended_transfer(
    exchange: Exchange,
    device: LinphoneDevice | PjsuaDevice | AsteriskDevice,
    other: BaresipDevice,
    third: BaresipDevice,
) -> None:
    """By Replaces: it has talked with both."""
    before = len(exchange.records())
    _talk(device, other)
    if not isinstance(device, AsteriskDevice):
        device.hold()
        device.wait_silence(OTHER_HZ)
    device.dial(third.number)
    third.wait_tone(TONE_HZ)
    device.join()
    _are_connected(exchange, other, third)
    other.wait_sound(THIRD_HZ)
    third.wait_sound(OTHER_HZ)
    third.hang_up()
    assert exchange.wait_transferred(before)["transferredBy"] == device.number


@phones(*PJSUA, *KAMAILIO)
def test_keys_by_info(device: PjsuaDevice, other: BaresipDevice) -> None:
    """A phone that understands telephone-events gets them so."""
    _talk(device, other)
    device.press_by_info("15#")
    other.wait_keys("15#")
    device.hang_up()


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_linphones_keys_by_info(
    exchange: Exchange,
    other: BaresipDevice,
    edge_identity: DataFolder,
    tmp_path: Path,
    ports: Ports,
    closing: ExitStack,
    transport: str,
) -> None:
    start = Starting(exchange, PASSWORD, ports, closing, edge_identity)
    number = _number(exchange)
    device = LinphoneDevice(start.linphone(tmp_path / "own", number, TONE_HZ, transport, info=True))
    _talk(device, other)
    device.press("15#")
    other.wait_keys("15#")
    device.hang_up()
