"""The exchange that the package has installed, as the interop tests know one."""

import os

from tests.deb.machine import Machine
from tests.interop.exchange import START_S, Exchange
from tests.interop.ports import Ports
from tests.interop.waiting import until


class InstalledExchange(Exchange):
    """`minisipserver.service` on a machine.

    Args:
        machine: where it runs.
        ports: where SIP and RTP ports come from.
        home: of its user, on the machine.
    """

    def __init__(self, machine: Machine, ports: Ports, home: str = "home/pi") -> None:
        owner = (machine.root / home).stat()
        super().__init__(machine.root / home / ".minisipserver", ports)
        self.folder.chmod(0o700)
        for path in (self.folder, self.folder / "minisip.toml"):
            os.chown(path, owner.st_uid, owner.st_gid)
        self.machine = machine
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
