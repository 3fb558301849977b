"""What is wrong with a dial plan, each fault as a sentence that names table, row and field.

Rows count from 1, as they are shown.
"""

import datetime
import re
from collections.abc import Collection, Iterable, Iterator
from typing import TypeVar

from pbx.config import dial_plan, faults
from pbx.config.dial_plan import DialPlan, Incoming, PlanBasics, Route, TimeCondition
from pbx.config.emergency_numbers import countries
from pbx.config.refusal import command_error
from pbx.errors import CommandError

Row = TypeVar("Row")

MOST_ROWS = 5000
"""Of one table."""

HIGHEST_LEVEL = 99

DAYS: tuple[str, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HOLIDAY_CHOICES: tuple[str, ...] = ("yes", "no", "only")

_HOUR = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")


def dial_plan_faults(plan: DialPlan, lines: Collection[str]) -> Iterator[CommandError]:
    """Yield what is wrong with a dial plan.

    Args:
        plan: the dial plan.
        lines: the names of the lines that there are.
    """
    routes = [route.name for route in plan.routes]
    times = [condition.name for condition in plan.time_conditions]
    for table in dial_plan.TABLES:
        if len(getattr(plan, table)) > MOST_ROWS:
            yield command_error("plan-rows", table=table, most=MOST_ROWS)
    yield from _basics_faults(plan.basics, routes)
    yield from _analysis_faults(plan, lines, routes)
    yield from _refinement_faults(plan, lines)
    yield from _incoming_faults(plan.incoming, lines, times)
    yield from _route_faults(plan.routes, lines, routes, times)
    for where, rate in _rows("rates", plan.rates):
        yield from faults.known(f"{where}.line", rate.line, lines, "line")
        yield from faults.digits(f"{where}.prefix", rate.prefix)
        yield from faults.span(f"{where}.price", rate.price, 0, 1_000_000)
    yield from _time_faults(plan.time_conditions, times)
    for where, holiday in _rows("holidays", plan.holidays):
        if not _is_date(holiday.date):
            yield command_error("plan-date", field=f"{where}.date", value=holiday.date)
        yield from faults.text(f"{where}.description", holiday.description)
    yield from faults.once("holidays", "date", [holiday.date for holiday in plan.holidays])


def line_uses(plan: DialPlan, name: str) -> Iterator[str]:
    """Yield where a dial plan names a line, such as ``routes[1]``."""
    for table in dial_plan.TABLES:
        for where, row in _rows(table, getattr(plan, table)):
            named = [getattr(row, field, "") for field in ("line", "source")]
            if name in (*named, *getattr(row, "lines", ())):
                yield where


def _rows(table: str, rows: Iterable[Row]) -> Iterator[tuple[str, Row]]:
    """Each row with how a person knows it."""
    return ((f"{table}[{number}]", row) for number, row in enumerate(rows, 1))


def _basics_faults(basics: PlanBasics, routes: Collection[str]) -> Iterator[CommandError]:
    yield from faults.digits("basics.out_prefix", basics.out_prefix)
    yield from faults.known("basics.default_route", basics.default_route, routes, "route")
    yield from faults.known("basics.emergency_route", basics.emergency_route, routes, "route")
    if basics.country:
        yield from faults.choice("basics.country", basics.country, countries())
    for number in basics.emergency_numbers:
        if not number:
            yield command_error("field-missing", field="basics.emergency_numbers")
        yield from faults.digits("basics.emergency_numbers", number)


def _analysis_faults(
    plan: DialPlan, lines: Collection[str], routes: Collection[str]
) -> Iterator[CommandError]:
    sources = (*lines, dial_plan.USERS)
    for where, caller in _rows("analyze_caller", plan.analyze_caller):
        yield from faults.digits(f"{where}.prefix", caller.prefix)
        yield from faults.known(f"{where}.source", caller.source, sources, "line")
        yield from faults.digits(f"{where}.destination", caller.destination)
    for where, called in _rows("analyze_called", plan.analyze_called):
        yield from faults.digits(f"{where}.prefix", called.prefix)
        yield from faults.known(f"{where}.source", called.source, sources, "line")
        yield from faults.choice(f"{where}.route_type", called.route_type, dial_plan.ROUTE_TYPES)
        yield from faults.known(f"{where}.route", called.route, routes, "route")
        yield from faults.span(f"{where}.level", called.level, 0, HIGHEST_LEVEL)
        yield from faults.span(
            f"{where}.max_duration_s", called.max_duration_s, 0, faults.LONGEST_LIMIT_S
        )
        for field in ("least", "most"):
            yield from faults.span(f"{where}.{field}", getattr(called, field), 0, 32)
        if called.emergency and called.route_type != "outside":
            yield command_error("plan-emergency", field=f"{where}.emergency")
        if 0 < called.most < called.least:
            yield command_error("field-order", low=f"{where}.least", high=f"{where}.most")


def _refinement_faults(plan: DialPlan, lines: Collection[str]) -> Iterator[CommandError]:
    for table in ("refine_caller", "refine_called"):
        for where, row in _rows(table, getattr(plan, table)):
            yield from faults.digits(f"{where}.prefix", row.prefix)
            yield from faults.known(f"{where}.line", row.line, lines, "line")
            yield from faults.choice(f"{where}.direction", row.direction, dial_plan.DIRECTIONS)
            yield from faults.span(f"{where}.remove", row.remove, 0, 32)
            yield from faults.digits(f"{where}.add", row.add)
    for where, change in _rows("number_change", plan.number_change):
        for field in ("number", "new"):
            if not getattr(change, field):
                yield command_error("field-missing", field=f"{where}.{field}")
            yield from faults.digits(f"{where}.{field}", getattr(change, field))
        if change.number and change.number == change.new:
            yield command_error("plan-same", field=f"{where}.new", value=change.new)
    yield from faults.once("number_change", "number", [row.number for row in plan.number_change])


def _incoming_faults(
    rows: Iterable[Incoming], lines: Collection[str], times: Collection[str]
) -> Iterator[CommandError]:
    for where, row in _rows("incoming", rows):
        yield from faults.known(f"{where}.line", row.line, lines, "line")
        yield from faults.digits(f"{where}.did", row.did)
        yield from faults.digits(f"{where}.caller", row.caller)
        yield from faults.known(
            f"{where}.time_condition", row.time_condition, times, "time-condition"
        )
        if not row.destination:
            yield command_error("field-missing", field=f"{where}.destination")
        yield from faults.digits(f"{where}.destination", row.destination)


def _route_faults(
    rows: Iterable[Route], lines: Collection[str], routes: Collection[str], times: Collection[str]
) -> Iterator[CommandError]:
    yield from faults.once("routes", "name", routes)
    for where, row in _rows("routes", rows):
        yield from faults.name(f"{where}.name", row.name)
        if not row.lines:
            yield command_error("field-missing", field=f"{where}.lines")
        for line in row.lines:
            yield from faults.known(f"{where}.lines", line, lines, "line")
        yield from faults.known(
            f"{where}.time_condition", row.time_condition, times, "time-condition"
        )
        yield from faults.known(f"{where}.otherwise", row.otherwise, routes, "route")
    otherwise = {row.name: row.otherwise for row in rows}
    for first in otherwise:
        seen, here = {first}, otherwise[first]
        while here and here not in seen:
            seen.add(here)
            here = otherwise.get(here, "")
        if here == first:
            yield command_error("plan-circle", name=first)
            return


def _time_faults(rows: Iterable[TimeCondition], times: Collection[str]) -> Iterator[CommandError]:
    yield from faults.once("time_conditions", "name", times)
    for where, row in _rows("time_conditions", rows):
        yield from faults.name(f"{where}.name", row.name)
        if not row.days:
            yield command_error("field-missing", field=f"{where}.days")
        for day in row.days:
            yield from faults.choice(f"{where}.days", day, DAYS)
        for field in ("start", "finish"):
            if not _HOUR.fullmatch(getattr(row, field)):
                yield command_error(
                    "plan-hour", field=f"{where}.{field}", value=getattr(row, field)
                )
        yield from faults.choice(f"{where}.holidays", row.holidays, HOLIDAY_CHOICES)


def _is_date(value: str) -> bool:
    """Whether it is ``YYYY-MM-DD``, or ``MM-DD`` of a leap year."""
    if not re.fullmatch(r"([0-9]{4}-)?[0-9]{2}-[0-9]{2}", value):
        return False
    try:
        datetime.date.fromisoformat(value if len(value) > 5 else f"2000-{value}")
    except ValueError:
        return False
    return True
