"""Plugging in and pulling out, by events in the form in which udev's daemon sends them.

The agent runs in namespaces of its own, so that this machine's udev neither hears nor disturbs it.
"""

import asyncio
import contextlib
import errno
import json
import os
import shlex
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from hw import hotplug
from hw.hotplug import Hotplug, NoUdev
from hw.roster import Change, Plugged
from tests.hw.exchange import Office
from tests.hw.waiting import until

CARD = "/devices/platform/xhci/usb1/1-1/1-1:1.0/sound/card1"
STICK = "/devices/platform/xhci/usb1/1-2"
UDEV_RUNS = "mount -t tmpfs none /run && mkdir /run/udev && touch /run/udev/control"


class Machine:
    """Where the agent runs, and things are plugged in."""

    def __init__(
        self, agent: asyncio.subprocess.Process, events: asyncio.subprocess.Process
    ) -> None:
        self.agent = agent
        self._events = events
        self._number = 1000

    async def event(self, action: str, path: str, subsystem: str, **properties: str) -> None:
        """Have udev's daemon send an event."""
        self._number += 1
        whole = {
            "ACTION": action,
            "DEVPATH": path,
            "SUBSYSTEM": subsystem,
            "SEQNUM": str(self._number),
            **properties,
        }
        assert self._events.stdin is not None
        self._events.stdin.write(json.dumps(whole).encode() + b"\n")
        await self._events.stdin.drain()

    async def plug_in_sound(self, path: str, name: str, port: str) -> None:
        """Plug in a sound card: its name comes with 'change', not with 'add'."""
        await self.event("add", path, "sound")
        await self.event("add", f"{path}/pcmC1D0p", "sound", DEVNAME="/dev/snd/pcmC1D0p")
        await self.event("change", path, "sound", ID_MODEL=name, ID_PATH=port)


@contextlib.asynccontextmanager
async def machine(office: Office, board: Path) -> AsyncIterator[Machine]:
    agent_argv = [sys.executable, "-m", "tests.hw.agent_process", str(board), str(office.socket)]
    agent = await asyncio.create_subprocess_exec(
        "unshare", "-rmn", "sh", "-c", f"{UDEV_RUNS} && exec {shlex.join(agent_argv)}",
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        await until("the agent watches", lambda: "watch" in office.exchange.asked)
        events = await asyncio.create_subprocess_exec(
            "nsenter", "-t", str(agent.pid), "-U", "-n", "--preserve-credentials",
            sys.executable, "-m", "tests.hw.udev_events",
            stdin=asyncio.subprocess.PIPE,
        )  # fmt: skip
        yield Machine(agent, events)
        assert events.stdin is not None
        events.stdin.close()
        assert await asyncio.wait_for(events.wait(), 20) == 0
        agent.terminate()
        _, said = await asyncio.wait_for(agent.communicate(), 20)
        assert agent.returncode == 0, said.decode()
        assert b"not seeing what is plugged in" not in said
    finally:
        if agent.returncode is None:
            agent.kill()
            await agent.wait()


async def noted(office: Office, *note: str) -> None:
    await until(
        f"the note {note} of {office.exchange.notes}", lambda: note in office.exchange.notes
    )


async def test_plugged_in_and_pulled_out(office: Office, tmp_path: Path) -> None:
    await office.open()
    async with machine(office, tmp_path) as pi:
        await pi.plug_in_sound(CARD, "USB_Audio_Device", "platform-xhci-usb-0:1:1.0")
        await noted(office, "sound", "added", "USB Audio Device", "platform-xhci-usb-0:1:1.0")
        await pi.event("remove", CARD, "sound")
        await noted(office, "sound", "removed", "USB Audio Device", "platform-xhci-usb-0:1:1.0")
        # A hub, an interface of a device, and another subsystem are nobody's business.
        await pi.event("add", STICK, "usb", DEVTYPE="usb_device", TYPE="9/0/1", ID_MODEL="Hub")
        await pi.event("add", f"{STICK}/1-2:1.0", "usb", DEVTYPE="usb_interface", ID_MODEL="X")
        await pi.event("add", "/devices/virtual/net/eth9", "net", ID_MODEL="Net")
        await pi.event(
            "add", f"{STICK}.1", "usb", DEVTYPE="usb_device", TYPE="0/0/0", ID_MODEL="Evil\x1b[2J"
        )
        await noted(office, "usb", "added", "Evil [2J", "")
    assert len(office.exchange.notes) == 3


async def test_a_loose_plug_is_noted_once(office: Office, tmp_path: Path) -> None:
    await office.open()
    async with machine(office, tmp_path) as pi:
        for _ in range(5):
            await pi.plug_in_sound(CARD, "Loose", "p1")
            await pi.event("remove", CARD, "sound")
        await pi.plug_in_sound(CARD, "Loose", "p1")
        await noted(office, "sound", "added", "Loose", "p1")
        await pi.event("remove", CARD, "sound")
        await noted(office, "sound", "removed", "Loose", "p1")
    assert len(office.exchange.notes) == 2


async def test_two_usb_sound_adapters_are_too_many_for_a_pi_4(
    office: Office, tmp_path: Path
) -> None:
    model = tmp_path / "proc/device-tree/model"
    model.parent.mkdir(parents=True)
    model.write_text("Raspberry Pi 4 Model B Rev 1.4\0")
    other = CARD.replace("1-1", "1-3").replace("card1", "card2")
    await office.open()
    async with machine(office, tmp_path) as pi:
        await pi.plug_in_sound(CARD, "One", "p1")
        await pi.plug_in_sound(other, "Two", "p2")
        words = "2 USB sound adapters, of which this model serves only one reliably"
        await noted(office, "sound", "warning", words, "")


async def test_what_was_plugged_in_while_the_exchange_was_away_is_noted(
    office: Office, tmp_path: Path
) -> None:
    await office.open()
    async with machine(office, tmp_path) as pi:
        await office.shut()
        await pi.plug_in_sound(CARD, "Late", "p1")
        await office.open()
        await noted(office, "sound", "added", "Late", "p1")


class FakeMonitor:
    """A monitor whose socket is a pipe: an octet for each event."""

    def __init__(self) -> None:
        self.read_end, self.write_end = os.pipe2(os.O_NONBLOCK)
        self.events: list[object] = []

    def fileno(self) -> int:
        return self.read_end

    def filter_by(self, subsystem: str) -> None:
        """All events are wanted."""

    def start(self) -> None:
        """It listens already."""

    def close(self) -> None:
        os.close(self.read_end)
        os.close(self.write_end)

    def poll(self, timeout: float) -> object:
        try:
            os.read(self.read_end, 1)
        except BlockingIOError:
            return None
        event = self.events.pop(0)
        if isinstance(event, OSError):
            raise event
        return event


def device(
    path: str, subsystem: str = "sound", action: str | None = None, **properties: str
) -> object:
    return SimpleNamespace(
        action=action,
        device_path=path,
        sys_name=path.rpartition("/")[2],
        subsystem=subsystem,
        properties=properties,
        attributes={"id": b"Headphones", "product": b"Stick\n"},
    )


@pytest.fixture
def udev(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """pyudev with devices of ours."""
    import pyudev

    there = SimpleNamespace(monitor=FakeMonitor(), devices=[])
    context = SimpleNamespace(
        list_devices=lambda subsystem: [one for one in there.devices if one.subsystem == subsystem]
    )
    monkeypatch.setattr(pyudev, "Context", lambda: context)
    monkeypatch.setattr(pyudev.Monitor, "from_netlink", lambda _: there.monitor)
    monkeypatch.setattr(hotplug, "UDEV", tmp_path)
    monkeypatch.setattr("hw.roster.SETTLE_S", 0.05)
    yield there
    there.monitor.close()


async def test_what_is_there_at_the_start_and_what_differs_after_lost_events(
    udev: SimpleNamespace,
) -> None:
    told: list[Change] = []
    udev.devices = [device(CARD), device(STICK, "usb", DEVTYPE="usb_device")]
    watching = Hotplug(told.append)
    card = Plugged("sound", "Headphones", "", True)
    stick = Plugged("usb", "Stick", "", True)
    await until("both", lambda: len(told) == 2)
    assert set(told) == {Change("added", card), Change("added", stick)}
    assert watching.usb_sound == 1
    del udev.devices[0]
    udev.monitor.events.append(OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS)))
    os.write(udev.monitor.write_end, b".")
    await until("the difference", lambda: len(told) == 3)
    assert told[2] == Change("removed", card)
    watching.close()


async def test_without_udevs_daemon_that_is_said(
    udev: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hotplug, "UDEV", tmp_path / "absent")
    with pytest.raises(NoUdev, match="udev is not running"):
        Hotplug(lambda _: None)


async def test_without_libudev_that_is_said(
    udev: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise ImportError("No library named udev")

    monkeypatch.setattr("pyudev.Context", missing)
    with pytest.raises(NoUdev, match="No library named udev"):
        Hotplug(lambda _: None)
