"""How long a database that fails is left alone; on a fake clock."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, text

from pbx.store.database import local_engine
from pbx.store.main_database import DatabaseDown, MainDatabase


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = local_engine(tmp_path / "x.db")
    yield engine
    engine.dispose()


def bad(connection: Connection) -> None:
    connection.execute(text("SELECT * FROM no_table"))


def test_pauses_double_up_to_half_a_minute(engine: Engine) -> None:
    clock = Clock()
    main = MainDatabase(engine, clock)
    pauses = []
    for _ in range(7):
        with pytest.raises(DatabaseDown, match="no such table"):
            main.run(bad)
        pauses.append(main.pause())
    assert pauses == [1, 2, 4, 8, 16, 30, 30]
    clock.now += 29
    assert main.pause() == 1
    clock.now += 5
    assert main.pause() == 0


def test_it_is_well_again(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    main = MainDatabase(engine, Clock())
    assert (main.ok, main.why, main.pause()) == (True, "", 0)
    for _ in range(3):
        with pytest.raises(DatabaseDown):
            main.run(bad)
    down = main.ok
    assert not down
    assert main.run(lambda connection: connection.execute(text("SELECT 7")).scalar()) == 7
    assert (main.ok, main.why, main.pause()) == (True, "", 0)
    with pytest.raises(DatabaseDown):
        main.run(bad)
    assert main.pause() == 1
    levels = [record.levelname for record in caplog.records]
    assert levels == ["WARNING", "INFO", "WARNING"]


def test_what_failed_is_undone(engine: Engine) -> None:
    main = MainDatabase(engine, Clock())
    main.run(lambda connection: connection.execute(text("CREATE TABLE t (x INTEGER)")))

    def half(connection: Connection) -> None:
        connection.execute(text("INSERT INTO t VALUES (1)"))
        bad(connection)

    with pytest.raises(DatabaseDown):
        main.run(half)
    count = main.run(lambda connection: connection.execute(text("SELECT count(*) FROM t")).scalar())
    assert count == 0


@pytest.mark.parametrize("error", [OSError("gone"), RuntimeError("no cryptography")])
def test_what_a_driver_raises(engine: Engine, error: Exception) -> None:
    main = MainDatabase(engine, Clock())

    def fail() -> None:
        raise error

    with pytest.raises(DatabaseDown, match=str(error)):
        main.attempt(fail)
