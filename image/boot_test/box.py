"""The box from outside, through SSH: what a person types, and figures of the running system."""

import fcntl
import json
import os
import pty
import re
import select
import shlex
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path
from typing import Any

from boot_test.lan import BOX
from tests.interop.waiting import until

_ESCAPES = re.compile(
    r"\x1b(?:\[[0-9;:?<>=]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][A-Z0-9]|.)"
)


class Box:
    """Somebody with a key for user pi.

    Args:
        folder: for the key.
    """

    def __init__(self, folder: Path) -> None:
        self._key = folder / "key"
        self._hosts = folder / "known_hosts"
        for path in (self._key, self._hosts, folder / "key.pub"):
            path.unlink(missing_ok=True)
        make = [
            "ssh-keygen",
            "-q",
            "-t",
            "ed25519",
            "-N",
            "",
            "-C",
            "boot-test",
            "-f",
            str(self._key),
        ]
        subprocess.run(make, check=True)
        self.public_key = (folder / "key.pub").read_text().strip()

    def words(self, user: str, *command: str, terminal: bool = False) -> list[str]:
        """Return the command line of ssh."""
        # A name known from the first time must be the same after a reboot: accept-new, not no.
        options = ["StrictHostKeyChecking=accept-new", f"UserKnownHostsFile={self._hosts}"]
        options += ["BatchMode=yes", "ConnectTimeout=60", "LogLevel=ERROR"]
        flags = [word for option in options for word in ("-o", option)]
        kind = ["-tt"] if terminal else []
        return [
            "ssh",
            "-F",
            "/dev/null",
            "-i",
            str(self._key),
            *kind,
            *flags,
            f"{user}@{BOX}",
            *command,
        ]

    def run(self, command: str, *, text: str = "", within_s: float = 300.0) -> str:
        """Run a command as pi and return what it prints.

        Raises:
            AssertionError: it failed.
        """
        done = subprocess.run(
            self.words("pi", command),
            input=text,
            capture_output=True,
            text=True,
            timeout=within_s,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def root(self, command: str, password: str, within_s: float = 300.0) -> str:
        """Run a command as root by sudo, with pi's password."""
        words = f"sudo -S -p '' sh -c {shlex.quote(command)}"
        return self.run(words, text=password + "\n", within_s=within_s)

    def put(self, file: Path, name: str, within_s: float) -> None:
        """Copy a file to the box, as `name` in pi's home."""
        with file.open("rb") as octets:
            words = self.words("pi", f"cat >{shlex.quote(name)}")
            subprocess.run(words, stdin=octets, check=True, timeout=within_s)

    def wait_ssh(self, within_s: float) -> None:
        """Wait until SSH lets pi in."""
        until("SSH lets user pi in", lambda: self._succeeds("true"), within_s)

    def _succeeds(self, command: str) -> bool:
        done = subprocess.run(self.words("pi", command), capture_output=True, check=False)
        return done.returncode == 0

    def json(self, command: str) -> Any:
        """Run a command that prints JSON."""
        return json.loads(self.run(command))

    def boot_id(self) -> str | None:
        """Return what is another at each boot; None while SSH doesn't answer."""
        words = self.words("pi", "cat /proc/sys/kernel/random/boot_id")
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else None

    def screen(self, user: str, wanted: str, within_s: float) -> str:
        """Log in on a terminal of 80x24 and return its text once `wanted` (a pattern) is on it."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.environ["TERM"] = "xterm-256color"
            words = self.words(user, terminal=True)
            os.execvp(words[0], words)
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
        try:
            return _read_until(terminal, re.compile(wanted), within_s)
        finally:
            os.close(terminal)
            # Its hang-up doesn't end ssh where this program ignores SIGHUP, as nohup(1) has it.
            os.kill(pid, signal.SIGTERM)
            os.waitpid(pid, 0)


def _read_until(terminal: int, wanted: re.Pattern[str], within_s: float) -> str:
    end = time.monotonic() + within_s
    seen = b""
    while time.monotonic() < end:
        if select.select([terminal], [], [], 1)[0]:
            try:
                seen += os.read(terminal, 65536)
            except OSError:
                break
        text = _ESCAPES.sub(" ", seen.decode(errors="replace"))
        if wanted.search(text):
            return text
    raise AssertionError(
        f"{wanted.pattern!r} is not on the screen:\n{_ESCAPES.sub(' ', seen.decode(errors='replace'))[-3000:]}"
    )
