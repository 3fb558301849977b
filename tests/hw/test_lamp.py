"""The lamp on gpiozero's mock pins."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import pytest
from gpiozero.pins.mock import MockFactory, MockPWMPin

from hw.leds import GpioLight, Lamp
from hw.patterns import PATTERNS, PRESSED, Pattern, Step
from hw.state import State
from tests.hw.mock_pins import mock_pins
from tests.hw.waiting import until

QUICK = Pattern((Step(0.05, 1.0, 1.0), Step(0.05, 0.0, 0.0)), (1.0, 0.5, 0.0))
ONCE = Pattern((Step(0.1, 1.0, 1.0),), repeats=False)
RISING = Pattern((Step(1.0, 0.0, 1.0),))


class Sky:
    """Whether it is night."""

    dark = False


@contextlib.asynccontextmanager
async def shining(pins: tuple[int, ...], brightness: float = 1.0) -> AsyncIterator[Lamp]:
    lamp = Lamp(GpioLight(pins), brightness=brightness, is_night=lambda: Sky.dark)
    task = asyncio.create_task(lamp.run())
    yield lamp
    task.cancel()
    lamp.close()


@pytest.fixture(autouse=True)
def _day() -> Iterator[None]:
    Sky.dark = False
    yield
    Sky.dark = False


async def test_one_led_blinks(pins: MockFactory) -> None:
    pin = pins.pin(23)
    async with shining((23,)) as lamp:
        lamp.base(QUICK)
        await until("three flashes", lambda: [s.state for s in pin.states].count(1.0) >= 3)
        levels = [state.state for state in pin.states]
        assert set(levels) == {0.0, 1.0}
        assert all(a != b for a, b in zip(levels[1:], levels[2:], strict=False))
    assert pin.state == 0


async def test_three_leds_have_the_colour(pins: MockFactory) -> None:
    async with shining((23, 24, 25)) as lamp:
        lamp.base(QUICK)
        await until("light", lambda: pins.pin(23).state == 1.0)
        assert pins.pin(24).state == pytest.approx(0.5)
        assert pins.pin(25).state == 0.0


async def test_brightness_is_as_an_eye_sees_it(pins: MockFactory) -> None:
    async with shining((23,), brightness=0.5) as lamp:
        lamp.base(PRESSED)
        await until("light", lambda: pins.pin(23).state > 0)
        assert pins.pin(23).state == pytest.approx(0.22, abs=0.01)


class HundredthsPin(MockPWMPin):  # type: ignore[misc]
    """A pin as lgpio has it, which knows a hundred steps and cuts off what lies between them."""

    def _set_state(self, value: float) -> None:
        super()._set_state(int(value * 100) / 100)


@pytest.fixture
def hundredths() -> Iterator[MockFactory]:
    """Pins as lgpio has them."""
    with mock_pins(HundredthsPin) as factory:
        yield factory


async def test_a_faint_lamp_is_lit_between_its_winks(hundredths: MockFactory) -> None:
    pin = hundredths.pin(23)
    async with shining((23,), brightness=0.35) as lamp:
        lamp.base(PATTERNS[State.READY])
        await until("a wink, and its end", lambda: len(pin.states) > 2)
        assert 0 < pin.state < pin.states[1].state


async def test_a_faint_colour_lamp_keeps_its_colour(hundredths: MockFactory) -> None:
    async with shining((23, 24, 25), brightness=0.1) as lamp:
        lamp.base(PATTERNS[State.NO_NETWORK])
        await until("amber's red", lambda: hundredths.pin(23).state > 0)
        assert hundredths.pin(24).state > 0
        assert hundredths.pin(25).state == 0


async def test_no_brightness_is_no_light(hundredths: MockFactory) -> None:
    async with shining((23,), brightness=0.0) as lamp:
        lamp.base(PRESSED)
        await until("it was drawn", lambda: lamp._given == (0.0, 0.0, 0.0))
        assert hundredths.pin(23).state == 0


async def test_gliding_takes_small_steps(pins: MockFactory) -> None:
    async with shining((23,)) as lamp:
        lamp.base(RISING)
        await until("nearly full", lambda: pins.pin(23).state > 0.7)
        levels = [state.state for state in pins.pin(23).states[1:]]
        assert levels == sorted(levels)
        assert len(levels) > 4


async def test_a_cover_ends_and_the_base_goes_on(pins: MockFactory) -> None:
    pin = pins.pin(23)
    async with shining((23,)) as lamp:
        lamp.cover(ONCE)
        await until("the cover", lambda: pin.state == 1.0)
        await until("the dark base", lambda: pin.state == 0.0)
        lamp.cover(PRESSED)
        await until("the echo", lambda: pin.state == 1.0)
        lamp.cover(None)
        await until("the dark base again", lambda: pin.state == 0.0)


async def test_dark_at_night_but_for_what_a_person_asks_for(pins: MockFactory) -> None:
    pin = pins.pin(23)
    Sky.dark = True
    async with shining((23,)) as lamp:
        lamp.base(PATTERNS[State.READY])
        lamp.cover(PRESSED)
        await until("the echo", lambda: pin.state == 1.0)
        lamp.cover(None)
        await until("the night", lambda: pin.state == 0.0)
        Sky.dark = False
        lamp.base(PATTERNS[State.FAILED])
        await until("the day", lambda: pin.state == 1.0)


async def test_the_same_pattern_again_goes_on_where_it_was(pins: MockFactory) -> None:
    async with shining((23,)) as lamp:
        lamp.base(RISING)
        await until("the middle", lambda: pins.pin(23).state > 0.3)
        reached = pins.pin(23).state
        lamp.base(RISING)
        await until("the next frame", lambda: pins.pin(23).state != reached)
        assert pins.pin(23).state > reached


async def test_a_light_that_fails_ends_the_lamp_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken:
        def set(self, red: float, green: float, blue: float) -> None:
            raise RuntimeError("bad handle")

        def close(self) -> None:
            pass

    lamp = Lamp(Broken(), brightness=1.0, is_night=lambda: False)
    await asyncio.wait_for(lamp.run(), 10)
    assert "the lamp can no longer be set: bad handle" in caplog.text


async def test_a_pin_that_is_taken_frees_the_others(pins: MockFactory) -> None:
    first = GpioLight((24,))
    with pytest.raises(Exception, match="GPIO24"):
        GpioLight((23, 24, 25))
    GpioLight((23,)).close()
    first.close()
