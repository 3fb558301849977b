from collections.abc import AsyncIterator, Iterator

import pytest
from gpiozero import Device
from gpiozero.pins.mock import MockFactory, MockPWMPin

from tests.hw.exchange import Office


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")


@pytest.fixture
def pins() -> Iterator[MockFactory]:
    """gpiozero's pins that are none."""
    before = Device.pin_factory
    Device.pin_factory = MockFactory(pin_class=MockPWMPin)
    yield Device.pin_factory
    Device.pin_factory.reset()
    Device.pin_factory = before


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    """An exchange that isn't there yet."""
    office = Office()
    yield office
    await office.close()
