"""The SQL of lines and dial plan: JSON in the table `config_entry`."""

import logging
from collections.abc import Iterable

import msgspec
from sqlalchemy import Connection, delete, insert, select

from pbx.config.dial_plan import TABLES, DialPlan, PlanBasics
from pbx.config.line import Line
from pbx.store import schema

log = logging.getLogger(__name__)

LINE, PLAN = "line", "plan"
"""The kinds of entries; those of `PLAN` are named as the tables are, and one ``basics``."""

_EMPTY = DialPlan()


def load_entries(connection: Connection) -> tuple[list[Line], DialPlan]:
    """Return the lines, by name, and the dial plan.

    What can't be read (a newer program has written it to MariaDB) is left out, and the log tells.
    """
    table = schema.config_entry
    found = connection.execute(select(table).order_by(table.c.name)).mappings()
    lines: list[Line] = []
    plan: dict[str, object] = {}
    for row in found:
        kind, name, value = row["kind"], row["name"], row["value"]
        try:
            if kind == LINE:
                lines.append(msgspec.json.decode(value, type=Line))
            elif kind == PLAN and name == "basics":
                plan[name] = msgspec.json.decode(value, type=PlanBasics)
            elif kind == PLAN and name in TABLES:
                raw = msgspec.json.decode(value, type=list[msgspec.Raw])
                plan[name] = tuple(msgspec.json.decode(row, type=TABLES[name]) for row in raw)
            else:
                log.warning("nobody knows the %s %r in the database: it is not used", kind, name)
        except (msgspec.DecodeError, UnicodeError) as error:
            log.error("the %s %r in the database can't be used: %s", kind, name, error)
    return lines, DialPlan(**plan)  # type: ignore[arg-type]


def put_entry(connection: Connection, kind: str, name: str, value: object) -> None:
    """Make the entry of this name `value`, a struct or a list of them."""
    drop_entry(connection, kind, name)
    text = msgspec.json.encode(value).decode()
    connection.execute(insert(schema.config_entry).values(kind=kind, name=name, value=text))


def drop_entry(connection: Connection, kind: str, name: str) -> None:
    """Remove an entry, if it is there."""
    table = schema.config_entry
    connection.execute(delete(table).where(table.c.kind == kind, table.c.name == name))


def replace_entries(connection: Connection, lines: Iterable[Line], plan: DialPlan) -> None:
    """Make these all that there is."""
    connection.execute(delete(schema.config_entry))
    for line in lines:
        put_entry(connection, LINE, line.name, line)
    for name, value in msgspec.structs.asdict(plan).items():
        if value != getattr(_EMPTY, name):
            put_entry(connection, PLAN, name, value)
