"""The SQL: each function reads or writes rows on a connection that its caller has opened."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, delete, insert, select, update

from pbx.store import entries, schema
from pbx.store.snapshot import BindingRow, LocalUser, Snapshot

VERSION = "config_version"
"""The setting that counts changes of the configuration; a new database hasn't got it."""

FOLDER_ID = "folder_id"
"""The setting that names this data folder, for positions in a database that others use too."""

# Bytes that were no UTF-8 stand in SIP texts as these (PEP 383); no database takes them. All
# texts that keep them are URIs or comments, where %XX means the same.
_STRAY_BYTE = re.compile("[\udc80-\udcff]")


# ---------------------------------------------------------------- settings


def get_setting(connection: Connection, key: str) -> str | None:
    """Return a setting's value; None where it was never set."""
    table = schema.setting
    found = select(table.c.value).where(table.c.key == key)
    return connection.execute(found).scalar()


def set_setting(connection: Connection, key: str, value: str) -> None:
    """Set a setting, whether it was set before or not."""
    table = schema.setting
    connection.execute(delete(table).where(table.c.key == key))
    connection.execute(insert(table).values(key=key, value=value))


# ---------------------------------------------------------------- local users


def load_snapshot(connection: Connection) -> Snapshot:
    """Return the whole configuration; its version is 0 where there has never been one."""
    version = int(get_setting(connection, VERSION) or 0)
    return Snapshot.of(version, load_users(connection), *entries.load_entries(connection))


def load_users(connection: Connection) -> list[LocalUser]:
    """Return every local user, by number."""
    found = connection.execute(select(schema.local_user)).mappings()
    return sorted((LocalUser(**row) for row in found), key=lambda user: user.number)


def insert_users(connection: Connection, users: Iterable[LocalUser]) -> None:
    """Add users."""
    if rows := [_user_columns(user) for user in users]:
        connection.execute(insert(schema.local_user), rows)


def update_user(connection: Connection, user: LocalUser) -> None:
    """Change everything of a user but the number."""
    table = schema.local_user
    change = update(table).where(table.c.number == user.number)
    connection.execute(change.values(_user_columns(user)))


def delete_user(connection: Connection, number: str) -> None:
    """Remove a user."""
    table = schema.local_user
    connection.execute(delete(table).where(table.c.number == number))


def replace_configuration(connection: Connection, snapshot: Snapshot) -> None:
    """Make the database's configuration that of `snapshot`."""
    connection.execute(delete(schema.local_user))
    insert_users(connection, snapshot.users.values())
    entries.replace_entries(connection, snapshot.lines.values(), snapshot.plan, snapshot.callback)
    set_setting(connection, VERSION, str(snapshot.version))


def note_change(
    connection: Connection, wall_s: float, actor: str, action: str, thing: str, detail: str
) -> None:
    """Count a change of the configuration and write who made it into the audit.

    Args:
        wall_s: when, seconds since 1970.
        actor: who; as the control API knows it.
        action: what was done, a slug such as ``user.add``.
        thing: what it was done to, such as a number.
        detail: more for people; never a password.
    """
    set_setting(connection, VERSION, str(int(get_setting(connection, VERSION) or 0) + 1))
    values = {"wall_s": wall_s, "actor": actor[:64], "action": action, "object": thing[:64]}
    connection.execute(insert(schema.audit).values(**values, detail=detail))


def _user_columns(user: LocalUser) -> dict[str, object]:
    return {column.name: getattr(user, column.name) for column in schema.local_user.columns}


# ---------------------------------------------------------------- bindings


def load_bindings(connection: Connection) -> list[BindingRow]:
    """Return every binding, each user's in the order they were saved in."""
    table = schema.binding
    found = connection.execute(select(table).order_by(table.c.number, table.c.position))
    rows = []
    for row in found.mappings():
        values = {**row, "path": tuple(json.loads(row["path"]))}
        del values["position"]
        rows.append(BindingRow(**values))
    return rows


def replace_bindings(connection: Connection, number: str, rows: Sequence[BindingRow]) -> None:
    """Make a user's bindings `rows`, in this order."""
    table = schema.binding
    connection.execute(delete(table).where(table.c.number == number))
    if rows:
        connection.execute(insert(table), [_binding_columns(*each) for each in enumerate(rows)])


def _binding_columns(position: int, row: BindingRow) -> dict[str, object]:
    columns: dict[str, object] = {"position": position}
    for column in schema.binding.columns:
        if column.name != "position":
            value = getattr(row, column.name)
            columns[column.name] = _storable(value) if isinstance(value, str) else value
    columns["path"] = json.dumps([_storable(route) for route in row.path])
    return columns


def _storable(text: str) -> str:
    return _STRAY_BYTE.sub(lambda match: f"%{ord(match[0]) - 0xDC00:02X}", text)


# ---------------------------------------------------------------- kept state


def load_kept(connection: Connection) -> dict[tuple[str, str], str]:
    """Return everything that was kept, by kind and name."""
    table = schema.kept_state
    found = connection.execute(select(table)).mappings()
    return {(row["kind"], row["name"]): row["value"] for row in found}


def load_kept_of(connection: Connection, kind: str) -> dict[str, str]:
    """Return what was kept of one kind, by name."""
    table = schema.kept_state
    found = select(table.c.name, table.c.value).where(table.c.kind == kind)
    return {row["name"]: row["value"] for row in connection.execute(found).mappings()}


def replace_kept(connection: Connection, kind: str, name: str, value: str | None) -> None:
    """Keep `value` under this name in place of what was kept there; None for nothing."""
    table = schema.kept_state
    connection.execute(delete(table).where(table.c.kind == kind, table.c.name == name))
    if value is not None:
        connection.execute(insert(table).values(kind=kind, name=name, value=value))


# ---------------------------------------------------------------- call records


def load_positions(connection: Connection, folder_id: str) -> dict[str, int]:
    """Return how far each record file of this data folder has been taken over, by file name."""
    table = schema.cdr_position
    prefix = f"{folder_id}/"
    found = select(table).where(table.c.file.startswith(prefix, autoescape=True))
    return {
        row["file"].removeprefix(prefix): int(row["offset"])
        for row in connection.execute(found).mappings()
    }


def move_positions(connection: Connection, folder_id: str, fresh_id: str) -> None:
    """Note the positions of a data folder under another id of it."""
    for file, offset in load_positions(connection, folder_id).items():
        set_position(connection, fresh_id, file, offset)
        set_position(connection, folder_id, file, None)


def set_position(connection: Connection, folder_id: str, file: str, offset: int | None) -> None:
    """Note how far a record file has been taken over, in octets; None for nothing that is known."""
    table = schema.cdr_position
    key = f"{folder_id}/{file}"
    connection.execute(delete(table).where(table.c.file == key))
    if offset is not None:
        connection.execute(insert(table).values(file=key, offset=offset))


def insert_records(connection: Connection, records: Mapping[str, Mapping[str, object]]) -> None:
    """Add call records, by record id; those that are there already are left as they are."""
    if not records:
        return
    table = schema.cdr
    known = connection.execute(
        select(table.c.record_id).where(table.c.record_id.in_(list(records)))
    )
    there = set(known.scalars())
    if rows := [dict(row) for record_id, row in records.items() if record_id not in there]:
        connection.execute(insert(table), rows)
