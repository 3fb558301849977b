from collections.abc import AsyncIterator, Iterator

import pytest
from gpiozero.pins.mock import MockFactory, MockPWMPin

from tests.hw.exchange import Office
from tests.hw.mock_pins import mock_pins


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")


@pytest.fixture
def pins() -> Iterator[MockFactory]:
    """gpiozero's pins that are none."""
    with mock_pins(MockPWMPin) as factory:
        yield factory


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    """An exchange that isn't there yet."""
    office = Office()
    yield office
    await office.close()
