"""A MariaDB server of Debian's package, on an empty folder of its own."""

import signal
import socket
from pathlib import Path

import pymysql

from tests.interop.ports import Ports
from tests.interop.program import Program, find
from tests.interop.waiting import until


class MariaDb:
    """A server that can be stopped and started again, with its data kept.

    Args:
        folder: where its data goes; short, for a Unix socket lies in it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # Its port is free now and then
        self._ports = Ports()
        self._port = self._ports.one()
        self._made = 0
        self._program: Program | None = None
        (folder / "data").mkdir()

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._program = Program(
            "mariadbd",
            [
                find("mariadbd"),
                "--no-defaults",
                "--user=root",
                "--skip-grant-tables",
                f"--datadir={self._folder}/data",
                f"--socket={self._folder}/socket",
                f"--pid-file={self._folder}/pid",
                "--bind-address=127.0.0.1",
                f"--port={self._port}",
                "--innodb-buffer-pool-size=16M",
                "--innodb-log-file-size=4M",
                "--innodb-fast-shutdown=2",
            ],
            self._folder,
        )
        until("MariaDB answers", self._answers, 60, why_not=self._program.last_words)

    def start_again(self) -> None:
        """Start it where a test has left it stopped or frozen."""
        self.thaw()
        if self._program is None:
            self.start()

    def stop(self) -> None:
        """Stop it properly."""
        if self._program is not None:
            self._program.end(60)
            self._program = None

    def kill(self) -> None:
        """End it as a power cut does."""
        if self._program is not None:
            self._program.signal(signal.SIGKILL)
            self._program.end()
            self._program = None

    def freeze(self) -> None:
        """Let it take connections and say nothing."""
        if self._program is not None:
            self._program.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        if self._program is not None:
            self._program.signal(signal.SIGCONT)

    def new_database(self) -> str:
        """Make an empty database and return its URL."""
        self._made += 1
        name = f"pbx{self._made}"
        self.query(f"CREATE DATABASE {name}", "")
        return f"mysql://pbx:geheim@127.0.0.1:{self._port}/{name}"

    def query(self, sql: str, url: str) -> list[tuple[object, ...]]:
        """Return the rows of a statement in the database of `url`."""
        connection = pymysql.connect(
            host="127.0.0.1", port=self._port, user="x", database=url.rpartition("/")[2] or None
        )
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                rows = list(cursor.fetchall())
            connection.commit()
        finally:
            connection.close()
        return rows

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self._port), 1).close()
            self.query("SELECT 1", "")
        except (OSError, pymysql.MySQLError):
            return False
        return True
