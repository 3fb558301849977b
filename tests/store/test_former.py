"""The copy of the database from before a migration, and the way back to it."""

import sqlite3
from pathlib import Path

import pytest
from alembic import op
from sqlalchemy import inspect

from pbx.errors import StartError
from pbx.locale import choose
from pbx.store import former
from pbx.store.database import local_engine, migrate, revision_of
from pbx.store.schema import REVISION
from tests.store.history import bring_to
from tests.store.kept import Kept

NEWER = "9999"


def rows(path: Path, sql: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """The database of the first version, with a user."""
    path = tmp_path / "minisip.db"
    engine = local_engine(path)
    bring_to(engine, "0001")
    engine.dispose()
    connection = sqlite3.connect(path)
    connection.execute(
        "INSERT INTO local_user VALUES ('105', 'Old', '', '', 'house', 'MD5', 1)",
    )
    connection.execute("INSERT INTO setting VALUES ('config_version', '7')")
    connection.commit()
    connection.close()
    return path


def updated(path: Path) -> Path:
    """A newer program has migrated the database of this one, and a user was added since."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    former.keep(path, REVISION)
    connection.execute(
        "INSERT INTO local_user (number, display_name, ha1_md5, ha1_sha256, realm, algorithm, enabled) VALUES ('106', 'New', '', '', 'house', 'MD5', 1)"
    )
    connection.execute(f"UPDATE alembic_version SET version_num = '{NEWER}'")
    connection.commit()
    connection.close()
    return path


class TestKeep:
    def test_what_is_migrated_is_copied_first(self, old: Path, tmp_path: Path) -> None:
        kept = Kept(tmp_path)
        assert list(kept.first.users) == ["105"]
        kept.close()
        copy = tmp_path / "minisip-0001.db"
        assert copy.stat().st_mode & 0o777 == 0o600
        assert rows(copy, "SELECT number FROM local_user") == [("105",)]
        assert rows(copy, "SELECT version_num FROM alembic_version") == [("0001",)]
        assert rows(old, "SELECT version_num FROM alembic_version") == [(REVISION,)]
        assert kept.store.left_behind is None

    def test_a_new_database_and_one_that_is_up_to_date_are_not(self, tmp_path: Path) -> None:
        Kept(tmp_path).reopened().close()
        assert list(tmp_path.glob("minisip-*")) == []

    def test_only_the_last_one_stays(self, old: Path, tmp_path: Path) -> None:
        (tmp_path / "minisip-0000.db").touch()
        (tmp_path / "minisip-mine.db").touch()
        (tmp_path / "minisip-9999.db").touch()
        Kept(tmp_path).close()
        names = sorted(path.name for path in tmp_path.glob("minisip-*.db"))
        assert names == ["minisip-0001.db", "minisip-9999.db", "minisip-mine.db"]

    def test_without_room_for_it_the_exchange_starts(
        self, old: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        (tmp_path / "minisip-0001.part").mkdir()
        kept = Kept(tmp_path)
        assert list(kept.first.users) == ["105"]
        kept.close()
        assert "no copy of the database is kept" in caplog.text
        assert not (tmp_path / "minisip-0001.db").exists()


class TestGoingBack:
    @pytest.fixture
    def newer(self, tmp_path: Path) -> Path:
        Kept(tmp_path).close()
        return updated(tmp_path / "minisip.db")

    def test_what_was_before_is_there_again(self, newer: Path, tmp_path: Path) -> None:
        kept = Kept(tmp_path)
        assert list(kept.first.users) == ["100", "101", "102"]
        left = kept.store.left_behind
        kept.close()
        assert left == tmp_path / f"minisip-{NEWER}.db"
        assert ("106",) in rows(left, "SELECT number FROM local_user")
        assert left.stat().st_mode & 0o777 == 0o600
        # Nothing goes back twice.
        again = kept.reopened()
        again.close()
        assert list(again.first.users) == ["100", "101", "102"]

    def test_and_forward_again(self, newer: Path, tmp_path: Path) -> None:
        Kept(tmp_path).close()
        updated(newer)
        kept = Kept(tmp_path)
        assert list(kept.first.users) == ["100", "101", "102"]
        left = kept.store.left_behind
        kept.close()
        assert left is not None
        left.unlink()
        assert kept.store.left_behind is None

    def test_a_copy_of_a_still_older_version_is_migrated(self, old: Path, tmp_path: Path) -> None:
        """Whoever went from the first version to a newer one, and back to this one."""
        former.keep(old, "0001")
        connection = sqlite3.connect(old)
        connection.execute(f"UPDATE alembic_version SET version_num = '{NEWER}'")
        connection.commit()
        connection.close()
        kept = Kept(tmp_path)
        kept.close()
        assert list(kept.first.users) == ["105"]
        assert rows(old, "SELECT version_num FROM alembic_version") == [(REVISION,)]

    def test_a_power_cut_on_the_way(
        self, newer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        choose("en")
        with monkeypatch.context() as patch:
            patch.setattr(former, "_put", lambda part, target: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                Kept(tmp_path)
        assert ("106",) in rows(newer, "SELECT number FROM local_user")
        kept = Kept(tmp_path)
        kept.close()
        assert list(kept.first.users) == ["100", "101", "102"]

    def test_without_a_copy_it_says_so(self, newer: Path, tmp_path: Path) -> None:
        choose("en")
        former.former(newer, REVISION).unlink()
        with pytest.raises(StartError, match="no copy from before") as refused:
            Kept(tmp_path)
        assert refused.value.exit_code == 65

    def test_a_copy_that_is_none_changes_nothing(self, newer: Path, tmp_path: Path) -> None:
        choose("en")
        former.former(newer, REVISION).write_bytes(b"This is a letter to my aunt.\n" * 100)
        with pytest.raises(StartError, match="no copy from before"):
            Kept(tmp_path)
        assert ("106",) in rows(newer, "SELECT number FROM local_user")


def test_a_migration_that_fails_is_undone_whole(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError("no space left")

    engine = local_engine(old)
    with monkeypatch.context() as patch:
        # The last step of the last migration; those before it have changed tables.
        patch.setattr(op, "create_table", full)
        with pytest.raises(OSError, match="no space left"):
            migrate(engine)
    with engine.connect() as connection:
        assert revision_of(connection) == "0001"
        columns = {column["name"] for column in inspect(connection).get_columns("binding")}
        assert "reg_id" not in columns
    migrate(engine)
    engine.dispose()
