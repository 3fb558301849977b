"""A kept configuration comes into use again, and the one that was in use is not lost for it."""

from collections.abc import Callable
from functools import partial

import pytest

from pbx.errors import CommandError
from pbx.store.database import local_engine
from pbx.store.local_copy import LocalCopy
from pbx.store.replaced import Replaced, keep
from pbx.store.snapshot import LocalUser, Snapshot
from tests.store.kept import Kept

Opened = Callable[[Kept], Kept]

FIRST = ["100", "101", "102"]


@pytest.fixture
def restoring(kept: Kept, opened: Opened) -> Kept:
    """A store that has its first users, and keeps a configuration with user 103 as number 1."""
    kept.done_so_far()
    kept.close()
    engine = local_engine(kept.folder / "minisip.db")
    with engine.begin() as connection:
        keep(connection, Replaced.of(Snapshot.of(7, [LocalUser("103", "", "m", "s")]), 1e9))
    engine.dispose()
    return back(kept, opened)


def back(kept: Kept, opened: Opened) -> Kept:
    again = opened(kept.reopened())
    again.done_so_far()
    return again


def restore(kept: Kept) -> object:
    return kept.ask(partial(kept.store.restore_configuration, 1))


def in_use(kept: Kept) -> list[str]:
    return sorted(kept.store.snapshot.users)


def kept_users(kept: Kept) -> list[list[str]]:
    return [[user.number for user in one.users] for one in kept.store.replaced.values()]


def test_what_can_not_be_kept_stays_in_use(restoring: Kept, opened: Opened) -> None:
    restoring.local_rows(
        "CREATE TRIGGER full BEFORE INSERT ON kept_state BEGIN SELECT RAISE(FAIL, 'full'); END"
    )
    told = restore(restoring)
    assert isinstance(told, CommandError)
    # The embedded database is the main one, too.
    assert told.code == ("configuration-not-kept" if restoring.url else "database-down")
    assert in_use(restoring) == FIRST
    assert kept_users(restoring) == [["103"]]
    restoring.local_rows("DROP TRIGGER full")
    assert in_use(back(restoring, opened)) == FIRST


def test_an_exchange_that_dies_in_between_has_lost_nothing(
    restoring: Kept, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as dying:
        dying.setattr(LocalCopy, "keep", lambda self, snapshot: None)
        assert restore(restoring) is None
        restoring.close()
    again = back(restoring, opened)
    assert in_use(again) == ["103"]
    assert FIRST in kept_users(again)
