"""A clean system, with this folder's sources in it as a person gets them."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

from tests.deb.machine import inside
from tests.deb.packages import PROJECT
from tests.deb.roots import System
from tests.interop.exchange import Exchange
from tests.interop.ports import Ports
from tests.interop.program import Program
from tests.interop.waiting import until
from tests.posts.ordinary import family

USER = "clerk"
HOME = f"home/{USER}"

# How this machine reaches the network; a system of one's own would have it from its installation.
_REACH = (
    "etc/resolv.conf",
    "etc/hosts",
    "etc/pip.conf",
    "etc/ssl/certs/ca-certificates.crt",
)
_REACH_BY = ("PIP_CERT", "http_proxy", "https_proxy", "no_proxy")

SETUP_S = 1800.0
"""For `./build.sh run`, which may have to fetch all packages first and to compile the media engine."""


class CleanSystem:
    """A root of Debian with a user who may use sudo, and with our sources in that user's home.

    Args:
        system: what it is.
        root: the folder that becomes it.
        output: the folder for what programs say.
    """

    def __init__(self, system: System, root: Path, output: Path) -> None:
        self.system = system
        self.root = root
        self._output = output
        system.unpack(root)
        for name in _REACH:
            if (Path("/") / name).is_file():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(Path("/") / name, root / name)
        # However its files are called, and none of what else is in them: hooks want their programs
        asked = ["apt-config", "dump", "Acquire"]
        fetching = subprocess.run(asked, capture_output=True, check=True).stdout
        (root / "etc/apt/apt.conf.d/99reach").write_bytes(fetching)
        self.done("useradd", "--create-home", "--shell", "/bin/bash", USER)
        (root / "etc/sudoers.d").mkdir(exist_ok=True)
        (root / "etc/sudoers.d" / USER).write_text(f"{USER} ALL=(ALL) NOPASSWD: ALL\n")
        self._put_sources(root / HOME / "minisip")
        self.done("chown", "-R", f"{USER}:{USER}", f"/{HOME}")

    def _put_sources(self, folder: Path) -> None:
        folder.mkdir()
        words = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
        names = subprocess.run(words, cwd=PROJECT, capture_output=True, check=True).stdout
        pack = ["tar", "-c", "--null", "--ignore-failed-read", "-T", "-"]
        packed = subprocess.run(pack, cwd=PROJECT, input=names, capture_output=True, check=True)
        subprocess.run(["tar", "-x", "-C", str(folder)], input=packed.stdout, check=True)

    def argv(self, *command: str, user: str = USER, language: str = "C.UTF-8") -> list[str]:
        """Return what runs a command in it, in the sources' folder."""
        reach = [f"{name}={os.environ[name]}" for name in _REACH_BY if name in os.environ]
        as_user = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--reset-env"]
        place = ["sh", "-c", 'cd "$0" && exec "$@"', f"/{HOME}/minisip"]
        words = [*as_user, "env", f"LC_ALL={language}", *reach, *place, *command]
        return inside(self.system, self.root, *words, language=language)

    def run(
        self, *command: str, user: str = USER, language: str = "C.UTF-8"
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command in it, to its end."""
        return subprocess.run(
            self.argv(*command, user=user, language=language),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=SETUP_S,
        )

    def done(self, *command: str) -> None:
        """Run a command as root that must go well, before there are any sources."""
        ran = subprocess.run(
            inside(self.system, self.root, *command), capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, f"{command}: {ran.stdout}{ran.stderr}"


class StartedByBuild(Exchange):
    """The exchange that ``./build.sh run`` starts.

    Args:
        folder: its data folder.
        ports: where SIP and RTP ports come from.
        output: the folder for what it says.
        argv: what runs ``./build.sh run``.
    """

    def __init__(self, folder: Path, ports: Ports, output: Path, argv: list[str]) -> None:
        super().__init__(folder, ports)
        self._output = output
        self.argv = argv

    def start(self, within_s: float = SETUP_S) -> None:
        """Start it, and wait until it has told what phones need and its media engine is there."""
        self.program = Program("build", self.argv, self._output)

        def ready() -> bool:
            assert self.program is not None
            assert self.program.running, self.why()
            status = self.try_status()
            told = "User 102, password " in self.program.said()
            return told and status is not None and status.engine_pid > 0

        until("./build.sh run says what phones need", ready, within_s, why_not=self.why)

    def told_passwords(self) -> dict[str, str]:
        """Return the passwords that it has printed, by number."""
        assert self.program is not None
        lines = [line.split() for line in self.program.said().splitlines()]
        return {
            words[1].rstrip(","): words[3]
            for words in lines
            if words[:1] == ["User"] and len(words) == 4
        }

    def interrupt(self) -> int:
        """Press Ctrl-C; return the exit code."""
        assert self.program is not None
        for pid in family(self.program.pid):
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
            if b"minisipserver-cli" in words:
                os.kill(pid, signal.SIGINT)
                break
        return self.program.wait(30)

    def close(self) -> None:
        """End it and all that it has started."""
        if self.program is not None:
            self.program.end(15)
