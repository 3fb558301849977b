"""The lines by which a number outside may be called, in the order in which they are tried."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from pbx.config.dial_plan import DialPlan, Route
from pbx.config.line import Line
from pbx.routing.decision import Step, step
from pbx.routing.dial_plan import fitting, refine
from pbx.routing.number_change import changed
from pbx.routing.number_format import formatted, to_e164
from pbx.routing.origin import Origin, Way
from pbx.routing.schedule import open_by
from pbx.store.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Wanted:
    """A number outside that somebody calls.

    Args:
        number: without out-group prefix.
        origin: in whose name.
        when: local time.
        route: the route that the dial plan names; empty for the default one.
        emergency: nothing but a line that is off, or isn't there, is left out.
        not_by: a line that is left out; empty for none.
    """

    number: str
    origin: Origin
    when: datetime
    route: str = ""
    emergency: bool = False
    not_by: str = ""


def ways_outside(snapshot: Snapshot, wanted: Wanted) -> tuple[tuple[Way, ...], list[Step]]:
    """Return the ways in order, and why they are these."""
    why: list[Step] = []
    ways: list[Way] = []
    for name in dict.fromkeys(_lines(snapshot, wanted, why)):
        line = snapshot.lines.get(name)
        if line is None:
            why.append(step("line-none", line=name))
            continue
        hindered = _hindered(snapshot.plan, wanted, line)
        if hindered is not None:
            why.append(hindered)
            continue
        way, steps = _way(snapshot.plan, wanted, line)
        ways.append(way)
        why.append(step("way", place=len(ways), line=name, called=way.called, caller=way.caller))
        why.extend(steps)
    return tuple(ways), why


def _lines(snapshot: Snapshot, wanted: Wanted, why: list[Step]) -> Iterator[str]:
    """Name the lines in order; one may come more than once, and be none, or not be usable."""
    plan, basics = snapshot.plan, snapshot.plan.basics
    if wanted.emergency:
        for name in (wanted.route, basics.emergency_route, basics.default_route):
            yield from _of_route(snapshot, wanted, name, why)
        why.append(step("every-line" if why else "all-lines"))
        yield from _all(snapshot, wanted.origin)
        return
    if not wanted.route:
        # The line that a user has for itself is what it has it for
        yield from (
            name for name in _all(snapshot, wanted.origin) if _owned(snapshot, name, wanted)
        )
    if wanted.route or plan.basics.default_route:
        yield from _of_route(snapshot, wanted, wanted.route or basics.default_route, why)
    else:
        why.append(step("all-lines"))
        yield from _all(snapshot, wanted.origin)


def _owned(snapshot: Snapshot, name: str, wanted: Wanted) -> bool:
    user, line = wanted.origin.user, snapshot.lines[name]
    return user is not None and line.owner == user.number


def _all(snapshot: Snapshot, origin: Origin) -> list[str]:
    """Every line: first the caller's own, then everybody's, then those of others; each by name."""
    own = origin.user.number if origin.user is not None else ""

    def rank(line: Line) -> tuple[int, str]:
        return (1 if not line.owner else 0 if line.owner == own else 2, line.name)

    return [line.name for line in sorted(snapshot.lines.values(), key=rank)]


def _of_route(snapshot: Snapshot, wanted: Wanted, name: str, why: list[Step]) -> Iterator[str]:
    """Name the lines of a route and of those that stand in for it."""
    plan, taken = snapshot.plan, set[str]()
    while name and name not in taken:
        taken.add(name)
        route = next((each for each in plan.routes if each.name == name), None)
        if route is None:
            why.append(step("route-none", route=name))
            return
        closed = route.time_condition and not open_by(plan, route.time_condition, wanted.when)
        if closed and not wanted.emergency:
            why.append(step("route-closed", route=name, condition=route.time_condition))
        else:
            why.append(step("route", route=name))
            yield from _in_order(snapshot, wanted, route, why)
        name = route.otherwise


def _in_order(snapshot: Snapshot, wanted: Wanted, route: Route, why: list[Step]) -> tuple[str, ...]:
    """Return a route's lines as they are tried."""
    if not route.cheapest_first or wanted.emergency:
        return route.lines
    prices: dict[str, float] = {}
    for name in route.lines:
        line = snapshot.lines.get(name)
        price = None if line is None else _price(snapshot.plan, line, wanted.number)
        if price is not None:
            prices[name], prefix = price
            why.append(step("price", line=name, price=f"{price[0]:g}", prefix=prefix))
    # Lines without a price keep their order behind the others
    return tuple(sorted(route.lines, key=lambda name: (name not in prices, prices.get(name, 0.0))))


def _price(plan: DialPlan, line: Line, number: str) -> tuple[float, str] | None:
    """Return a minute's price by a line, and the prefix that says it; None where nobody knows it."""
    digits = to_e164(number, line).removeprefix("+")
    known = (
        rate for _, rate in fitting(plan.rates, (digits,)) if digits and rate.line == line.name
    )
    best = max(known, key=lambda rate: len(rate.prefix), default=None)
    return None if best is None else (best.price, best.prefix)


def _hindered(plan: DialPlan, wanted: Wanted, line: Line) -> Step | None:
    """Return why a line is left out; None where it is not."""
    name = line.name
    if not line.enabled:
        return step("line-off", line=name)
    if wanted.emergency:
        return None
    user = wanted.origin.user
    if line.owner and (user is None or line.owner != user.number):
        return step("line-of-other", line=name, owner=line.owner)
    if 0 in (line.most, line.most_outgoing):
        return step("line-not-out", line=name)
    if line.time_condition and not open_by(plan, line.time_condition, wanted.when):
        return step("line-closed", line=name, condition=line.time_condition)
    if name == wanted.not_by:
        return step("line-same", line=name)
    return None


def _way(plan: DialPlan, wanted: Wanted, line: Line) -> tuple[Way, list[Step]]:
    """Return the way by a line, and what the tables have made of its numbers."""
    called, why = _called(plan, wanted, line)
    caller, why_caller = _caller(plan, wanted, line)
    return Way(line.name, called, caller), [*why, *why_caller]


def _called(plan: DialPlan, wanted: Wanted, line: Line) -> tuple[str, list[Step]]:
    """Return the called number as the line is told it.

    What a person has had refined goes out as it was refined; only other numbers get the line's
    format. An emergency number is changed by what names it as a whole, and by nothing else.
    """
    number, row = refine(
        plan.refine_called, wanted.number, line.name, "out", whole=wanted.emergency
    )
    why = [] if row is None else [step("refine-called", place=row.place, number=number)]
    change = changed(plan, number)
    if change is not None:
        number, said = change
        why.append(said)
    if wanted.emergency or (row is not None and change is None):
        return number, why
    return formatted(number, line, line.number_format), why


def _caller(plan: DialPlan, wanted: Wanted, line: Line) -> tuple[str, list[Step]]:
    """Return the caller's number as the line is told it."""
    user, number = wanted.origin.user, wanted.origin.number
    if user is not None and wanted.emergency and user.emergency_number:
        return formatted(user.emergency_number, line, line.caller_format), []
    if line.caller_number:
        return formatted(line.caller_number, line, line.caller_format), []
    if user is not None and number in ("", user.number):
        number = user.outside_number or user.number
    number, row = refine(plan.refine_caller, number, line.name, "out")
    if row is not None:
        return number, [step("refine-caller", place=row.place, number=number)]
    if user is not None and number == user.number and _shows_account(line):
        # Who has no number outside calls as the account does: a carrier knows no extensions.
        return line.user, []
    return formatted(number, line, line.caller_format), []


def _shows_account(line: Line) -> bool:
    """Whether a line's account is a number, and not told that callers' own shall be shown."""
    account = line.user.removeprefix("+")
    return line.registers and account.isdecimal() and line.from_user != "number"
