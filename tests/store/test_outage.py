"""MariaDB away: nothing waits for it, nothing is lost, nothing is doubled."""

import logging
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from pbx.cdr.ledger import Ledger
from pbx.config.data_folder import DataFolder
from pbx.config.settings import CdrSettings
from pbx.errors import CommandError
from pbx.store.snapshot import Account
from tests.cdr.samples import OFFSET_S, UTC, facts
from tests.interop.waiting import until
from tests.store.kept import Kept, Records
from tests.store.mariadb import MariaDb

pytestmark = pytest.mark.interop

Opened = Callable[[Kept], Kept]


@pytest.fixture
def url(mariadb: MariaDb) -> str:
    return mariadb.new_database()


def ids(server: MariaDb, url: str) -> list[str]:
    rows = server.query("SELECT record_id FROM cdr ORDER BY record_id", url)
    return [str(row[0]) for row in rows]


class TestStream:
    """Records come all the time, from the ledger, while MariaDB comes and goes."""

    CALLS = 600

    @pytest.fixture
    def ledger(self, tmp_path: Path, mariadb: MariaDb, url: str) -> Iterator[tuple[Ledger, Kept]]:
        folder = DataFolder(tmp_path)
        folder.open()
        kept = Kept(tmp_path, url, mariadb)
        ledger = Ledger(folder, kept.store, CdrSettings(sides=("LO", "LT")), zone=UTC)
        ledger.open()
        yield ledger, kept
        ledger.close()
        kept.close()
        folder.close()

    @pytest.mark.parametrize("end", ["stop", "kill"])
    def test_none_is_lost_and_none_doubled(
        self, ledger: tuple[Ledger, Kept], mariadb: MariaDb, url: str, end: str
    ) -> None:
        records, kept = ledger
        numbers = iter(range(self.CALLS))
        wanted = [f"{n:016x}-{side}" for n in range(self.CALLS) for side in ("LO", "LT")]

        def some(count: int) -> None:
            for number in (next(numbers) for _ in range(count)):
                call = facts(id=f"{number:016x}")
                records.changed(call, OFFSET_S)
                records.ended(call, OFFSET_S)

        some(100)
        until("the first arrive", lambda: len(ids(mariadb, url)) == 200)
        some(100)
        # records are on their way while it goes
        getattr(mariadb, end)()
        some(100)
        until("MariaDB's going is noticed", lambda: not kept.store.status.ok, 20)
        until("records wait", lambda: kept.store.status.records_waiting >= 200, 20)
        mariadb.start()
        some(100)
        until("all arrive", lambda: len(ids(mariadb, url)) == 800, 60)
        getattr(mariadb, end)()
        some(100)
        mariadb.start()
        some(100)
        until("all arrive", lambda: len(ids(mariadb, url)) == len(wanted), 60)
        kept.until_fed()
        assert ids(mariadb, url) == sorted(wanted)
        rows = mariadb.query("SELECT count(*), sum(duration) FROM cdr", url)
        assert rows == [(len(wanted), len(wanted) * 12.25)]


class TestDown:
    def test_a_start_without_it(
        self, tmp_path: Path, mariadb: MariaDb, url: str, opened: Opened
    ) -> None:
        before = Kept(tmp_path, url, mariadb)
        before.ask(lambda done: before.store.add_user("103", None, "Bob", done))
        records = Records(tmp_path)
        before.store.record_written(records.path, records.write(1))
        before.until_fed()
        before.close()
        mariadb.stop()
        records.write(2, 3)
        kept = opened(Kept(tmp_path, url, mariadb))
        assert kept.first == before.store.snapshot
        kept.until(lambda: not kept.store.status.ok)
        assert kept.store.status.records_waiting == 2
        assert "refused" in kept.store.status.why
        kept.store.record_written(records.path, records.write(4))
        kept.until(lambda: kept.store.status.records_waiting == 3)
        mariadb.start()
        kept.until_fed()
        assert len(ids(mariadb, url)) == 4

    def test_a_first_start_without_it(
        self, tmp_path: Path, mariadb: MariaDb, url: str, opened: Opened
    ) -> None:
        mariadb.stop()
        kept = opened(Kept(tmp_path, url, mariadb))
        assert sorted(kept.first.users) == ["100", "101", "102"]
        mariadb.start()
        kept.until(lambda: kept.store.status.ok)
        kept.done_so_far()
        found = mariadb.query("SELECT number, ha1_md5 FROM local_user ORDER BY number", url)
        assert found == [(user.number, user.ha1_md5) for user in kept.first.users.values()]
        assert kept.store.snapshot == kept.first
        assert len(kept.store.initial_passwords()) == 3

    def test_a_first_start_without_the_one_that_has_users_already(
        self, tmp_path: Path, mariadb: MariaDb, url: str, opened: Opened
    ) -> None:
        (tmp_path / "old").mkdir()
        (tmp_path / "new").mkdir()
        old = Kept(tmp_path / "old", url, mariadb)
        old.ask(lambda done: old.store.add_user("103", None, "Bob", done))
        old.close()
        mariadb.stop()
        kept = opened(Kept(tmp_path / "new", url, mariadb))
        assert "103" not in kept.first.users
        mariadb.start()
        kept.until(lambda: "103" in kept.store.snapshot.users)
        assert kept.store.snapshot == old.store.snapshot
        assert kept.store.initial_passwords() == {}
        assert kept.changes > 0

    def test_commands_are_refused_and_carried_out_later(
        self, tmp_path: Path, mariadb: MariaDb, url: str, opened: Opened
    ) -> None:
        kept = opened(Kept(tmp_path, url, mariadb))
        kept.done_so_far()
        mariadb.stop()
        told = kept.ask(lambda done: kept.store.add_user("103", None, "", done))
        assert isinstance(told, CommandError)
        assert told.code == "database-down"
        assert "103" not in kept.store.snapshot.users
        mariadb.start()
        # a command asks at once, whenever the next try is due
        assert isinstance(
            kept.ask(lambda done: kept.store.add_user("103", None, "", done)), Account
        )
        assert kept.store.status.ok

    def test_registrations_are_kept_all_the_same(
        self, tmp_path: Path, mariadb: MariaDb, url: str, opened: Opened
    ) -> None:
        kept = opened(Kept(tmp_path, url, mariadb))
        mariadb.stop()
        kept.ask(lambda done: kept.store.add_user("103", None, "", done))
        kept.store.save_bindings("100", [])
        mariadb.start()
        again = opened(kept.reopened())
        assert again.store.bindings() == []

    def test_a_server_that_says_nothing(
        self, tmp_path: Path, mariadb: MariaDb, url: str, opened: Opened
    ) -> None:
        before = Kept(tmp_path, url, mariadb)
        before.done_so_far()
        before.close()
        mariadb.freeze()
        kept = opened(Kept(tmp_path, url, mariadb))
        assert kept.first == before.store.snapshot
        kept.until(lambda: not kept.store.status.ok)
        mariadb.thaw()
        kept.until_fed()

    def test_a_chinese_password_is_one_like_any_other(
        self, tmp_path: Path, mariadb: MariaDb, url: str, opened: Opened
    ) -> None:
        chinese = url.replace("geheim", "%E4%B8%AD%E6%96%87")
        kept = opened(Kept(tmp_path, chinese, mariadb))
        kept.done_so_far()
        assert kept.store.status.ok
        assert kept.rows("SELECT count(*) FROM local_user") == [(3,)]

    def test_wrong_password_and_missing_database(
        self, tmp_path: Path, mariadb: MariaDb, url: str, opened: Opened
    ) -> None:
        kept = opened(Kept(tmp_path, url + "x", mariadb))
        kept.until(lambda: not kept.store.status.ok)
        assert "Unknown database" in kept.store.status.why
        assert "geheim" not in kept.store.status.why
        assert len(kept.first.users) == 3


class TestChangeOfDatabase:
    def test_from_sqlite_to_mariadb_users_and_records_come_along(
        self, tmp_path: Path, mariadb: MariaDb, url: str, opened: Opened
    ) -> None:
        first = Kept(tmp_path)
        first.ask(lambda done: first.store.add_user("103", None, "Bob", done))
        records = Records(tmp_path)
        first.store.record_written(records.path, records.write(1, 2))
        first.until_fed()
        second = opened(first.reopened(url))
        second.server = mariadb
        second.until_fed()
        assert second.store.snapshot == first.store.snapshot
        assert len(mariadb.query("SELECT * FROM local_user", url)) == 4
        until("the records come along", lambda: len(ids(mariadb, url)) == 2)

    def test_and_back(self, tmp_path: Path, mariadb: MariaDb, url: str, opened: Opened) -> None:
        first = Kept(tmp_path, url, mariadb)
        first.ask(lambda done: first.store.add_user("103", None, "Bob", done))
        second = opened(first.reopened(""))
        assert second.first == first.store.snapshot
        assert second.store.status.database == "sqlite"

    @pytest.mark.parametrize("noted_as_before", [False, True])
    def test_each_database_gets_the_records_of_the_others_time(
        self, tmp_path: Path, mariadb: MariaDb, url: str, noted_as_before: bool
    ) -> None:
        records = Records(tmp_path)
        kept = Kept(tmp_path, "", mariadb)
        embedded = "SELECT record_id FROM cdr ORDER BY record_id"
        wanted: list[tuple[object, ...]] = []
        for turn, database in enumerate(["", url, "", url], 1):
            kept = kept.reopened(database)
            kept.store.record_written(records.path, records.write(turn))
            kept.until_fed()
            wanted.append((f"{turn:016x}-LO",))
            rows = [(one,) for one in ids(mariadb, url)] if database else kept.local_rows(embedded)
            assert rows == wanted
            if noted_as_before:
                # One position for both, as older versions had it
                kept.close()
                kept.local_rows(
                    "UPDATE OR REPLACE cdr_position SET file = replace(file, '-mariadb/', '/')"
                )
                kept = Kept(tmp_path, database, mariadb)
        kept.close()

    def test_what_waits_is_counted_by_mariadbs_own_position(
        self, tmp_path: Path, mariadb: MariaDb, url: str, opened: Opened
    ) -> None:
        records = Records(tmp_path)
        first = Kept(tmp_path, url, mariadb)
        first.store.record_written(records.path, records.write(1))
        first.until_fed()
        second = first.reopened("")
        second.store.record_written(records.path, records.write(2, 3))
        second.until_fed()
        second.close()
        mariadb.stop()
        third = opened(Kept(tmp_path, url, mariadb))
        third.until(lambda: not third.store.status.ok)
        assert third.store.status.records_waiting == 2

    def test_a_newer_schema_is_left_alone(
        self,
        tmp_path: Path,
        mariadb: MariaDb,
        url: str,
        opened: Opened,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        caplog.set_level(logging.WARNING)
        first = Kept(tmp_path, url, mariadb)
        first.done_so_far()
        first.close()
        mariadb.query("UPDATE alembic_version SET version_num = '9999'", url)
        kept = opened(Kept(tmp_path, url, mariadb))
        kept.until(lambda: not kept.store.status.ok)
        assert "9999" in kept.store.status.why
        assert kept.first == first.store.snapshot
        told = kept.ask(partial(kept.store.remove_user, "100"))
        assert isinstance(told, CommandError)

    def test_another_server_in_its_place_gets_everything(
        self, tmp_path: Path, mariadb: MariaDb, url: str, opened: Opened
    ) -> None:
        kept = opened(Kept(tmp_path, url, mariadb))
        records = Records(tmp_path)
        kept.store.record_written(records.path, records.write(1))
        kept.until_fed()
        name = url.rpartition("/")[2]
        mariadb.query(f"DROP DATABASE {name}", "")
        kept.store.record_written(records.path, records.write(2))
        kept.until(lambda: not kept.store.status.ok)
        mariadb.query(f"CREATE DATABASE {name}", "")
        kept.until_fed()
        until("all the records come", lambda: len(ids(mariadb, url)) == 2)
        assert len(mariadb.query("SELECT * FROM local_user", url)) == 3


class TestCopy:
    """The copy in the data folder can't be written; MariaDB has everything all the same."""

    @pytest.fixture
    def kept(self, tmp_path: Path, mariadb: MariaDb, url: str, opened: Opened) -> Kept:
        kept = opened(Kept(tmp_path, url, mariadb))
        kept.done_so_far()
        return kept

    def test_of_the_configuration(
        self, kept: Kept, mariadb: MariaDb, url: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        kept.local_rows("ALTER TABLE local_user RENAME TO hidden")
        told = kept.ask(lambda done: kept.store.add_user("103", None, "", done))
        assert isinstance(told, Account)
        assert "103" in kept.store.snapshot.users
        assert "configuration could not be kept" in caplog.text
        kept.local_rows("ALTER TABLE hidden RENAME TO local_user")

    def test_of_the_position(
        self, kept: Kept, mariadb: MariaDb, url: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        kept.local_rows("ALTER TABLE cdr_position RENAME TO hidden")
        records = Records(kept.folder)
        kept.store.record_written(records.path, records.write(1))
        kept.until_fed()
        until("the record is there", lambda: len(ids(mariadb, url)) == 1)
        until("the failure is logged", lambda: "could not be copied" in caplog.text)
