"""Keys over a line, both ways, with sound going on: Asterisk as the carrier, for each form of them."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from tests.carriers.asterisk_carrier import FAR_HZ, AsteriskCarrier
from tests.carriers.office import NUMBER, TONE_HZ, Office
from tests.interop.asterisk import AsteriskCall
from tests.interop.devices import BaresipDevice
from tests.interop.waiting import until
from tests.media.keypad import keys_in

pytestmark = [pytest.mark.interop, pytest.mark.timeout(180)]

PRESSED, TOLD = "1#05", "7*79"
SLOW_S = 20.0


@pytest.fixture(params=["auto", "rfc4733", "info", "inband"])
def form(request: pytest.FixtureRequest) -> str:
    """Return the line's form of keys."""
    return str(request.param)


@pytest.fixture
def carrier(form: str, office: Office, tmp_path: Path, closing: ExitStack) -> AsteriskCarrier:
    """Return an Asterisk with that form, to which the exchange has a trunk."""
    own = AsteriskCarrier(
        tmp_path / "asterisk",
        office.ports,
        name="exchange",
        peer=office.exchange.host,
        keys="rfc4733" if form == "auto" else form,
    )
    closing.callback(own.close)
    office.trunk("carrier", own.host, dtmf=form, destination=NUMBER)
    office.wait_usable("carrier")
    return own


def exchange_keys(office: Office, phone: BaresipDevice, call: AsteriskCall) -> None:
    """Both sides press keys, one after the other; each hears of the other's once."""
    for count, key in enumerate(PRESSED, start=1):
        phone.press(key)
        wait_keys(call.keys, PRESSED[:count], call.asterisk.why)
    call.press(TOLD)
    wait_keys(phone.keys, TOLD, office.phone.why)


def wait_keys(told: Callable[[], str], keys: str, why: Callable[[], str]) -> None:
    """Wait until somebody has been told of these keys."""
    until(f"the keys {keys}", lambda: told() == keys, SLOW_S, why_not=lambda: f"{told()}\n{why()}")


def sound(call: AsteriskCall) -> np.ndarray:
    """What a call has brought Asterisk, at 48 kHz."""
    raw = (call.asterisk.folder / "heard" / f"{call.id}.sln48").read_bytes()
    return np.frombuffer(raw[: len(raw) // 2 * 2], "<i2")


def test_of_a_call_to_the_carrier(office: Office, carrier: AsteriskCarrier) -> None:
    phone = BaresipDevice(office.phone)
    heard = office.phone.heard_s(FAR_HZ)
    office.dial("9030198")
    call = carrier.called()
    office.phone.wait_heard(FAR_HZ, heard + 0.5)
    call.wait_heard(TONE_HZ, 0.5)
    exchange_keys(office, phone, call)
    # The sound goes on behind them
    call.wait_heard(TONE_HZ, call.heard_s(TONE_HZ) + 0.5)
    office.hang_up()
    call.wait_ended()
    assert (call.keys(), phone.keys()) == (PRESSED, TOLD)
    # Nothing else told of them: no tones (those that Asterisk takes for keys it takes out of the sound)
    assert keys_in(sound(call)[::6], 8000) == []
    # Nor events that nobody had agreed on
    assert "Unknown RTP codec" not in carrier.why()


def test_of_a_call_from_the_carrier(office: Office, carrier: AsteriskCarrier) -> None:
    phone = BaresipDevice(office.phone)
    heard = office.phone.heard_s(FAR_HZ)
    call = carrier.talk("491719", NUMBER)
    call.wait_talking()
    office.phone.wait_heard(FAR_HZ, heard + 0.5)
    call.wait_heard(TONE_HZ, 0.5)
    exchange_keys(office, phone, call)
    office.hang_up()
    call.wait_ended()
    assert (call.keys(), phone.keys()) == (PRESSED, TOLD)
