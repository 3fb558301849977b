"""gpiozero's pins that are none, for as long as they are wanted."""

import contextlib
from collections.abc import Iterator

from gpiozero import Device
from gpiozero.pins.mock import MockFactory, MockPWMPin


@contextlib.contextmanager
def mock_pins(kind: type[MockPWMPin]) -> Iterator[MockFactory]:
    """Have gpiozero use mock pins of a kind."""
    before = Device.pin_factory
    Device.pin_factory = MockFactory(pin_class=kind)
    yield Device.pin_factory
    Device.pin_factory.reset()
    Device.pin_factory = before
