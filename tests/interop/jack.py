"""JACK without hardware (Debian's jackd2): a sound card whose two sides a test can connect."""

import os
import subprocess
from pathlib import Path

from tests.interop.program import Program, find
from tests.interop.waiting import until

RATE_HZ = 48000
"""The only one that it has, as many a card."""


class Jack:
    """One JACK server, with a card that makes and plays silence.

    Args:
        folder: where its output goes.
    """

    def __init__(self, folder: Path) -> None:
        name = f"test{os.getpid()}-{folder.name}"
        self.env = {"JACK_DEFAULT_SERVER": name, "JACK_NO_AUDIO_RESERVATION": "1"}
        options = ["--no-realtime", "-n", name, "-d", "dummy", "-r", str(RATE_HZ), "-p", "480"]
        argv = [find("jackd"), *options]
        folder.mkdir(parents=True, exist_ok=True)
        self.program = Program("jackd", argv, folder, env=self.env, prompt=True)
        try:
            until("jackd is ready", self.ports, why_not=self.program.last_words)
        except AssertionError:
            self.program.end()
            raise

    def ports(self) -> list[str]:
        """Return the names of all ports; none where it doesn't answer yet."""
        done = subprocess.run(
            [find("jack_lsp")],
            capture_output=True,
            text=True,
            env={**os.environ, **self.env},
            timeout=10,
            check=False,
        )
        return done.stdout.split("\n")[:-1] if done.returncode == 0 else []

    def turn_back(self) -> None:
        """Lead what a phone plays into its own microphone, once it uses the card."""

        def own() -> list[str]:
            return [port for port in self.ports() if not port.startswith("system:")]

        until("the phone uses the card", lambda: len(own()) >= 2, why_not=self.program.last_words)
        (heard,) = [port for port in own() if "out" in port.rpartition(":")[2]]
        (spoken,) = [port for port in own() if "in" in port.rpartition(":")[2]]
        subprocess.run(
            [find("jack_connect"), heard, spoken],
            env={**os.environ, **self.env},
            timeout=10,
            check=True,
            capture_output=True,
        )
