"""The status lamp: one LED, or the three of a colour LED, that shows a pattern."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Protocol

from hw.patterns import DARK, Colour, Pattern

log = logging.getLogger(__name__)

GAMMA = 2.2
"""An eye sees half the brightness where an LED gives a fifth of the light."""

LEAST = 0.01
"""The least light that a pin gives: lgpio knows hundredths, and cuts off the rest."""

LONGEST_REST_S = 30.0
"""How long the lamp may be left as it is: the night begins without anybody saying so."""


class Light(Protocol):
    """What gives light."""

    def set(self, red: float, green: float, blue: float) -> None:
        """Give so much of each colour, 0 to 1."""
        ...

    def close(self) -> None:
        """Go out and let go of the pins."""
        ...


class GpioLight:
    """LEDs between GPIO pins and ground, by gpiozero.

    Args:
        pins: GPIO numbers: one for an LED of any colour, three for red, green and blue.

    Raises:
        Exception: whatever the way to the pins raises where a pin can't be had.
    """

    def __init__(self, pins: tuple[int, ...]) -> None:
        # Imported late: on a machine without pins nobody needs it.
        from gpiozero import PWMLED

        self._leds = []
        try:
            for pin in pins:
                self._leds.append(PWMLED(pin))
        except Exception:
            self.close()
            raise

    def set(self, red: float, green: float, blue: float) -> None:
        """Give so much of each colour; a single LED is as bright as the strongest."""
        levels = (red, green, blue) if len(self._leds) > 1 else (max(red, green, blue),)
        for led, level in zip(self._leds, levels, strict=True):
            led.value = level

    def close(self) -> None:
        """Go out and let go of the pins."""
        for led in self._leds:
            led.close()


class Lamp:
    """Shows a pattern, and for a while another one on top of it.

    Args:
        light: what gives light.
        brightness: of the brightest moment, 0 to 1, as an eye sees it.
        is_night: whether the lamp is to be dark now.
    """

    def __init__(self, light: Light, *, brightness: float, is_night: Callable[[], bool]) -> None:
        self._light = light
        self._brightness = brightness
        self._is_night = is_night
        self._base: tuple[Pattern, float] = (DARK, 0.0)
        self._cover: tuple[Pattern, float] | None = None
        self._given: Colour | None = None
        self._changed = asyncio.Event()

    def base(self, pattern: Pattern) -> None:
        """Show `pattern` from now on; one that is shown already goes on."""
        if pattern is not self._base[0]:
            self._base = (pattern, asyncio.get_running_loop().time())
            self._changed.set()

    def cover(self, pattern: Pattern | None) -> None:
        """Show `pattern` in place of the base until it is over or None comes."""
        now = asyncio.get_running_loop().time()
        self._cover = None if pattern is None else (pattern, now)
        self._changed.set()

    async def run(self) -> None:
        """Keep the light as the pattern has it; return where the light can't be set any more."""
        loop = asyncio.get_running_loop()
        while True:
            self._changed.clear()
            try:
                rest_s = self._draw(loop.time())
            except Exception as error:
                # Each way to the pins has errors of its own; the agent goes on without a lamp.
                log.error("the lamp can no longer be set: %s", error)
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(rest_s):
                    await self._changed.wait()

    def close(self) -> None:
        """Go out."""
        self._light.close()

    def _draw(self, now: float) -> float:
        """Set the light for `now` and return how long that stays right."""
        if self._cover is not None and self._cover[0].ended(now - self._cover[1]):
            self._cover = None
        pattern, since = self._cover or self._base
        at_s = now - since
        level = 0.0 if self._is_night() and not pattern.at_night else pattern.level(at_s)
        strength = (level * self._brightness) ** GAMMA
        red, green, blue = (_visible(part * strength) for part in pattern.colour)
        if (red, green, blue) != self._given:
            self._light.set(red, green, blue)
            self._given = (red, green, blue)
        rest_s = pattern.rest_s(at_s)
        return LONGEST_REST_S if rest_s is None else min(rest_s, LONGEST_REST_S)


def _visible(light: float) -> float:
    """Return a colour's light as a pin can give it: what is lit must not be cut off to none."""
    return max(light, LEAST) if light else 0.0
