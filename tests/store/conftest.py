"""Stores on both kinds of database."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.store.kept import Kept
from tests.store.mariadb import MariaDb


@pytest.fixture(scope="session")
def running_mariadb() -> Iterator[MariaDb]:
    """One server for all tests."""
    with tempfile.TemporaryDirectory(prefix="mariadb-") as folder:
        server = MariaDb(Path(folder))
        server.start()
        yield server
        server.stop()


@pytest.fixture
def mariadb(running_mariadb: MariaDb) -> Iterator[MariaDb]:
    """The server; a test that stops it gets it started again afterwards."""
    yield running_mariadb
    running_mariadb.start_again()


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.interop)])
def main_database(request: pytest.FixtureRequest) -> tuple[str, MariaDb | None]:
    """The `database` setting, once for each kind, and the server behind it."""
    if request.param == "sqlite":
        return "", None
    server: MariaDb = request.getfixturevalue("mariadb")
    return server.new_database(), server


@pytest.fixture
def opened() -> Iterator[Callable[[Kept], Kept]]:
    """Closes the stores given to it when the test ends."""
    with ExitStack() as stack:

        def remember(kept: Kept) -> Kept:
            stack.callback(kept.close)
            return kept

        yield remember


@pytest.fixture
def kept(
    tmp_path: Path,
    main_database: tuple[str, MariaDb | None],
    opened: Callable[[Kept], Kept],
) -> Kept:
    """A store of a first start."""
    return opened(Kept(tmp_path, *main_database))
