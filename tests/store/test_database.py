"""The schema's history, and SQLite as it should be set."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, MetaData, Table, inspect, text

from pbx.config.database_url import parse_database
from pbx.store.database import (
    NewerDatabase,
    local_engine,
    make_durable,
    mariadb_engine,
    migrate,
    revision_of,
)
from pbx.store.rows import load_bindings
from pbx.store.schema import REVISION, metadata
from tests.store.history import bring_to, migrations, revisions
from tests.store.mariadb import MariaDb

ROOT = Path(__file__).parents[2]


@pytest.fixture
def engine(tmp_path: Path, main_database: tuple[str, MariaDb | None]) -> Iterator[Engine]:
    """An engine of each kind, on an empty database."""
    address = parse_database(main_database[0])
    engine = mariadb_engine(address) if address else local_engine(tmp_path / "minisip.db")
    yield engine
    engine.dispose()


def filled(table: Table) -> dict[str, object]:
    """A row with something in every column."""
    values: dict[type, object] = {str: "1", int: 1, bool: True}
    # What is left are doubles, in MariaDB's words or in SQLite's.
    return {column.name: values.get(column.type.python_type, 1.5) for column in table.columns}


class TestMigrations:
    def test_they_make_the_schema(self, engine: Engine) -> None:
        migrate(engine)
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, metadata) == []
            assert revision_of(connection) == REVISION

    def test_the_newest_is_the_one_that_the_schema_names(self) -> None:
        assert ScriptDirectory.from_config(migrations()).get_current_head() == REVISION

    def test_once_is_enough(self, engine: Engine) -> None:
        migrate(engine)
        migrate(engine)

    def test_an_interrupted_one_is_finished(self, engine: Engine) -> None:
        with engine.begin() as connection:
            metadata.tables["local_user"].create(connection)
            metadata.tables["cdr"].create(connection)
        migrate(engine)
        with engine.connect() as connection:
            assert set(metadata.tables) <= set(inspect(connection).get_table_names())
            assert revision_of(connection) == REVISION

    @pytest.mark.parametrize("revision", revisions()[:-1])
    def test_what_an_older_version_has_kept_stays(self, engine: Engine, revision: str) -> None:
        bring_to(engine, revision)
        before = MetaData()
        before.reflect(engine)
        tables = [table for name, table in before.tables.items() if name != "alembic_version"]
        assert len(tables) >= 6
        with engine.begin() as connection:
            for table in tables:
                connection.execute(table.insert().values(filled(table)))
        migrate(engine)
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, metadata) == []
            for table in tables:
                (row,) = connection.execute(table.select())
                changed = {"behind_nat"} if revision == "0001" else set()
                wanted = {key: value for key, value in filled(table).items() if key not in changed}
                assert {key: row._mapping[key] for key in wanted} == wanted

    def test_registrations_of_an_older_version_stay(self, engine: Engine) -> None:
        """Whether their phones are behind a NAT was never asked: they are reached as they were."""
        bring_to(engine, "0001")
        with engine.begin() as connection:
            connection.execute(
                text(
                    "INSERT INTO binding VALUES ('100', 0, 'sip:100@10.0.0.7', 'c', 1, 'udp', "
                    "'203.0.113.9', 1024, '192.0.2.1', 5060, 1e9, 0, '', '[]', '', '')"
                )
            )
        migrate(engine)
        with engine.connect() as connection:
            (row,) = load_bindings(connection)
        assert (row.contact, row.behind_nat, row.reg_id, row.features) == (
            "sip:100@10.0.0.7",
            True,
            0,
            "",
        )

    def test_a_newer_database_is_not_touched(self, engine: Engine) -> None:
        migrate(engine)
        with engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(NewerDatabase, match="9999"):
            migrate(engine)

    def test_an_empty_version_table(self, engine: Engine) -> None:
        migrate(engine)
        with engine.begin() as connection:
            connection.execute(text("DELETE FROM alembic_version"))
        migrate(engine)

    def test_alembic_is_loaded_only_when_it_runs(self, tmp_path: Path) -> None:
        program = (
            "import sys; from pathlib import Path;"
            "from pbx.config.settings import Settings; from pbx.store.repository import Store;"
            "store = Store(Path(sys.argv[1]), Settings(), lambda call: None);"
            "store.open(); store.close(); print('alembic' in sys.modules)"
        )
        argv = [sys.executable, "-c", program, str(tmp_path)]
        runs = [
            subprocess.run(argv, cwd=ROOT, check=True, capture_output=True).stdout for _ in range(2)
        ]
        assert runs == [b"True\n", b"False\n"]


class TestMariaDb:
    @pytest.mark.interop
    def test_every_table_takes_all_of_unicode(self, mariadb: MariaDb) -> None:
        url = mariadb.new_database()
        address = parse_database(url)
        assert address is not None
        engine = mariadb_engine(address)
        migrate(engine)
        engine.dispose()
        found = mariadb.query(
            "SELECT DISTINCT engine, table_collation FROM information_schema.tables"
            " WHERE table_schema = database() AND table_name <> 'alembic_version'",
            url,
        )
        assert found == [("InnoDB", "utf8mb4_nopad_bin")]


class TestSqlite:
    def test_write_ahead_log(self, tmp_path: Path) -> None:
        engine = local_engine(tmp_path / "minisip.db")
        with engine.connect() as connection:
            assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
            assert connection.execute(text("PRAGMA synchronous")).scalar() == 1
        engine.dispose()

    def test_what_a_person_changed_is_put_on_the_disk(self, tmp_path: Path) -> None:
        engine = local_engine(tmp_path / "minisip.db")
        migrate(engine)
        log = tmp_path / "minisip.db-wal"
        assert log.stat().st_size > 0
        make_durable(engine)
        assert log.stat().st_size == 0
        engine.dispose()
