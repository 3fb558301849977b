"""Configurations that were replaced by another one, kept until a person has decided about them."""

import logging
from typing import Any, Self

import msgspec
from sqlalchemy import Connection

from pbx.config.dial_plan import DialPlan
from pbx.config.line import Line
from pbx.store import rows
from pbx.store.snapshot import LocalUser, Snapshot

log = logging.getLogger(__name__)

KIND = "configuration"
"""What they are among the states that are kept."""


class Replaced(msgspec.Struct, frozen=True):
    """A configuration that is not in use.

    Args:
        wall_s: when it was replaced, seconds since 1970.
        users, lines, plan, callback: as in `Snapshot`.
    """

    wall_s: float
    users: tuple[LocalUser, ...]
    lines: tuple[Line, ...]
    plan: DialPlan
    callback: dict[str, Any]

    @classmethod
    def of(cls, snapshot: Snapshot, wall_s: float) -> Self:
        """Return a configuration as it was replaced at `wall_s`."""
        users, lines = snapshot.users.values(), snapshot.lines.values()
        return cls(wall_s, (*users,), (*lines,), snapshot.plan, {**snapshot.callback})

    def snapshot(self, version: int) -> Snapshot:
        """Return it as the configuration of this version."""
        return Snapshot.of(version, self.users, self.lines, self.plan, self.callback)


def load_replaced(connection: Connection) -> dict[int, Replaced]:
    """Return all that are kept, by number; what can't be read is left out, and the log tells."""
    found: dict[int, Replaced] = {}
    for number, value in sorted(_kept(connection).items()):
        try:
            found[number] = msgspec.json.decode(value, type=Replaced)
        except msgspec.DecodeError as error:
            log.error("the configuration %s that was kept can't be read: %s", number, error)
    return found


def keep(connection: Connection, fresh: Replaced) -> None:
    """Keep one more, under the next number."""
    number = max(_kept(connection), default=0) + 1
    rows.replace_kept(connection, KIND, str(number), msgspec.json.encode(fresh).decode())


def discard(connection: Connection, number: int) -> None:
    """Keep one no more."""
    rows.replace_kept(connection, KIND, str(number), None)


def _kept(connection: Connection) -> dict[int, str]:
    return {int(name): text for name, text in rows.load_kept_of(connection, KIND).items()}
