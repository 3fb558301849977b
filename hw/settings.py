"""The agent's settings file, `hardware.toml`: every setting is optional."""

import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from hw.locale import say
from pbx.errors import StartError
from pbx.locale import LANGUAGES
from pbx.locale import say as say_of_exchange
from pbx.locale.decoding import fault_of_settings

FIRST_PIN, LAST_PIN = 2, 27
"""The header's GPIO numbers; 0 and 1 belong to the EEPROM of HATs."""

MINUTES = 24 * 60

_NIGHT = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Night:
    """The hours in which the lamp is dark, in minutes after midnight, local time."""

    first: int = 0
    last: int = 0

    def holds(self, minute: int) -> bool:
        """Whether it is night at that minute of the day."""
        return (minute - self.first) % MINUTES < (self.last - self.first) % MINUTES


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole of `hardware.toml`.

    Args:
        led_pins: GPIO numbers: one for a lamp of one colour, three for red, green and blue; empty
            for no lamp.
        led_brightness: of the brightest moment, 0 to 1.
        night: when the lamp is dark, as ``22:00-06:00``; empty for never.
        button_pin: GPIO number; 0 for no button.
        shutdown_command: what shuts the machine down.
        language: ``en``, ``zh``, or empty for the environment's.
    """

    led_pins: tuple[int, ...] = (23,)
    led_brightness: float = 0.7
    night: str = ""
    button_pin: int = 26
    shutdown_command: str = "touch /run/minisipserver-hw/poweroff"
    language: str = ""

    @property
    def dark_hours(self) -> Night:
        """`night` as times."""
        match = _NIGHT.fullmatch(self.night)
        if match is None:
            return Night()
        hour, minute, last_hour, last_minute = map(int, match.groups())
        return Night(hour * 60 + minute, last_hour * 60 + last_minute)


def read_settings(path: Path) -> Settings:
    """Return the settings of the file at `path`; the defaults where there is none.

    Raises:
        StartError: with the file's name and, where it can be told, the setting that is wrong.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return Settings()
    except OSError as error:
        why = error.strerror or error
        sentence = say_of_exchange("cannot-read-settings", path=path, why=why)
        raise StartError(sentence, os.EX_CONFIG) from error
    try:
        settings = msgspec.toml.decode(text, type=Settings)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _bad(path, fault_of_settings(str(error))) from error
    for why in _faults(settings):
        raise _bad(path, why)
    return settings


def _bad(path: Path, why: str) -> StartError:
    return StartError(say_of_exchange("bad-settings", path=path, why=why), os.EX_CONFIG)


def _faults(settings: Settings) -> Iterator[str]:
    """Yield a sentence for each thing that is wrong, each naming its setting."""
    if len(settings.led_pins) not in (0, 1, 3):
        yield say("setting-led-pins", count=len(settings.led_pins))
    for index, pin in enumerate(settings.led_pins):
        yield from _range(f"led_pins[{index}]", pin, FIRST_PIN, LAST_PIN)
    if settings.button_pin:
        yield from _range("button_pin", settings.button_pin, FIRST_PIN, LAST_PIN)
    pins = (*settings.led_pins, settings.button_pin)
    if len(set(pins)) < len(pins):
        yield say("setting-pin-twice")
    yield from _range("led_brightness", settings.led_brightness, 0, 1)
    if settings.night and _NIGHT.fullmatch(settings.night) is None:
        yield say("setting-night", value=settings.night)
    try:
        argv = shlex.split(settings.shutdown_command)
    except ValueError:
        argv = []
    if not argv:
        yield say("setting-command")
    if settings.language not in ("", *LANGUAGES):
        listed = ", ".join(f"'{choice}'" for choice in ("", *LANGUAGES))
        yield say_of_exchange(
            "setting-choice", setting="language", value=settings.language, choices=listed
        )


def _range(setting: str, value: float, least: float, most: float) -> Iterator[str]:
    # TOML's nan is in no range.
    if not least <= value <= most:
        yield say_of_exchange("setting-range", setting=setting, value=value, least=least, most=most)
