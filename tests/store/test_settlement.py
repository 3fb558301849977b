"""An exchange that comes back to MariaDB: which configuration holds, and that none is lost."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from pbx.errors import CommandError
from tests.store.kept import Kept
from tests.store.mariadb import MariaDb

pytestmark = pytest.mark.interop

Opened = Callable[[Kept], Kept]


@pytest.fixture
def url(mariadb: MariaDb) -> str:
    return mariadb.new_database()


@pytest.fixture
def ours(tmp_path: Path, mariadb: MariaDb, url: str) -> Kept:
    """An exchange that has MariaDB's configuration: users 100 to 102."""
    (tmp_path / "ours").mkdir()
    kept = Kept(tmp_path / "ours", url, mariadb)
    kept.done_so_far()
    return kept


def add(kept: Kept, number: str) -> None:
    kept.ask(lambda done: kept.store.add_user(number, None, "", done))


def alone(kept: Kept, *numbers: str) -> Kept:
    """Have an exchange go on with the embedded database and get users there; it is closed then."""
    kept = kept.reopened("")
    for number in numbers:
        add(kept, number)
    kept.close()
    return kept


def elsewhere(ours: Kept, number: str) -> None:
    """Have another exchange on the same MariaDB get a user."""
    folder = ours.folder.with_name(f"with-{number}")
    folder.mkdir()
    theirs = Kept(folder, ours.url, ours.server)
    add(theirs, number)
    theirs.close()


def back(kept: Kept, url: str, server: MariaDb) -> Kept:
    """Open an exchange on MariaDB, and wait until it has made up its mind."""
    again = Kept(kept.folder, url, server)
    again.done_so_far()
    return again


def beyond_the_first(kept: Kept) -> list[str]:
    return sorted(set(kept.store.snapshot.users) - {"100", "101", "102"})


def in_mariadb(server: MariaDb, url: str) -> list[str]:
    found = server.query("SELECT number FROM local_user WHERE number > '102' ORDER BY 1", url)
    return [str(row[0]) for row in found]


def users_kept(kept: Kept) -> list[list[str]]:
    return [
        [user.number for user in one.users if user.number > "102"]
        for one in kept.store.replaced.values()
    ]


def test_what_was_changed_here_alone_comes_into_mariadb(
    ours: Kept, mariadb: MariaDb, url: str, opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    again = opened(back(alone(ours, "103"), url, mariadb))
    assert beyond_the_first(again) == in_mariadb(mariadb, url) == ["103"]
    assert not again.store.replaced
    assert "MariaDB gets this machine's" in caplog.text
    # And from then on both are the same again.
    again.close()
    elsewhere(again, "104")
    later = opened(back(again, url, mariadb))
    assert beyond_the_first(later) == ["103", "104"]
    assert not later.store.replaced


def test_what_was_changed_in_mariadb_alone_comes_here(
    ours: Kept, mariadb: MariaDb, url: str, opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    elsewhere(ours, "104")
    again = opened(back(alone(ours), url, mariadb))
    assert beyond_the_first(again) == ["104"]
    assert not again.store.replaced
    assert "is kept" not in caplog.text


class TestBothWereChanged:
    @pytest.fixture
    def again(self, ours: Kept, mariadb: MariaDb, url: str, opened: Opened) -> Kept:
        local = alone(ours, "103")
        elsewhere(ours, "104")
        return opened(back(local, url, mariadb))

    def test_mariadbs_holds_and_ours_is_kept(
        self, again: Kept, mariadb: MariaDb, url: str, opened: Opened
    ) -> None:
        assert beyond_the_first(again) == in_mariadb(mariadb, url) == ["104"]
        assert users_kept(again) == [["103"]]
        # It is told once, and stays until somebody has decided.
        later = opened(again.reopened())
        later.done_so_far()
        assert users_kept(later) == [["103"]]
        for command in (later.store.restore_configuration, later.store.discard_configuration):
            told = later.ask(partial(command, 7))
            assert isinstance(told, CommandError)
            assert told.code == "unknown-configuration"
        assert users_kept(later) == [["103"]]

    def test_ours_is_restored_and_mariadbs_kept_in_its_turn(
        self, again: Kept, mariadb: MariaDb, url: str, opened: Opened
    ) -> None:
        before = again.store.snapshot.version
        assert again.ask(partial(again.store.restore_configuration, 1)) is None
        assert beyond_the_first(again) == in_mariadb(mariadb, url) == ["103"]
        assert again.store.snapshot.version == before + 1
        assert users_kept(again) == [["104"]]
        later = opened(again.reopened())
        later.done_so_far()
        assert beyond_the_first(later) == ["103"]
        (number,) = later.store.replaced
        assert later.ask(partial(later.store.discard_configuration, number)) is None
        assert not later.store.replaced
        assert not opened(later.reopened()).store.replaced

    def test_without_mariadb_nothing_is_restored(self, again: Kept, mariadb: MariaDb) -> None:
        mariadb.stop()
        told = again.ask(partial(again.store.restore_configuration, 1))
        assert isinstance(told, CommandError)
        assert told.code == "database-down"
        assert beyond_the_first(again) == ["104"]
        assert users_kept(again) == [["103"]]


def test_an_older_mariadb_from_a_dump_costs_nothing(
    ours: Kept, mariadb: MariaDb, url: str, opened: Opened
) -> None:
    again = ours.reopened()
    add(again, "103")
    again.close()
    mariadb.query("DELETE FROM local_user WHERE number = '103'", url)
    mariadb.query("UPDATE setting SET value = '1' WHERE `key` = 'config_version'", url)
    later = opened(back(again, url, mariadb))
    assert beyond_the_first(later) == []
    assert users_kept(later) == [["103"]]


@pytest.mark.parametrize(("number", "kept"), [("", []), ("103", [["103"]])])
def test_after_a_version_that_noted_nothing(
    number: str,
    kept: list[list[str]],
    ours: Kept,
    mariadb: MariaDb,
    url: str,
    opened: Opened,
) -> None:
    """Where both are the same that is no matter; else nobody knows which of them is newer."""
    local = alone(ours, *filter(None, [number]))
    local.local_rows("DELETE FROM setting WHERE key = 'configuration_origin'")
    mariadb.query("DELETE FROM setting WHERE `key` = 'configuration_id'", url)
    again = opened(back(local, url, mariadb))
    assert beyond_the_first(again) == []
    assert users_kept(again) == kept


def test_what_can_not_be_kept_now_is_kept_later(
    ours: Kept, mariadb: MariaDb, url: str, opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    local = alone(ours, "103")
    elsewhere(ours, "104")
    mariadb.stop()
    again = opened(Kept(local.folder, url, mariadb))
    assert beyond_the_first(again) == ["103"]
    # The disk takes no users, as if it were full.
    again.local_rows(
        "CREATE TRIGGER full BEFORE INSERT ON local_user BEGIN SELECT RAISE(FAIL, 'full'); END"
    )
    mariadb.start()
    again.until(lambda: beyond_the_first(again) == ["104"])
    again.done_so_far()
    assert "could not be kept: full" in caplog.text
    assert not again.store.replaced
    again.local_rows("DROP TRIGGER full")
    add(again, "105")
    assert beyond_the_first(again) == ["104", "105"]
    assert users_kept(again) == [["103"]]
