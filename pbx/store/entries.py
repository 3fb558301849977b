"""The SQL of lines, dial plan and call-back service: JSON in the table `config_entry`."""

import logging
from collections.abc import Iterable, Mapping

import msgspec
from sqlalchemy import Connection, delete, insert, select

from pbx.config.callback import CallBackSettings, in_force
from pbx.config.dial_plan import TABLES, DialPlan, PlanBasics
from pbx.config.line import Line
from pbx.errors import CommandError
from pbx.store import schema

log = logging.getLogger(__name__)

LINE, PLAN, CALLBACK = "line", "plan", "callback"
"""The kinds of entries; those of `PLAN` are named as the tables are, and one ``basics``; of `CALLBACK`
there is one, `CHOSEN`."""

CHOSEN = "chosen"

_EMPTY = DialPlan()


def load_entries(connection: Connection) -> tuple[list[Line], DialPlan, dict[str, object]]:
    """Return the lines, by name, the dial plan, and what is chosen of the call-back service.

    What can't be read (a newer program has written it to MariaDB) is left out, and the log tells.
    """
    table = schema.config_entry
    found = connection.execute(select(table).order_by(table.c.name)).mappings()
    lines: list[Line] = []
    plan: dict[str, object] = {}
    callback: dict[str, object] = {}
    for row in found:
        kind, name, value = row["kind"], row["name"], row["value"]
        try:
            if kind == LINE:
                lines.append(msgspec.json.decode(value, type=Line))
            elif kind == CALLBACK and name == CHOSEN:
                chosen = msgspec.json.decode(value, type=dict[str, object])
                in_force(CallBackSettings(), chosen)
                callback = chosen
            elif kind == PLAN and name == "basics":
                plan[name] = msgspec.json.decode(value, type=PlanBasics)
            elif kind == PLAN and name in TABLES:
                raw = msgspec.json.decode(value, type=list[msgspec.Raw])
                plan[name] = tuple(msgspec.json.decode(row, type=TABLES[name]) for row in raw)
            else:
                log.warning("nobody knows the %s %r in the database: it is not used", kind, name)
        except (msgspec.DecodeError, UnicodeError, CommandError) as error:
            log.error("the %s %r in the database can't be used: %s", kind, name, error)
    return lines, DialPlan(**plan), callback  # type: ignore[arg-type]


def put_entry(connection: Connection, kind: str, name: str, value: object) -> None:
    """Make the entry of this name `value`, a struct or a list of them."""
    drop_entry(connection, kind, name)
    text = msgspec.json.encode(value).decode()
    connection.execute(insert(schema.config_entry).values(kind=kind, name=name, value=text))


def drop_entry(connection: Connection, kind: str, name: str) -> None:
    """Remove an entry, if it is there."""
    table = schema.config_entry
    connection.execute(delete(table).where(table.c.kind == kind, table.c.name == name))


def replace_entries(
    connection: Connection,
    lines: Iterable[Line],
    plan: DialPlan,
    callback: Mapping[str, object],
) -> None:
    """Make these all that there is."""
    connection.execute(delete(schema.config_entry))
    for line in lines:
        put_entry(connection, LINE, line.name, line)
    for name, value in msgspec.structs.asdict(plan).items():
        if value != getattr(_EMPTY, name):
            put_entry(connection, PLAN, name, value)
    if callback:
        put_entry(connection, CALLBACK, CHOSEN, {**callback})
