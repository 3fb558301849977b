"""A store under test, with a thread that takes what it delivers: the test's own."""

import queue
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pbx.config.settings import Settings, SipSettings
from pbx.store.record_file import COLUMNS, HEADER, encode_line
from pbx.store.repository import Store
from tests.interop.waiting import until
from tests.store.mariadb import MariaDb

PATIENCE_S = 60.0


class Kept:
    """A store in a folder; `url` and `server` say which main database.

    Args:
        folder: the data folder.
        url: the `database` setting.
        server: MariaDB, where `url` is one.
    """

    def __init__(
        self, folder: Path, url: str = "", server: MariaDb | None = None, realm: str = "house"
    ) -> None:
        self.folder = folder
        self.url = url
        self.server = server
        (folder / "cdr").mkdir(exist_ok=True)
        self._delivered: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        settings = Settings(database=url, sip=SipSettings(realm=realm))
        self.changes = 0
        self.store = Store(folder, settings, self._delivered.put, self._changed, wall=lambda: 1e9)
        self.first = self.store.open()

    def _changed(self) -> None:
        self.changes += 1

    def close(self) -> None:
        self.store.close()
        while not self._delivered.empty():
            self._delivered.get()()

    def reopened(self, url: str | None = None, realm: str = "house") -> "Kept":
        """Close the store and return another on the same folder."""
        self.close()
        return Kept(self.folder, self.url if url is None else url, self.server, realm)

    def ask(self, question: Callable[[Callable[[Any], None]], None]) -> object:
        """Return what a command of the store answers."""
        answers: list[object] = []
        question(answers.append)
        while not answers:
            self._take()
        return answers[0]

    def until(self, true: Callable[[], object]) -> None:
        """Take what is delivered until something has become true."""

        def look() -> bool:
            while not self._delivered.empty():
                self._take()
            return bool(true())

        until("the store is as expected", look, PATIENCE_S)

    def until_fed(self) -> None:
        """Wait until the main database has all records that the store was told of."""
        self.done_so_far()
        self.until(lambda: self.store.status.ok and not self.store.status.records_waiting)

    def done_so_far(self) -> None:
        """Wait until the writer has done every job that it was given so far."""
        self.ask(lambda done: self.store.remove_user("no such user", done))

    def _take(self) -> None:
        self._delivered.get(timeout=PATIENCE_S)()

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        """Ask the main database as another program does."""
        if self.server is not None and self.url:
            return self.server.query(sql, self.url)
        return self.local_rows(sql)

    def local_rows(self, sql: str) -> list[tuple[object, ...]]:
        connection = sqlite3.connect(self.folder / "minisip.db")
        try:
            rows = connection.execute(sql).fetchall()
            connection.commit()
        finally:
            connection.close()
        return rows


class Records:
    """A record file that grows, as the ledger writes it.

    Args:
        folder: the data folder.
        day: names the file.
    """

    def __init__(self, folder: Path, day: str = "20270115") -> None:
        self.path = folder / "cdr" / f"CDR_{day}.csv"

    def write(self, *numbers: int, **values: str) -> int:
        """Append records and return where the file ends."""
        lines = [encode_line(self.values(number, **values)) for number in numbers]
        return self.append(b"".join(lines))

    def append(self, data: bytes) -> int:
        new = not self.path.exists()
        with self.path.open("ab") as file:
            file.write(HEADER * new + data)
        return self.path.stat().st_size

    @staticmethod
    def values(number: int, **values: str) -> list[str]:
        filled = {
            "record_id": f"{number:016x}-LO",
            "call_id": f"call-{number}@phone",
            "cdr_type": "LO",
            "caller_number": "+8613901088888",
            "dialed_number": "0101",
            "setup_time": "2027-01-15T08:00:00.000+00:00",
            "release_time": "2027-01-15T08:00:20.000+00:00",
            "duration": "12.250",
            "fci": "callTag=102;cause=16",
            **values,
        }
        return [filled.get(column, "") for column in COLUMNS]
