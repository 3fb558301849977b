"""Changes of lines, dial plan, rights and call-back service within a transaction that the caller has opened.

Each function checks what the change leads to and returns what the audit says of it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

import msgspec
from sqlalchemy import Connection

from pbx.config import faults, fields
from pbx.config.callback import CallBackSettings, callback_faults, in_force
from pbx.config.dial_plan import TABLES, DialPlan
from pbx.config.dial_plan_faults import dial_plan_faults, line_uses
from pbx.config.emergency_numbers import numbers_of, reserved
from pbx.config.line import Line
from pbx.config.line_faults import line_faults
from pbx.config.refusal import command_error, within
from pbx.config.user_rights import UserRights, user_rights_faults
from pbx.errors import CommandError
from pbx.store import entries, rows
from pbx.store.snapshot import LocalUser, Snapshot

MAX_DETAIL = 4000
"""Characters of the audit's detail."""

LINES = "lines"
"""What lines are called among a dial plan's tables."""

_SECRET = "password"


def put_line(connection: Connection, line: Line, *, new: bool) -> str:
    """Add a line, or put it in another's place.

    Raises:
        CommandError: ``line-exists`` where a `new` one is there already, or what `line_faults` says.
    """
    snapshot = rows.load_snapshot(connection)
    former = snapshot.lines.get(line.name)
    if new and former is not None:
        raise command_error("line-exists", name=line.name)
    return _put_line(connection, snapshot, former, line)


def change_line(connection: Connection, name: str, options: Mapping[str, object]) -> str:
    """Give a line other options.

    Raises:
        CommandError: ``unknown-line``, what `fields.build` says, or what `line_faults` says.
    """
    snapshot = rows.load_snapshot(connection)
    former = snapshot.lines.get(name)
    if former is None:
        raise command_error("unknown-line", name=name)
    return _put_line(
        connection, snapshot, former, fields.changed(former, {**options, "name": name})
    )


def remove_line(connection: Connection, name: str) -> str:
    """Remove a line.

    Raises:
        CommandError: ``unknown-line``, or ``line-in-use`` where the dial plan names it.
    """
    snapshot = rows.load_snapshot(connection)
    if name not in snapshot.lines:
        raise command_error("unknown-line", name=name)
    for field in line_uses(snapshot.plan, name):
        raise command_error("line-in-use", name=name, field=field)
    entries.drop_entry(connection, entries.LINE, name)
    return ""


def set_plan(connection: Connection, tables: Mapping[str, object], version: int | None) -> str:
    """Give the dial plan other tables, and perhaps all lines in place of ours: all of it or nothing.

    Args:
        connection: the transaction.
        tables: by name, each all of its rows as structs or mappings; of ``basics`` the fields that
            change. `LINES` are lines; one without ``password`` keeps the one that it has here.
        version: the configuration's that this is a change of; None for whichever there is.

    Raises:
        CommandError: ``plan-changed`` where somebody else was faster, ``unknown-table``, what
            `fields.build` says, what `line_faults` and `dial_plan_faults` say, or ``time-condition-in-use``.
    """
    snapshot = rows.load_snapshot(connection)
    if version is not None and version != snapshot.version:
        raise command_error("plan-changed")
    ours = {name: value for name, value in tables.items() if name != LINES}
    fresh = {name: _table(snapshot.plan, name, value) for name, value in ours.items()}
    plan = msgspec.structs.replace(snapshot.plan, **fresh)
    times = {condition.name for condition in plan.time_conditions}
    lines = snapshot.lines
    if LINES in tables:
        given = _lines(snapshot, tables[LINES])
        _refuse(_lines_faults(given, times, snapshot.users))
        lines = {line.name: line for line in given}
    _refuse(dial_plan_faults(plan, lines))
    for line in lines.values():
        if line.time_condition and line.time_condition not in times:
            raise command_error("time-condition-in-use", name=line.time_condition, line=line.name)
    for name, value in fresh.items():
        entries.put_entry(connection, entries.PLAN, name, value)
    for name in snapshot.lines.keys() - lines.keys():
        entries.drop_entry(connection, entries.LINE, name)
    for name, line in lines.items():
        if line != snapshot.lines.get(name):
            entries.put_entry(connection, entries.LINE, name, line)
    return " ".join(sorted(tables))


def set_callback(
    connection: Connection, settings: CallBackSettings, options: Mapping[str, object]
) -> str:
    """Choose settings of the call-back service.

    Args:
        connection: the transaction.
        settings: of the settings file, which hold where nothing is chosen.
        options: what is chosen now, by the fields of `CallBackSettings`.

    Raises:
        CommandError: what `fields.build` says, or what `callback_faults` says.
    """
    snapshot = rows.load_snapshot(connection)
    former = in_force(settings, snapshot.callback)
    fresh = in_force(former, options)
    _refuse(callback_faults(fresh))
    chosen = {
        name: getattr(fresh, name)
        for name in CallBackSettings.__struct_fields__
        if name in options or name in snapshot.callback
    }
    entries.put_entry(connection, entries.CALLBACK, entries.CHOSEN, chosen)
    return _difference(former, fresh)


def check_free(snapshot: Snapshot, number: str) -> None:
    """Refuse a number for a new user that leads to the emergency services.

    Without a line they can't be reached, and without a country the numbers are a guess: where there
    is neither, the number may be had, and a health check tells as soon as it can't be called.

    Raises:
        CommandError: ``emergency-reserved``.
    """
    in_force = snapshot.plan.basics.country or any(line.enabled for line in snapshot.lines.values())
    if in_force and number in reserved(snapshot.plan):
        raise command_error("emergency-reserved", number=number)


def change_user(connection: Connection, user: LocalUser, options: Mapping[str, object]) -> str:
    """Give a user other rights.

    Raises:
        CommandError: what `fields.build` says, or what `user_rights_faults` says.
    """
    names = UserRights.__struct_fields__
    rights = UserRights(**{name: getattr(user, name) for name in names})
    fresh = fields.changed(rights, options)
    _refuse(user_rights_faults(fresh))
    rows.update_user(connection, replace(user, **msgspec.structs.asdict(fresh)))
    return _difference(rights, fresh)


def _put_line(connection: Connection, snapshot: Snapshot, former: Line | None, line: Line) -> str:
    times = [condition.name for condition in snapshot.plan.time_conditions]
    _refuse(line_faults(line, times, snapshot.users))
    entries.put_entry(connection, entries.LINE, line.name, line)
    return _difference(former, line)


def _table(plan: DialPlan, name: str, value: object) -> object:
    if name == "basics":
        given = msgspec.to_builtins(value)
        if not isinstance(given, dict):
            raise command_error("bad-basics")
        whole = {**msgspec.structs.asdict(plan.basics), **_with_numbers(given)}
        return fields.build(type(plan.basics), whole, name)
    if name not in TABLES:
        raise command_error("unknown-table", name=name, choices=", ".join(("basics", *TABLES)))
    kind, given_rows = TABLES[name], _rows(name, value)
    return tuple(fields.build(kind, row, f"{name}[{at}]") for at, row in enumerate(given_rows, 1))


def _lines(snapshot: Snapshot, value: object) -> list[Line]:
    found = []
    for at, row in enumerate(_rows(LINES, value), 1):
        former = snapshot.lines.get(str(row.get("name", "")))
        kept = {} if former is None else {_SECRET: former.password}
        found.append(fields.build(Line, {**kept, **row}, f"{LINES}[{at}]"))
    return found


def _lines_faults(
    lines: Iterable[Line], times: Collection[str], users: Collection[str]
) -> Iterator[CommandError]:
    yield from faults.once(LINES, "name", [line.name for line in lines])
    for at, line in enumerate(lines, 1):
        for error in line_faults(line, times, users):
            yield within(f"{LINES}[{at}]", error)


def _rows(name: str, value: object) -> list[dict[str, object]]:
    given = msgspec.to_builtins(value)
    if not isinstance(given, list | tuple) or not all(isinstance(row, dict) for row in given):
        raise command_error("bad-table", name=name)
    return list(given)


def _with_numbers(basics: dict[str, object]) -> dict[str, object]:
    """Return changes of the basics; a country comes with its emergency numbers.

    An explicit list beside it counts more.
    """
    country = basics.get("country")
    if not isinstance(country, str):
        return basics
    code = country.strip().upper()
    return {"emergency_numbers": numbers_of(code), **basics, "country": code}


def _refuse(found: Iterator[CommandError]) -> None:
    for error in found:
        raise error


def _difference(former: msgspec.Struct | None, fresh: msgspec.Struct) -> str:
    """The fields that differ, with their values, but of a password only that it does."""
    before = {} if former is None else msgspec.structs.asdict(former)
    return " ".join(_told(before, msgspec.structs.asdict(fresh).items()))[:MAX_DETAIL]


def _told(before: Mapping[str, object], items: Iterable[tuple[str, object]]) -> Iterator[str]:
    for name, value in items:
        if name not in before or value != before[name]:
            if name == _SECRET:
                if value or before.get(name):
                    yield _SECRET
            elif name in before or value:
                yield f"{name}={value}"
