"""The exchange that the package has installed, as the interop tests know one."""

import os
from pathlib import Path

from tests.deb.machine import Machine, inside
from tests.deb.roots import System
from tests.interop.exchange import START_S, Exchange
from tests.interop.ports import Ports
from tests.interop.program import Program
from tests.interop.waiting import until


class InstalledExchange(Exchange):
    """`minisipserver.service` on a machine.

    Args:
        machine: where it runs.
        ports: where SIP and RTP ports come from.
        home: of its user, on the machine.
        top: further lines of minisip.toml, before all sections.
    """

    def __init__(
        self, machine: Machine, ports: Ports, home: str = "home/pi", *, top: str = ""
    ) -> None:
        super().__init__(machine.root / home / ".minisipserver", ports, top=top)
        _give_to_owner_of_home(self.folder)
        self._home = home
        self.is_on(machine)

    def is_on(self, machine: Machine) -> None:
        """Look for it on `machine`: the same one, started again."""
        self.machine = machine
        self.folder = machine.root / self._home / ".minisipserver"
        self.socket = machine.root / "run/minisipserver/control.sock"

    @property
    def pid(self) -> int:
        """Its process id, as the machine counts."""
        return int(self.machine.done("systemctl", "show", "-P", "MainPID", "minisipserver"))

    def start(self, within_s: float = START_S) -> None:
        """Start the service, anew if it runs, and wait until it answers."""
        self.machine.done("systemctl", "restart", "minisipserver")
        self.wait_ready(within_s)

    def wait_ready(self, within_s: float = START_S) -> None:
        """Wait until it answers and has a media engine."""
        until("the exchange is ready", self._ready, within_s, why_not=self.why)

    def _ready(self) -> bool:
        status = self.try_status()
        return status is not None and status.engine_pid > 0

    def why(self) -> str:
        """Return what it logged."""
        return self.machine.failed()

    def log(self) -> str:
        """Return all that it has logged."""
        return self.machine.journal("minisipserver")

    def close(self) -> None:
        """Nothing: the machine's end is its end."""


class ForegroundExchange(Exchange):
    """`minisipserver-cli` of the package in a root without systemd, emulated where need be.

    Args:
        system: what the root is.
        root: the root.
        ports: where SIP and RTP ports come from.
        output: the folder for what it says.
    """

    def __init__(self, system: System, root: Path, ports: Ports, output: Path) -> None:
        super().__init__(root / "home/pi/.minisipserver", ports)
        _give_to_owner_of_home(self.folder)
        self._output = output
        as_pi = ("setpriv", "--reuid=pi", "--regid=pi", "--init-groups", "env", "HOME=/home/pi")
        self._argv = inside(system, root, *as_pi, "minisipserver-cli")

    def start(self, within_s: float = 600.0) -> None:
        """Start it; under emulation it takes its time."""
        self.program = Program("exchange", self._argv, self._output)
        until("the exchange is ready", self._ready, within_s, why_not=self.why)

    def _ready(self) -> bool:
        assert self.program is not None
        assert self.program.running, self.why()
        status = self.try_status()
        return status is not None and status.engine_pid > 0

    def close(self) -> None:
        """End it and all that it has started: its PID namespace ends with it."""
        if self.program is not None:
            self.program.end()


def _give_to_owner_of_home(folder: Path) -> None:
    owner = folder.parent.stat()
    folder.chmod(0o700)
    for path in (folder, folder / "minisip.toml"):
        os.chown(path, owner.st_uid, owner.st_gid)
