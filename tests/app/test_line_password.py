"""A line's password: in the database and in the digest, and nowhere else."""

import asyncio
import re
import socket
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing

import pytest

from pbx.api.client import Client, CommandError
from tests.app.conftest import NewDaemon
from tests.app.daemon import Daemon
from tests.interop.waiting import until
from tests.tui.here import minisip_here
from tests.tui.program import Outcome

SECRET = "geheim-12-und-mehr"
OTHER = "another-secret-34"

CHALLENGE = 'WWW-Authenticate: Digest realm="ims", nonce="f00d", algorithm=MD5, qop="auth"\r\n'


class Carrier:
    """Challenges the first REGISTER, and forbids the second."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(20)
        self.port = self._socket.getsockname()[1]
        self.heard = b""

    def close(self) -> None:
        self._socket.close()

    def answer(self, status: str, more: str = "") -> str:
        """Answer the next REGISTER; return it."""
        while True:
            data, peer = self._socket.recvfrom(65535)
            self.heard += data
            if data.startswith(b"REGISTER"):
                break
        text = data.decode()
        kept = [
            line
            for line in text.split("\r\n")
            if re.match(r"(Via|From|To|Call-ID|CSeq):", line, re.IGNORECASE)
        ]
        response = "\r\n".join([f"SIP/2.0 {status}", *kept, f"{more}Content-Length: 0", "", ""])
        self._socket.sendto(response.encode(), peer)
        return text


@pytest.fixture
def carrier() -> Iterator[Carrier]:
    there = Carrier()
    yield there
    there.close()


@pytest.fixture
def daemon(new_daemon: NewDaemon) -> Daemon:
    exchange = new_daemon(program=("-m", "pbx", "--verbose"))
    exchange.start()
    return exchange


def test_it_is_shown_nowhere(daemon: Daemon, carrier: Carrier) -> None:
    control = daemon.folder / "control.sock"

    def minisip(*args: str, text: bytes = b"") -> Outcome:
        return asyncio.run(minisip_here(control, *args, text=text))

    options = (f"server=127.0.0.1:{carrier.port}", "transport=udp", "user=100")
    given = f"{SECRET}\n".encode()
    ran = minisip("line", "add", "ims", *options, "--password", text=given)
    shown = [ran.out, ran.err]
    assert ran.code == 0
    # The exchange follows at once; its proof has the password in it, which nobody can read.
    assert "Authorization" not in carrier.answer("401 Unauthorized", CHALLENGE)
    assert "Authorization: Digest" in carrier.answer("403 Forbidden")
    with Client(control) as client:
        until("the refusal is known", lambda: "Forbidden" in str(client.lines()[0].state))
        with pytest.raises(CommandError) as refused:
            client.add_line("two", {"kind": "sip-trunk", "server": "x y", "password": OTHER})
        shown.append(refused.value.sentence)
    for args in (
        *(("line", "list"), ("line", "show", "ims", "--all"), ("line", "show", "ims", "--json")),
        *(("plan", "export"), ("health",), ("health", "--json"), ("users", "--json")),
    ):
        ran = minisip(*args)
        shown += [ran.out, ran.err]
    assert "password" in "".join(shown)
    assert "403 Forbidden" in "".join(shown)
    with Client(control) as client:
        client.set_line("ims", {"password": OTHER})
        shown += [line.text for line in client.log()]
    assert daemon.stop() == 0
    with closing(sqlite3.connect(daemon.folder / "minisip.db")) as database:
        query = "SELECT action, object, detail FROM audit ORDER BY id"
        audit = database.execute(query).fetchall()
    assert [row[:2] for row in audit] == [("line.add", "ims"), ("line.set", "ims")]
    assert audit[1][2] == "password"
    everything = "".join(shown) + daemon.log + str(audit) + carrier.heard.decode()
    assert SECRET not in everything
    assert OTHER not in everything
    holding = {
        file
        for file in daemon.folder.rglob("*")
        if file.is_file()
        and any(secret.encode() in file.read_bytes() for secret in (SECRET, OTHER))
    }
    assert {file.name for file in holding} == {"minisip.db"}
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in holding)
