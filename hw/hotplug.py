"""Sound and USB devices that come and go, as udev tells it."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hw.roster import Change, Plugged, Roster, clean

log = logging.getLogger(__name__)

SUBSYSTEMS = ("sound", "usb")
UDEV = Path("/run/udev/control")
"""Is there while udev's daemon runs (libudev looks there too)."""

HUB_CLASS = "9/"
"""How the kernel's TYPE (bDeviceClass first) of a USB hub begins: the board's own, mostly."""


class NoUdev(Exception):
    """Nobody tells what is plugged in here; the text says why."""


class Hotplug:
    """Tells what sound and USB devices are there, and then which come and go.

    Args:
        tell: called with each change, on the running event loop.

    Raises:
        NoUdev: libudev or its daemon is missing.
    """

    def __init__(self, tell: Callable[[Change], None]) -> None:
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._roster = Roster()
        try:
            # Imported late: it loads libudev.
            import pyudev

            self._context = pyudev.Context()
            self._monitor = pyudev.Monitor.from_netlink(self._context)
            for subsystem in SUBSYSTEMS:
                self._monitor.filter_by(subsystem)
            # Listening first, listing after it: nothing is missed in between.
            self._monitor.start()
        except (ImportError, OSError) as error:
            raise NoUdev(str(error)) from error
        if not UDEV.exists():
            raise NoUdev("udev is not running")
        self._list()
        self._loop.add_reader(self._monitor.fileno(), self._read)

    @property
    def usb_sound(self) -> int:
        """How many sound cards on USB there are."""
        return self._roster.usb_sound

    def close(self) -> None:
        """Listen no more."""
        self._loop.remove_reader(self._monitor.fileno())
        if self._timer is not None:
            self._timer.cancel()

    def _read(self) -> None:
        now = self._loop.time()
        try:
            while (device := self._monitor.poll(timeout=0)) is not None:
                self._take(device, now)
        except OSError as error:
            # ENOBUFS: more events than the socket holds; which ones, nobody knows.
            log.info("events of udev were lost (%s): listing the devices anew", error.strerror)
            self._list()
        self._set_timer()

    def _take(self, device: Any, now: float) -> None:
        if device.action == "remove":
            self._roster.gone(device.device_path, now)
        elif (plugged := plugged_of(device)) is not None:
            self._roster.seen(device.device_path, plugged, now)

    def _list(self) -> None:
        devices = {}
        for subsystem in SUBSYSTEMS:
            for device in self._context.list_devices(subsystem=subsystem):
                if (plugged := plugged_of(device)) is not None:
                    devices[device.device_path] = plugged
        self._roster.only(devices, self._loop.time())
        self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if (deadline := self._roster.deadline) is not None:
            self._timer = self._loop.call_at(deadline, self._settle)

    def _settle(self) -> None:
        # The loop may call a clock tick early.
        now = max(self._loop.time(), self._roster.deadline or 0.0)
        changes = self._roster.settle(now)
        self._set_timer()
        for change in changes:
            self._tell(change)


def plugged_of(device: Any) -> Plugged | None:
    """Return what a device of pyudev is, None for parts of a device and for USB hubs."""
    properties = device.properties
    on_usb = "/usb" in device.device_path
    port = clean(properties.get("ID_PATH", ""))
    model = properties.get("ID_MODEL_FROM_DATABASE") or properties.get("ID_MODEL", "").replace(
        "_", " "
    )
    if device.subsystem == "sound" and device.sys_name.startswith("card"):
        name = clean(model) or clean(_attribute(device, "id")) or device.sys_name
        return Plugged("sound", name, port, on_usb)
    if (
        device.subsystem == "usb"
        and properties.get("DEVTYPE") == "usb_device"
        and not properties.get("TYPE", "").startswith(HUB_CLASS)
    ):
        name = clean(model) or clean(_attribute(device, "product")) or device.sys_name
        return Plugged("usb", name, port, on_usb)
    return None


def _attribute(device: Any, name: str) -> str:
    value: bytes | None = device.attributes.get(name)
    return (value or b"").decode(errors="replace")
