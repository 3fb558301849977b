"""Engines for the two kinds of database, and their migrations."""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.pool import QueuePool

from pbx.config.database_url import DatabaseAddress
from pbx.locale import say
from pbx.store.schema import REVISION

CONNECT_S = 3
"""How long MariaDB may take to accept a connection; it is a neighbour, or it is down."""

ANSWER_S = 5
"""How long MariaDB may take to answer. Nothing but the writer thread ever waits for it."""


class NewerDatabase(Exception):
    """A newer program has changed the schema; this one would spoil it."""

    def __init__(self, revision: str) -> None:
        super().__init__(say("database-newer-tables", revision=revision, ours=REVISION))
        self.revision = revision


def make_private(path: Path) -> None:
    """Make the file where it is missing, for its owner only; SQLite's side files follow it.

    Raises:
        OSError: it can be neither made nor written to.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def local_engine(path: Path) -> Engine:
    """Return an engine for the embedded SQLite file.

    Write-ahead log and ``synchronous=NORMAL``: a commit waits for no SD card; a power cut may
    take the last moment's commits, but never the consistency.
    """
    engine = create_engine(
        URL.create("sqlite", database=str(path)), poolclass=QueuePool, hide_parameters=True
    )
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=5000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def mariadb_engine(address: DatabaseAddress) -> Engine:
    """Return an engine for MariaDB with one connection, which gives up soon."""
    url = URL.create(
        "mysql+pymysql",
        username=address.user,
        host=address.host,
        port=address.port,
        database=address.name,
    )
    return create_engine(
        url,
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        # A connection that died while nobody used it (wait_timeout) is noticed and replaced.
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={
            "charset": "utf8mb4",
            # As octets: PyMySQL would take a text for Latin-1, and has no Chinese password.
            "password": address.password.encode(),
            "connect_timeout": CONNECT_S,
            "read_timeout": ANSWER_S,
            "write_timeout": ANSWER_S,
        },
    )


def make_durable(engine: Engine) -> None:
    """Put what SQLite has committed on the disk now; MariaDB does so by itself."""
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))


def revision_of(connection: Connection) -> str:
    """Return the migration that the database is at; empty for a new database."""
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or ""


def migrate(engine: Engine, before: Callable[[str], object] | None = None) -> None:
    """Bring the database to `REVISION`; it costs one query where it is there already.

    Args:
        engine: of the database.
        before: told the revision of a database that is about to be changed.

    Raises:
        NewerDatabase: it is beyond that.
        SQLAlchemyError: it can't be used.
    """
    with engine.begin() as connection:
        revision = revision_of(connection)
        if revision > REVISION:
            raise NewerDatabase(revision)
        if revision < REVISION:
            if revision and before is not None:
                before(revision)
            _upgrade(connection)


def _upgrade(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        # Python's driver begins a transaction for rows, but not for tables: all or nothing.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    # Alembic with its template engine is slow to import on a small board, and is needed at a
    # first start and after an update only.
    from alembic import command
    from alembic.config import Config

    logging.getLogger("alembic").setLevel(logging.WARNING)
    config = Config()
    config.set_main_option("script_location", "pbx.store:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
