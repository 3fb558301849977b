"""Programs under test and programs that test: started, watched, and always ended."""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.interop.waiting import until

_PACKAGES = {
    "baresip": "baresip-core",
    "sipp": "sip-tester",
    "linphonec": "linphone-cli",
    "mariadbd": "mariadb-server-core",
    "mariadb-install-db": "mariadb-server-core",
    "kamailio": "kamailio",
    "node": "nodejs",
    "aplay": "alsa-utils",
    "jackd": "jackd2",
    "jack_lsp": "jackd2",
    "jack_connect": "jackd2",
}


PROMPT = -10
"""Nice value; the exchange's own unit has one below 0, too."""


def find(name: str) -> str:
    """Return the path of the program `name`; the test fails where it is not installed."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if found is None:
        package = _PACKAGES.get(name, name)
        pytest.fail(
            f"the program {name} is missing: `./build.sh test` installs Debian's package {package}",
            pytrace=False,
        )
    return found


def before_others(pid: int) -> None:
    """Give a process that has just begun its turn before others, where we may say so."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, PROMPT)


class Program:
    """A child process in its own session, with what it prints in a file.

    Args:
        name: how failures call it.
        argv: program and arguments.
        folder: its working folder, which gets `NAME.out`.
        env: variables on top of ours.
        stdin: True for a pipe to write to.
        prompt: it plays or relays sound in real time: before others, where we may say so. A phone
            that this machine has no time for stumbles, and a fault of ours would sound the same.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        folder: Path,
        *,
        env: Mapping[str, str] | None = None,
        stdin: bool = False,
        prompt: bool = False,
    ) -> None:
        self.name = name
        self.output = folder / f"{name}.out"
        with self.output.open("ab") as out:
            self.process = subprocess.Popen(
                list(argv),
                cwd=folder,
                env={**os.environ, "TERM": "dumb", "LC_ALL": "C.UTF-8", **(env or {})},
                stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        if prompt:
            before_others(self.process.pid)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def said(self) -> str:
        """Return all that it has printed so far."""
        return self.output.read_text(errors="replace")

    def last_words(self) -> str:
        """Return its exit code, if any, and the end of what it printed."""
        code = self.process.poll()
        state = "still running" if code is None else f"ended with {code}"
        return f"--- {self.name} ({state}):\n" + self.said()[-3000:]

    def wait(self, within_s: float) -> int:
        """Return its exit code."""
        until(f"{self.name} ends", lambda: not self.running, within_s, why_not=self.last_words)
        return int(self.process.returncode)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process itself (not to its children)."""
        if self.running:
            self.process.send_signal(number)

    def end(self, within_s: float = 5.0) -> None:
        """End it and every process of its session, politely first."""
        if self.running:
            self.process.terminate()
            try:
                self.process.wait(within_s)
            except subprocess.TimeoutExpired:
                pass
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(within_s)
        if self.process.stdin:
            with contextlib.suppress(OSError):
                self.process.stdin.close()
