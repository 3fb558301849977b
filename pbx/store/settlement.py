"""Which configuration holds where MariaDB has one and this machine has one.

Changes may have been made here, with the embedded database alone, and in MariaDB, by another
exchange, since both were the same. The copy in the data folder says when that was.

| changed since | what holds |
|---|---|
| nothing, or MariaDB's alone | MariaDB's |
| ours alone | ours, and MariaDB gets it |
| both, or nobody knows | MariaDB's; ours is kept for a person to decide |
"""

import logging
import secrets
from dataclasses import dataclass

from sqlalchemy import Connection

from pbx.store import rows
from pbx.store.snapshot import Snapshot

log = logging.getLogger(__name__)

_NAME = "configuration_id"
"""The setting that tells one MariaDB's configuration from another's."""

_ORIGIN = "configuration_origin"
"""The local database's setting that says when its configuration was last MariaDB's."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The moment when this machine's configuration was MariaDB's.

    Args:
        name: of MariaDB's configuration.
        version: that both were at.
    """

    name: str
    version: int


@dataclass(frozen=True, slots=True)
class Settlement:
    """What `settle` came to.

    Args:
        snapshot: the configuration that holds.
        origin: where it stands in MariaDB.
        replaced: ours, where it holds no more and may be in no other place; None where nothing is lost.
    """

    snapshot: Snapshot
    origin: Origin
    replaced: Snapshot | None = None


def load_origin(connection: Connection) -> Origin | None:
    """Return what the local database was last a copy of; None for nothing that is known."""
    name, _, version = (rows.get_setting(connection, _ORIGIN) or "").partition(" ")
    return Origin(name, int(version)) if version.isascii() and version.isdigit() else None


def save_origin(connection: Connection, origin: Origin) -> None:
    """Note in the local database what it is a copy of."""
    rows.set_setting(connection, _ORIGIN, f"{origin.name} {origin.version}")


def settle(connection: Connection, ours: Snapshot, origin: Origin | None) -> Settlement | None:
    """Decide which configuration holds, and bring it into MariaDB where it isn't that one's.

    Args:
        connection: a transaction in MariaDB.
        ours: this machine's.
        origin: when that was MariaDB's.

    Returns:
        What holds; None where neither has any.
    """
    theirs = rows.load_snapshot(connection)
    if not theirs.version and not ours.version:
        return None
    name = _name(connection)
    if not theirs.version or _only_ours_changed(ours, origin, name, theirs):
        if theirs.version:
            log.warning(
                "the configuration was changed on this machine since it was MariaDB's, and not in"
                " MariaDB: MariaDB gets this machine's"
            )
        rows.replace_configuration(connection, ours)
        return Settlement(ours, Origin(name, ours.version))
    known = theirs == ours or not ours.version or _is_former(ours, origin, name, theirs)
    return Settlement(theirs, Origin(name, theirs.version), None if known else ours)


def _only_ours_changed(ours: Snapshot, origin: Origin | None, name: str, theirs: Snapshot) -> bool:
    return origin == Origin(name, theirs.version) and ours.version > theirs.version


def _is_former(ours: Snapshot, origin: Origin | None, name: str, theirs: Snapshot) -> bool:
    """Whether ours is what MariaDB once had; an older one there was put back from a dump."""
    return origin == Origin(name, ours.version) and theirs.version >= ours.version


def _name(connection: Connection) -> str:
    name = rows.get_setting(connection, _NAME)
    if name is None:
        name = secrets.token_hex(8)
        rows.set_setting(connection, _NAME, name)
    return name
