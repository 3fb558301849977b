"""What is plugged in: the changes that are worth telling, once each has settled."""

from dataclasses import dataclass

SETTLE_S = 1.5
"""How long after its last event a device is taken to be as it will stay.

A sound card's name comes half a second after the card, and a plug that is pushed in slowly makes
contact more than once.
"""

NAME_LIMIT = 80
"""Characters of a device's name; what it calls itself is its own choice."""


@dataclass(frozen=True, slots=True)
class Plugged:
    """A device.

    Args:
        kind: ``sound`` or ``usb``.
        name: what it calls itself.
        port: where it is plugged in, as udev names it (``ID_PATH``); may be empty.
        on_usb: whether it hangs on USB.
    """

    kind: str
    name: str
    port: str
    on_usb: bool


@dataclass(frozen=True, slots=True)
class Change:
    """A device came or went: `event` is ``added`` or ``removed``."""

    event: str
    device: Plugged


class Roster:
    """The devices that are there and those that have been told of; times in, changes out.

    A device is known by its path in the kernel's tree, which names the port as well.
    """

    def __init__(self) -> None:
        self._here: dict[str, Plugged] = {}
        self._told: dict[str, Plugged] = {}
        self._due: dict[str, float] = {}

    @property
    def deadline(self) -> float | None:
        """When `settle` is to be called."""
        return min(self._due.values(), default=None)

    @property
    def usb_sound(self) -> int:
        """How many sound cards on USB have been told of."""
        return sum(device.kind == "sound" and device.on_usb for device in self._told.values())

    def seen(self, path: str, device: Plugged, now: float) -> None:
        """A device is there, perhaps with a better name than before."""
        self._here[path] = device
        self._due[path] = now + SETTLE_S

    def gone(self, path: str, now: float) -> None:
        """A device is there no more."""
        if self._here.pop(path, None) is not None:
            self._due[path] = now + SETTLE_S

    def only(self, devices: dict[str, Plugged], now: float) -> None:
        """Exactly these devices are there: events have been lost, or nothing was known yet."""
        for path in self._here.keys() - devices.keys():
            self.gone(path, now)
        for path, device in devices.items():
            if self._here.get(path) != device:
                self.seen(path, device, now)

    def settle(self, now: float) -> list[Change]:
        """Return what has changed for those devices of which nothing new has come for a while."""
        changes = []
        for path in sorted(path for path, due in self._due.items() if due <= now):
            del self._due[path]
            told, here = self._told.pop(path, None), self._here.get(path)
            if here is not None:
                self._told[path] = here
            if told is not None and here is None:
                changes.append(Change("removed", told))
            elif told is None and here is not None:
                changes.append(Change("added", here))
        return changes


def clean(name: str) -> str:
    """Return a name that a device gives itself without what could harm a log or a terminal."""
    text = "".join(one if one.isprintable() else " " for one in name)
    return " ".join(text.split())[:NAME_LIMIT]
