"""The exchange as a real process, in a data folder of its own."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import unquote

from pbx.api.client import Client
from pbx.api.schema import Status, User
from tests.interop.ports import Ports
from tests.interop.waiting import until
from tests.journal import TALKING, journal_lines
from tests.records import written_records

START_S = 90.0
"""The media engine compiles its kernels once on a machine."""

SETTINGS = """\
{top}
[sip]
port = {port}
tls_port = {tls_port}
addresses = ["127.0.0.1", "::1"]
[media]
first_port = {first_rtp}
last_port = {last_rtp}
[http]
port = {http}
[callback]
port = {callback}
{more}
"""


class Daemon:
    """`python -m pbx` with what it logs.

    Args:
        ports: where free ports come from.
        program: what is run instead of ``-m pbx``.
        http: its HTTP port.
        top, more: lines at the begin and the end of its settings file.
    """

    def __init__(
        self,
        ports: Ports,
        *,
        program: Sequence[str] = ("-m", "pbx"),
        http: int = 0,
        top: str = "",
        more: str = "",
    ) -> None:
        # Short: a Unix socket's path has 107 octets at most.
        self.folder = Path(tempfile.mkdtemp(prefix="pbx"))
        self.port = ports.one()
        self.tls_port = ports.one()
        self.first_rtp = ports.block(20)
        self._program = program
        # A file, not a pipe: what was logged before an answer was sent is there with the answer.
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the exchange
        self._process: subprocess.Popen[bytes] | None = None
        self.configure(http=http, top=top, more=more)

    def configure(self, *, http: int = 0, callback: int = 0, top: str = "", more: str = "") -> None:
        """Write the settings file."""
        text = SETTINGS.format(
            top=top,
            port=self.port,
            tls_port=self.tls_port,
            first_rtp=self.first_rtp,
            last_rtp=self.first_rtp + 19,
            http=http,
            callback=callback,
            more=more,
        )
        (self.folder / "minisip.toml").write_text(text)

    # ---------------------------------------------------------------- its life

    def launch(self, environment: Mapping[str, str] | None = None) -> None:
        """Start it and don't wait; ``JOURNAL_STREAM=own`` stands for its standard error's."""
        argv = [sys.executable, *self._program, "--data-dir", str(self.folder)]
        variables = {**os.environ, "LC_ALL": "C.UTF-8", **(environment or {})}
        if variables.get("JOURNAL_STREAM") == "own":
            about = os.fstat(self._output.fileno())
            variables["JOURNAL_STREAM"] = f"{about.st_dev}:{about.st_ino}"
        self._process = subprocess.Popen(
            argv,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._output,
        )

    def start(self, environment: Mapping[str, str] | None = None) -> None:
        """Start it and wait until it serves."""
        before = self.log.count("ready: pid ")
        self.launch(environment)
        self.wait_log(lambda log: log.count("ready: pid ") > before, START_S)

    @property
    def log(self) -> str:
        """All that it has logged, over all starts."""
        size = os.fstat(self._output.fileno()).st_size
        return os.pread(self._output.fileno(), size, 0).decode(errors="surrogateescape")

    def wait_log(self, wanted: Callable[[str], object], within_s: float = 30.0) -> None:
        """Wait until the log is as `wanted` says."""
        until(
            "the log is as wanted",
            lambda: not self.running or bool(wanted(self.log)),
            within_s,
            why_not=lambda: self.log[-4000:],
        )
        assert self.running, f"it ended:\n{self.log[-4000:]}"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the exchange alone."""
        os.kill(self.pid, number)

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """Stop the exchange for a while, as a board does that is too busy: what arrives, waits."""
        self.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.signal(signal.SIGCONT)

    def wait(self, within_s: float = 15.0) -> int:
        """Return its exit code."""
        assert self._process is not None
        return self._process.wait(within_s)

    def stop(self) -> int:
        """End it by SIGTERM; return its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """`kill -9` of the exchange alone; its media engine goes on."""
        self.signal(signal.SIGKILL)
        self.wait()

    def processes(self) -> dict[int, str]:
        """Every process with this data folder in its command line: the exchange, its engine."""
        found = {}
        for path in Path("/proc").glob("[0-9]*"):
            try:
                line = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(self.folder) in line:
                found[int(path.name)] = line
        return found

    def close(self) -> None:
        """End what still runs, and remove the folder."""
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if self._process is not None:
            self._process.wait(10)
        self._output.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---------------------------------------------------------------- what it knows

    def client(self) -> Client:
        """Return a connection to its control API."""
        return Client(self.folder / "control.sock")

    def status(self) -> Status:
        """Return how it is."""
        with self.client() as client:
            return client.status()

    def users(self) -> dict[str, User]:
        """Return its users by number."""
        with self.client() as client:
            return {user.number: user for user in client.users()}

    def passwords(self) -> dict[str, str]:
        """Return the passwords of the first start."""
        with self.client() as client:
            return {user.number: user.password for user in client.welcome().users}

    def records(self) -> list[dict[str, str]]:
        """Return all call records."""
        return written_records(self.folder)

    def wait_records(self, count: int) -> list[dict[str, str]]:
        """Wait until there are so many records."""
        until(
            f"{count} call records",
            lambda: len(self.records()) >= count,
            why_not=lambda: self.log[-3000:],
        )
        records = self.records()
        assert len(records) == count
        return records

    def wait_kept(self, contacts: int, *, call: bool = False) -> None:
        """Wait until so many contacts, and perhaps an answered call, are out of its memory.

        Both are written behind its back; a `kill -9` before that loses them, as it may.
        """
        database = f"file:{self.folder / 'minisip.db'}?mode=ro"

        def kept() -> bool:
            with closing(sqlite3.connect(database, uri=True)) as connection:
                (count,) = connection.execute("SELECT COUNT(*) FROM binding").fetchone()
            told = not call or journal_lines(self.folder, TALKING) != []
            return bool(count == contacts and told)

        until(f"{contacts} contacts are kept", kept)

    def wait_idle(self) -> None:
        """Wait until no call is left, and all records are written."""

        def idle() -> bool:
            status = self.status()
            return status.calls == status.records_unwritten == 0

        until("no call is left", idle, why_not=lambda: self.log[-3000:])

    def assert_sane(self) -> None:
        """It runs, answers, and has logged neither a fault nor what could fool a terminal."""
        assert self.status().pid == self.pid
        self.assert_log_sane()

    def assert_log_sane(self) -> None:
        """The log has no traceback, and each of its lines is printable text."""
        log = self.log
        assert "Traceback" not in log, log[max(log.index("Traceback") - 500, 0) :][:4000]
        assert [line for line in log.split("\n") if not line.isprintable()] == []


def fci(record: Mapping[str, str]) -> dict[str, str]:
    """The items of a record's FCI."""
    items = (item.partition("=") for item in record["fci"].split(";") if item)
    return {name: unquote(value) for name, _, value in items}
