"""The database that people share: it may be away, and is asked again later."""

import logging
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from pbx.store.database import NewerDatabase

log = logging.getLogger(__name__)

FIRST_RETRY_S, LONGEST_RETRY_S = 1.0, 30.0
"""How long a database that failed is left alone: doubled at each failure."""

Result = TypeVar("Result")


class DatabaseDown(Exception):
    """The database did not answer; the exchange goes on without it."""


class MainDatabase:
    """Transactions on a database that may be down.

    Args:
        engine: of the database.
        clock: seconds, monotonic.
    """

    def __init__(self, engine: Engine, clock: Callable[[], float]) -> None:
        self.engine = engine
        self.ok = True
        self.why = ""
        self._clock = clock
        self._next_try = 0.0
        self._pause_s = FIRST_RETRY_S

    def pause(self) -> float:
        """Return how many seconds it is to be left alone; 0 while it is well."""
        return 0.0 if self.ok else max(0.0, self._next_try - self._clock())

    def run(self, work: Callable[[Connection], Result]) -> Result:
        """Do `work` in one transaction.

        Raises:
            DatabaseDown: it failed; nothing was done, or, if it failed at the very end, all.
        """
        return self.attempt(lambda: self._transaction(work))

    def attempt(self, work: Callable[[], Result]) -> Result:
        """Do `work`, which uses the engine, and note how the database is.

        Raises:
            DatabaseDown: it failed.
        """
        try:
            result = work()
        except (SQLAlchemyError, OSError, RuntimeError, UnicodeError, NewerDatabase) as error:
            # RuntimeError: PyMySQL lacks what the server's kind of password needs; UnicodeError:
            # a host name that no DNS query can carry
            self._failed(error)
            raise DatabaseDown(self.why) from error
        if not self.ok:
            log.info("the database answers again")
        self.ok, self.why, self._pause_s = True, "", FIRST_RETRY_S
        return result

    def _transaction(self, work: Callable[[Connection], Result]) -> Result:
        with self.engine.begin() as connection:
            return work(connection)

    def _failed(self, error: Exception) -> None:
        # SQLAlchemy's own text carries the statement; the driver's says what is wrong.
        why = str(getattr(error, "orig", None) or error)
        if self.ok or why != self.why:
            log.warning("the database does not answer; calls go on without it: %s", why)
        self.ok, self.why = False, why
        self._next_try = self._clock() + self._pause_s
        self._pause_s = min(self._pause_s * 2, LONGEST_RETRY_S)
