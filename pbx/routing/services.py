"""Which service of the exchange's own a dialled number means."""

import re

import msgspec

from pbx.config.settings import ServiceSettings


class ServiceNumber(msgspec.Struct, frozen=True):
    """A service, as it was dialled.

    Args:
        kind: which: ``echo``, ``milliwatt``, ``music``, ``recorder`` or ``conference``.
        number: what was dialled, without the password.
        room: of a conference: digits.
        password: of its room; empty for none.
    """

    kind: str
    number: str
    room: str = ""
    password: str = ""

    @property
    def title(self) -> str:
        """What it is, in a word or two."""
        return f"conference room {self.room}" if self.room else self.kind


def shown(services: ServiceSettings, dialed: str) -> str:
    """Return what was dialled as people and records may see it: without the password of a room.

    A mistyped room has none, but what stands behind it is the password all the same.
    """
    prefix = services.numbers.get("conference", "")
    if not prefix or not dialed.startswith(prefix):
        return dialed
    room, star, _ = dialed.removeprefix(prefix).partition("*")
    return f"{prefix}{room}*xxxx" if star else dialed


def service_of(services: ServiceSettings, dialed: str) -> ServiceNumber | None:
    """Return the service that `dialed` means; None for none."""
    for kind, number in services.numbers.items():
        if kind == "conference":
            room = re.fullmatch(re.escape(number) + r"([0-9]+)(?:\*([0-9]+))?", dialed, re.ASCII)
            if room:
                name, password = room[1], room[2] or ""
                return ServiceNumber(kind, f"{number}{name}", name, password)
        elif number == dialed:
            return ServiceNumber(kind, number)
    return None
