"""A MariaDB server (Debian's mariadb-server-core) of the test's own, to be stopped and started."""

import os
from pathlib import Path

import pymysql

from tests.interop.program import Program, find
from tests.interop.waiting import until

_INIT = """\
CREATE DATABASE IF NOT EXISTS minisip CHARACTER SET utf8mb4;
CREATE USER IF NOT EXISTS 'minisip'@'127.0.0.1' IDENTIFIED BY 'secret';
GRANT ALL ON minisip.* TO 'minisip'@'127.0.0.1';
"""


class MariaDb:
    """One mariadbd with data and socket in `folder`, listening on 127.0.0.1."""

    def __init__(self, folder: Path, port: int) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.port = port
        # As root it wants to be told that this is meant.
        self._user = ["--user=root"] if os.geteuid() == 0 else []
        install = [find("mariadb-install-db"), "--no-defaults", f"--datadir={folder / 'data'}"]
        install += ["--auth-root-authentication-method=normal", "--skip-test-db", *self._user]
        setup = Program("mariadb-install", install, folder)
        try:
            assert setup.wait(60) == 0, setup.last_words()
        finally:
            setup.end()
        (folder / "init.sql").write_text(_INIT)
        self.program: Program | None = None

    @property
    def url(self) -> str:
        """What minisip.toml calls this database."""
        return f"mysql://minisip:secret@127.0.0.1:{self.port}/minisip"

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        argv = [find("mariadbd"), "--no-defaults", f"--datadir={self.folder / 'data'}"]
        argv += [f"--socket={self.folder / 'socket'}", f"--pid-file={self.folder / 'pid'}"]
        argv += [f"--port={self.port}", "--bind-address=127.0.0.1", *self._user]
        argv += [f"--init-file={self.folder / 'init.sql'}", "--innodb-buffer-pool-size=32M"]
        self.program = Program("mariadbd", argv, self.folder)
        until("MariaDB runs", self._answers, 60, why_not=self.program.last_words)

    def _answers(self) -> bool:
        try:
            self.query("SELECT 1")
        except pymysql.Error:
            return False
        return True

    def stop(self) -> None:
        """Stop it as systemd would."""
        if self.program:
            self.program.end(30)

    def query(self, sql: str) -> list[tuple[object, ...]]:
        """Return the rows of a query."""
        link = pymysql.connect(
            host="127.0.0.1", port=self.port, user="minisip", password="secret", database="minisip"
        )
        with link, link.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())
