"""The local database's copy of what MariaDB has, and the configurations that gave way to another."""

import logging
from collections.abc import Callable, Mapping

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from pbx.config.refusal import command_error
from pbx.store import replaced, rows, settlement
from pbx.store.database import make_durable
from pbx.store.replaced import Replaced
from pbx.store.settlement import Origin, Settlement
from pbx.store.snapshot import Snapshot

log = logging.getLogger(__name__)

_MARIADB = "-mariadb"
"""What the positions of MariaDB have behind the data folder's id: the embedded database has its own."""


class LocalCopy:
    """Keeps the copy; to be used in the writer's thread, `replaced` in any.

    Args:
        engine: of the local database.
        shared: whether MariaDB is the main database; without it the local one is no copy.
        wall: seconds since 1970.
    """

    def __init__(self, engine: Engine, shared: bool, wall: Callable[[], float]) -> None:
        self._engine = engine
        self._shared = shared
        self._wall = wall
        self._unkept: list[Replaced] = []
        self._dropped: set[int] = set()
        self._folder_id = ""
        self.origin: Origin | None = None
        self.replaced: Mapping[int, Replaced] = {}

    def load(self, connection: Connection, folder_id: str) -> None:
        """Read what is there already in this data folder's database."""
        self._folder_id = f"{folder_id}{_MARIADB}" if self._shared else folder_id
        if self._shared and not self.positions(connection):
            # Older versions noted them where the embedded database has its own; without any it
            # reads the files again, which doubles nothing.
            rows.move_positions(connection, folder_id, self._folder_id)
        self.origin = settlement.load_origin(connection)
        self.replaced = replaced.load_replaced(connection)

    def positions(self, connection: Connection) -> dict[str, int]:
        """Return how far the main database has each record file, as far as is known here."""
        return rows.load_positions(connection, self._folder_id)

    def remember_position(self, name: str, position: int) -> None:
        """Keep MariaDB's position in a record file, to count what waits while it is away."""
        try:
            with self._engine.begin() as connection:
                rows.set_position(connection, self._folder_id, name, position)
        except SQLAlchemyError as error:
            log.error("the position in %s could not be copied: %s", name, error)

    def settled(self, outcome: Settlement) -> None:
        """Take over what was settled with MariaDB, once that is committed there, and keep it."""
        self.origin = outcome.origin
        if outcome.replaced is not None:
            log.warning(
                "MariaDB has another configuration than this machine, and not a later one of it for"
                " certain: MariaDB's is used, this machine's is kept"
            )
            self._unkept.append(Replaced.of(outcome.replaced, self._wall()))
        self.keep(outcome.snapshot)

    def keep_replaced(self, connection: Connection, before: Snapshot) -> None:
        """Keep a configuration that another one is about to replace, before that is done.

        Where there is MariaDB, the local database has it before MariaDB has the other one: what
        fails in between leaves one too many here, and none is lost.

        Args:
            connection: the transaction in the main database that replaces it.
            before: the configuration.

        Raises:
            CommandError: it can't be kept (``configuration-not-kept``).
        """
        one = Replaced.of(before, self._wall())
        if not self._shared:
            replaced.keep(connection, one)
            return
        try:
            with self._engine.begin() as local:
                replaced.keep(local, one)
            make_durable(self._engine)
        except SQLAlchemyError as error:
            why = getattr(error, "orig", None) or error
            raise command_error("configuration-not-kept", why=why) from error

    def discarded(self, number: int) -> None:
        """Take note that nobody needs a kept configuration any more."""
        self._dropped.add(number)

    def keep(self, snapshot: Snapshot) -> None:
        """Put the configuration on the disk, and MariaDB's into the copy.

        What can't be written now, the next time writes.
        """
        if self._shared and self.origin is not None:
            self.origin = Origin(self.origin.name, snapshot.version)
        try:
            with self._engine.begin() as connection:
                # In this order, so that no number is another configuration's a moment later.
                for one in self._unkept:
                    replaced.keep(connection, one)
                for number in self._dropped:
                    replaced.discard(connection, number)
                if self._shared and self.origin is not None:
                    rows.replace_configuration(connection, snapshot)
                    settlement.save_origin(connection, self.origin)
                kept = replaced.load_replaced(connection)
            make_durable(self._engine)
        except SQLAlchemyError as error:
            why = getattr(error, "orig", None) or error
            log.error("the configuration could not be kept: %s", why)
            return
        self._dropped.clear()
        self._unkept.clear()
        self.replaced = kept
