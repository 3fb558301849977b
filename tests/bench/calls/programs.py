"""The two exchanges as the harness' peers: a user who logs in calls another one, and a record is kept."""

import os
import subprocess
from pathlib import Path
from typing import Any

from tests.interop.exchange import Exchange
from tests.interop.ports import Ports
from tests.interop.sipp import Account, register

OURS, ASTERISK = "miniSIPServer", "Asterisk"

CALLER, CALLEE, PASSWORD = "110", "9100", "secret"
"""As `uac.xml` has them; Asterisk's dial plan in the harness takes 91... to the callee."""

CALLEE_HOST, CALLEE_PORT = "127.0.0.3", 5070
"""Where the harness has its callee."""

STREAMS = 2000

_PASSWORD = f"""
[uac](+)
auth = uac
[uac]
type = auth
auth_type = userpass
username = {CALLER}
password = {PASSWORD}
"""

_RECORDS = "[general]\nenable = yes\n[csv]\nusegmtime = yes\n"


def ours(peers: Any) -> Any:
    """Return our exchange's class; the harness' base class is known only when it is loaded.

    Args:
        peers: the harness' module.
    """

    class Ours(peers.Peer):  # type: ignore[misc]
        """minisipserver-cli, its media engine included."""

        name = OURS
        exchange: Exchange | None = None

        def start(self) -> None:
            self.exchange = Exchange(Path(self.run) / "data", Ports(), streams=STREAMS)
            self.exchange.start()
            assert self.exchange.program is not None
            self.proc = self.exchange.program.process
            self.sip = ("127.0.0.1", self.exchange.port)
            for number in (CALLER, CALLEE):
                self.exchange.add_user(number, PASSWORD)
            where = (CALLEE, PASSWORD, CALLEE_PORT, CALLEE_PORT, self.exchange.host, CALLEE_HOST)
            register(Path(self.run) / "register", Account(*where))
            nice = self.opt.get("nice") or 0
            for pid in self.pids():
                os.setpriority(os.PRIO_PROCESS, pid, nice)
                # The engine is in a session of its own, which has its own place in the line.
                peers.first_in_line(pid, nice)

        def stop(self) -> None:
            if self.exchange is not None:
                self.exchange.close()

        def version(self) -> str:
            argv = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
            return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()

    return Ours


def asterisk(peers: Any) -> Any:
    """Return Asterisk's class: the harness' configuration, with a password and with call records."""

    class Asterisk(peers.Asterisk):  # type: ignore[misc]
        """Debian sid's Asterisk."""

        name = ASTERISK

        def lay(self, source: str, target: str, **words: Any) -> None:
            super().lay(source, target, **words)
            folder = Path(target)
            _append(folder / "pjsip.conf", _PASSWORD)
            _append(folder / "modules.conf", "load = cdr_csv.so\n")
            (folder / "cdr.conf").write_text(_RECORDS)
            (folder.parent / "log" / "cdr-csv").mkdir(parents=True, exist_ok=True)

    return Asterisk


def _append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)
