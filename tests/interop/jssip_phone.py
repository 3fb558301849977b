"""A phone of JsSIP, as web pages have it, under node: SIP over WebSocket by the test's own word."""

import re
from pathlib import Path

import pytest

from tests.interop.program import Program, find
from tests.interop.waiting import until

SOURCE = Path(__file__).parent / "jssip"
MODULES = Path(__file__).parents[2] / "build" / "jssip" / "node_modules"
"""Where `./build.sh test` puts JsSIP and its WebSocket."""


class JsSipPhone:
    """One JsSIP process; it answers whoever calls.

    Args:
        folder: of its output.
        url: of the WebSocket.
        number, password: the account.
        server: the host in its own address.
        rtp_port: what its SDP names; nothing is sent or heard there.
        trusts: a certificate to trust, for ``wss``.
    """

    def __init__(
        self,
        folder: Path,
        *,
        url: str,
        number: str,
        password: str,
        server: str,
        rtp_port: int,
        trusts: Path | None = None,
    ) -> None:
        if not MODULES.is_dir():
            pytest.fail("JsSIP is missing: `./build.sh test` installs it", pytrace=False)
        self.number = number
        env = {"NODE_PATH": str(MODULES)}
        if trusts is not None:
            env["NODE_EXTRA_CA_CERTS"] = str(trusts)
        script = str(SOURCE / "phone.js")
        argv = [find("node"), script, url, number, password, server, str(rtp_port)]
        self.program = Program(f"jssip{number}", argv, folder, env=env, stdin=True)

    def say(self, line: str) -> None:
        """Give it a command."""
        stdin = self.program.process.stdin
        assert stdin is not None
        stdin.write(line.encode() + b"\n")
        stdin.flush()

    def wait(self, event: str, count: int = 1, within_s: float = 30.0) -> None:
        """Wait until it has told of `event`, a regular expression, so often."""
        until(
            f"{self.number}: {event}",
            lambda: len(re.findall(rf"^{event}$", self.program.said(), re.MULTILINE)) >= count,
            within_s,
            why_not=self.program.last_words,
        )

    def quit(self) -> None:
        """Have it unregister and end."""
        self.say("quit")

    def close(self) -> None:
        """End it."""
        self.program.end()
