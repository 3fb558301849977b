"""The exchange under test, as a user starts it, and its records and control socket."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote

import msgspec

from pbx.api.schema import Room, RunningCall, Status, User, Welcome
from tests.interop.ports import Ports
from tests.interop.program import Program
from tests.interop.waiting import until
from tests.journal import TALKING, journal_lines
from tests.records import written_records

START_S = 90.0
"""For the first start on a fresh machine: the media engine compiles its kernels once."""

_SETTINGS = """\
{top}
[sip]
port = {sip_port}
tls_port = {tls_port}
ws_port = {ws_port}
wss_port = {wss_port}
addresses = {addresses}
{sip}
[media]
first_port = {first_port}
last_port = {last_port}
{media}
[calls]
{calls}
[http]
port = 0
{callback}
"""


def command(name: str) -> str:
    """Return the path of a command of our own, from the environment that runs the tests."""
    return str(Path(sys.executable).parent / name)


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the day's CDR file, decoded as far as the tests need."""

    fields: dict[str, str]

    def __getitem__(self, name: str) -> str:
        return self.fields[name]

    @property
    def duration_s(self) -> float:
        return float(self.fields["duration"])

    @property
    def talk_s(self) -> float:
        """Seconds from answer to release by the record's own times."""
        talk, release = (
            datetime.fromisoformat(self.fields[name]) for name in ("talk_time", "release_time")
        )
        return (release - talk).total_seconds()

    @property
    def fci(self) -> dict[str, str]:
        """The FCI's items: callTag, cause ..."""
        items = (item.partition("=") for item in self.fields["fci"].split(";") if item)
        return {name: unquote(value) for name, _, value in items}


class Exchange:
    """minisipserver-cli in the foreground with a data folder of its own.

    Args:
        folder: its data folder, made if missing.
        ports: where SIP and RTP ports come from.
        streams: how many RTP/RTCP port pairs it gets.
        addresses: where it listens.
        top, sip, media, calls: further lines of minisip.toml, by section.
        callback: port of the call-back service; 0 for none, None for the usual one.
        through: a program and its arguments that become the exchange, such as ``setarch``.
    """

    def __init__(
        self,
        folder: Path,
        ports: Ports,
        *,
        streams: int = 40,
        addresses: Sequence[str] = ("127.0.0.1", "::1"),
        top: str = "",
        sip: str = "",
        media: str = "",
        calls: str = "",
        callback: int | None = 0,
        through: Sequence[str] = (),
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._ports = ports
        self.port = ports.one()
        self.tls_port = ports.one()
        self.ws_port = ports.one()
        self.wss_port = ports.one()
        self.first_rtp = ports.block(2 * streams)
        self.last_rtp = self.first_rtp + 2 * streams - 1
        self.socket = folder / "control.sock"
        self.settings = _SETTINGS.format(
            top=top,
            sip_port=self.port,
            tls_port=self.tls_port,
            ws_port=self.ws_port,
            wss_port=self.wss_port,
            addresses=json.dumps(list(addresses)),
            sip=sip,
            first_port=self.first_rtp,
            last_port=self.last_rtp,
            media=media,
            calls=calls,
            callback="" if callback is None else f"[callback]\nport = {callback}",
        )
        (folder / "minisip.toml").write_text(self.settings)
        self.argv = [*through, command("minisipserver-cli"), "--data-dir", str(folder)]
        self.program: Program | None = None
        self._calls = 0

    @property
    def host(self) -> str:
        """Host and port as phones by IPv4 are told."""
        return f"127.0.0.1:{self.port}"

    @property
    def secure_host(self) -> str:
        """Host and port as phones by IPv4 and TLS are told."""
        return f"127.0.0.1:{self.tls_port}"

    @property
    def certificate(self) -> Path:
        """The certificate that it has made."""
        return self.folder / "tls" / "certificate.pem"

    @property
    def host6(self) -> str:
        """Host and port as phones by IPv6 are told."""
        return f"[::1]:{self.port}"

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self.program is not None
        return self.program.pid

    def start(self, within_s: float = START_S) -> None:
        """Start it and wait until it answers and has a media engine."""
        self.program = Program("exchange", self.argv, self.folder, prompt=True)
        until("the exchange is ready", self._ready, within_s, why_not=self.why)

    def _ready(self) -> bool:
        assert self.program is not None
        assert self.program.running, f"the exchange ended\n{self.why()}"
        status = self.try_status()
        return status is not None and status.pid == self.program.pid and status.engine_pid > 0

    def why(self) -> str:
        """Return what it logged at the end."""
        return self.program.last_words() if self.program else "never started"

    def log(self) -> str:
        """Return all that it has logged, over all starts."""
        return self.program.said() if self.program else ""

    def stop(self, within_s: float = 15.0) -> int:
        """Send SIGTERM; return its exit code."""
        assert self.program is not None
        self.program.signal(signal.SIGTERM)
        return self.program.wait(within_s)

    def wait_journalled(self, *names: str) -> None:
        """Wait until a crash would lose no call in which two talk.

        Args:
            names: of the files that the calls are recorded in.
        """
        talking = [one.id.encode() for one in self.running_calls() if one.state == "talking"]
        assert talking
        wanted = [*((call, TALKING) for call in talking), *((name.encode(),) for name in names)]

        def noted() -> bool:
            return all(journal_lines(self.folder, *signs) for signs in wanted)

        until("the journal has the calls", noted, why_not=self.why)

    def kill(self) -> None:
        """`kill -9` of the exchange alone, as a crash would."""
        assert self.program is not None
        self.program.signal(signal.SIGKILL)
        self.program.process.wait(10)

    def close(self) -> None:
        """End it, and its media engine, whatever state they are in."""
        if self.program is None:
            return
        engines = {pid for pid in _pids() if str(self.folder) in _command_line(pid)}
        self.program.end(15)
        for pid in engines & _pids():
            if str(self.folder) in _command_line(pid):
                os.kill(pid, signal.SIGKILL)

    def call(self, method: str, **params: str) -> bytes:
        """Carry out one call of the control API; return its result as JSON."""
        self._calls += 1
        request = {"id": self._calls, "method": method, "params": params}
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(30)
            link.connect(str(self.socket))
            link.sendall(json.dumps(request).encode() + b"\n")
            line = link.makefile("rb").readline()
        answer = json.loads(line)
        assert "error" not in answer, f"{method} {params}: {answer}"
        return json.dumps(answer["result"]).encode()

    def status(self) -> Status:
        """Return how it is."""
        return msgspec.json.decode(self.call("status"), type=Status)

    def try_status(self) -> Status | None:
        """Return how it is, or None where it does not answer."""
        try:
            return self.status()
        except (OSError, ValueError):
            return None

    def users(self) -> dict[str, User]:
        """Return its users by number."""
        users = msgspec.json.decode(self.call("users"), type=list[User])
        return {user.number: user for user in users}

    def rooms(self) -> list[Room]:
        """Return the conference rooms with somebody in them."""
        return msgspec.json.decode(self.call("rooms"), type=list[Room])

    def running_calls(self) -> list[RunningCall]:
        """Return the calls that have not ended."""
        return msgspec.json.decode(self.call("calls"), type=list[RunningCall])

    def passwords(self) -> dict[str, str]:
        """Return the passwords of the first start, by number."""
        welcome = msgspec.json.decode(self.call("welcome"), type=Welcome)
        return {user.number: user.password for user in welcome.users}

    def add_user(self, number: str, password: str) -> None:
        """Add a user by the command that a person types."""
        self.minisip("user", "add", number, "--password", password, "--json")

    def minisip(self, *args: str) -> str:
        """Run `minisip` as a person does; return what it prints."""
        argv = [command("minisip"), "--socket", str(self.socket), *args]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def problems(self) -> str:
        """Return what a person is told to look at."""
        argv = [command("minisip"), "--socket", str(self.socket), "health"]
        # Its exit code says whether there are any
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False).stdout

    def wait_contacts(self, number: str, count: int = 1, within_s: float = 30.0) -> None:
        """Wait until a user has so many phones registered."""
        until(
            f"user {number} has {count} contacts",
            lambda: len(self.users()[number].contacts) == count,
            within_s,
            why_not=self.why,
        )

    def wait_idle(self, within_s: float = 30.0) -> None:
        """Wait until no call is left, every port has been given back and all records are written."""

        def idle() -> bool:
            status = self.status()
            return status.calls == status.records_unwritten == 0

        until("no call is left", idle, within_s, why_not=self.why)

    def records(self) -> list[Record]:
        """Return all lines of all CDR files."""
        return [Record(row) for row in written_records(self.folder)]

    def wait_records(
        self, count: int, within_s: float = 30.0, *, naming: str | None = None
    ) -> list[Record]:
        """Wait until there are at least `count` records (`naming` a user); there must not be more.

        A call is over for its parties before its record is in the file.
        """

        def found() -> list[Record]:
            records = self.records()
            return (
                records if naming is None else [r for r in records if naming in r.fields.values()]
            )

        until(
            f"{count} call records",
            lambda: len(found()) >= count,
            within_s,
            why_not=lambda: f"there are {len(found())}\n{self.why()}",
        )
        records = found()
        assert len(records) == count
        return records

    def wait_transferred(self, before: int) -> dict[str, str]:
        """Wait until no call is left; return the charging items of the one that a transfer has made.

        Args:
            before: how many records there had been.
        """
        self.wait_idle()

        def found() -> dict[str, str] | None:
            fcis = [record.fci for record in self.records()[before:]]
            return next((fci for fci in fcis if "transferredBy" in fci), None)

        return until("the transferred call leaves a record", found, why_not=self.why)

    def assert_sane(self) -> None:
        """Assert that it runs, answers, and never logged a traceback."""
        assert self.program is not None
        assert self.program.running, self.why()
        assert self.try_status() is not None, self.why()
        log = self.log()
        assert "Traceback" not in log, log[log.index("Traceback") - 1000 :][:6000]


def _pids() -> set[int]:
    return {int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()}


def _command_line(pid: int) -> str:
    try:
        return (
            Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        )
    except OSError:
        return ""
