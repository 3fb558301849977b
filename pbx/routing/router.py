"""Where a dialled number leads: a pure function of the configuration, with its explanation.

The order is miniSIPServer's: analyse the caller, analyse the called number, refine both, and last
the number change. Emergency numbers come before all of it.
"""

import re
from datetime import datetime

from pbx.config.dial_plan import USERS, AnalyzeCalled, AnalyzeCaller
from pbx.config.settings import ServiceSettings
from pbx.routing.call_level import missing
from pbx.routing.decision import RouteDecision, RouteKind, Step, step
from pbx.routing.dial_plan import Found, analyzed_called, analyzed_caller, emergency_row, refine
from pbx.routing.incoming import destination
from pbx.routing.number_change import changed
from pbx.routing.number_format import forms
from pbx.routing.origin import Origin
from pbx.routing.routes import Wanted, ways_outside
from pbx.routing.services import service_of, shown
from pbx.store.snapshot import Snapshot

_DIALABLE = re.compile(r"\+?[0-9*#]{1,32}\Z")
"""What a telephone can dial; anything else can't be a number of ours."""


def route(
    snapshot: Snapshot, services: ServiceSettings, dialed: str, origin: Origin, when: datetime
) -> RouteDecision:
    """Decide where `dialed`, the Request-URI's user part, leads.

    A local user comes before a service of the same number, and both before a number outside.

    Args:
        snapshot: users, lines and the dial plan.
        services: the numbers that the exchange itself answers.
        dialed: the number as it was dialled.
        origin: in whose name the call is made.
        when: local time, with its offset.
    """
    return _Search(snapshot, services, origin, when).find(dialed)


def route_ordered(
    snapshot: Snapshot, services: ServiceSettings, number: str, origin: Origin, when: datetime
) -> RouteDecision:
    """Decide where a number leads that the plan itself puts in the place of the one called.

    Arguments as for `route`; `number` is a destination of calls from outside.
    """
    return _Search(snapshot, services, origin, when).find_ordered(number)


class _Search:
    """One search, which writes down its steps."""

    def __init__(
        self, snapshot: Snapshot, services: ServiceSettings, origin: Origin, when: datetime
    ) -> None:
        self._snapshot = snapshot
        self._plan = snapshot.plan
        self._services = services
        self._origin = origin
        self._when = when
        self._caller = origin.number
        self._of_user = origin.user is not None
        self._line = None if self._of_user else snapshot.lines.get(origin.line)
        self._source = USERS if self._of_user else origin.line
        # What comes by a line and goes back by it is a loop between two exchanges, a number change
        # or not; it is none only where the plan says of the line's own calls where they go
        self._not_by = "" if self._of_user else origin.line
        self._steps: list[Step] = []

    def find(self, dialed: str) -> RouteDecision:
        """Return where a number leads that a party has dialled."""
        if not dialed:
            return self._end(RouteKind.INCOMPLETE, "", step("nothing-dialled"))
        if not _DIALABLE.match(dialed):
            return self._end(RouteKind.UNKNOWN, dialed, step("not-dialable"))
        emergency = self._emergency(dialed)
        if emergency is not None:
            return emergency
        caller = self._written(self._origin.number)
        found = analyzed_caller(self._plan, caller, self._source)
        if found is not None and found.row.refuse:
            return self._end(RouteKind.REFUSED, dialed, step("caller-refused", **_named(found)))
        if found is not None and found.row.destination:
            number = found.row.destination
            self._note(step("caller-destination", destination=number, **_named(found)))
            return self.find_ordered(number)
        return self._lookup(dialed) if self._of_user else self._incoming(dialed, caller)

    def find_ordered(self, number: str) -> RouteDecision:
        """Return where a number leads that the plan has put in the place of the one dialled."""
        self._not_by = ""
        return self._lookup(number, ordered=True)

    def _incoming(self, dialed: str, caller: tuple[str, ...]) -> RouteDecision:
        """Return where a call leads that comes from outside."""
        line, name = self._line, self._origin.line
        self._caller, row = refine(self._plan.refine_caller, self._caller, name, "in")
        if row is not None:
            self._note(step("refine-caller", place=row.place, number=self._caller))
        if line is not None:
            to = destination(self._plan, line, self._written(dialed), caller, self._when)
            if to is not None:
                self._note(to[1])
                return self.find_ordered(to[0])
        number, called = refine(self._plan.refine_called, dialed, name, "in")
        if called is not None:
            self._note(step("refine-called", place=called.place, number=number))
        return self._lookup(number)

    def _lookup(
        self, number: str, seen: tuple[str, ...] = (), *, ordered: bool = False
    ) -> RouteDecision:
        """Return where a number leads.

        Args:
            seen: the numbers that number changes have led away from.
            ordered: the plan itself has put it in place of another: it may be one outside, whoever
                calls, and asks for no call level.
        """
        if number in seen:
            return self._end(RouteKind.REFUSED, number, step("loop", number=number))
        emergency = self._emergency(number) if ordered else None
        if emergency is not None:
            return emergency
        dials = ordered or self._of_user
        bare = self._without_prefix(number) if dials else number
        ours = self._is_ours(number)
        begins = not ours and self._begins(number, dials=dials)
        found = analyzed_called(
            self._plan,
            number,
            self._written_by_any(bare),
            self._source,
            ordered=ordered,
            ours=ours or begins,
        )
        lacking = None if found is None or ordered else missing(found.row, self._origin)
        if found is not None:
            self._note(step(f"called-{found.row.route_type}", **_named(found)))
            if found.row.route_type == "refuse":
                return self._end(RouteKind.REFUSED, number)
            if found.row.route_type == "outside":
                return self._by_row(found, bare, lacking)
        if lacking is not None:
            return self._end(RouteKind.REFUSED, number, lacking)
        change = changed(self._plan, number)
        if change is not None:
            self._note(change[1])
            return self._lookup(change[0], (*seen, number), ordered=True)
        if ours:
            return self._here(number, 0.0 if found is None else found.row.max_duration_s)
        if begins:
            # "This status code allows overlapped dialing." (§21.4.22)
            return self._end(RouteKind.INCOMPLETE, number, step("beginning-only"))
        why = self._why_outside(number, bare) if dials and found is None else None
        if why is None:
            return self._end(RouteKind.UNKNOWN, number, step("nobodys"))
        self._note(why)
        return self._outside(Wanted(bare, self._origin, self._when, not_by=self._not_by))

    def _by_row(
        self, found: Found[AnalyzeCalled], bare: str, lacking: Step | None
    ) -> RouteDecision:
        """Return where a number leads that a row of «Analyse called number» sends outside."""
        row, digits = found.row, len(found.form.removeprefix("+"))
        if digits < row.least:
            return self._end(RouteKind.INCOMPLETE, bare, step("too-short", least=row.least))
        if row.most and digits > row.most:
            return self._end(RouteKind.UNKNOWN, bare, step("too-long", most=row.most))
        if lacking is not None:
            return self._end(RouteKind.REFUSED, bare, lacking)
        wanted = Wanted(bare, self._origin, self._when, row.route, not_by=self._not_by)
        return self._outside(wanted, row.max_duration_s)

    def _why_outside(self, number: str, bare: str) -> Step | None:
        """Return why a number of nobody's here, and of no row, is one outside; None if it isn't."""
        basics = self._plan.basics
        if bare != number:
            return step("out-prefix", prefix=basics.out_prefix, number=bare)
        if number.startswith("+"):
            return step("plus", number=number)
        return step("unknown-outside", number=number) if basics.unknown_outside else None

    def _outside(self, wanted: Wanted, longest_s: float = 0.0) -> RouteDecision:
        """Return the ways to a number outside, or that there is none."""
        if not self._snapshot.lines:
            return self._end(RouteKind.UNKNOWN, wanted.number, step("nobodys"))
        ways, why = ways_outside(self._snapshot, wanted)
        self._note(*why)
        if not ways:
            kind = RouteKind.REFUSED if wanted.not_by else RouteKind.NO_LINE
            return self._end(kind, wanted.number, step("no-way"))
        return RouteDecision(
            RouteKind.OUTSIDE,
            wanted.number,
            tuple(self._steps),
            ways=ways,
            emergency=wanted.emergency,
            max_duration_s=longest_s,
            caller=self._caller,
        )

    def _emergency(self, dialed: str) -> RouteDecision | None:
        """Return the ways of an emergency call; None for another number, or where there is no line.

        It comes before everything, a local user of the same number too.
        """
        bare = self._without_prefix(dialed) if self._of_user else dialed
        for number in dict.fromkeys((dialed, bare)):
            why, name = self._why_emergency(number)
            if why is None:
                continue
            self._note(why)
            if self._has_lines():
                return self._outside(Wanted(number, self._origin, self._when, name, emergency=True))
            off = (step("line-off", line=name) for name in sorted(self._snapshot.lines))
            self._note(step("emergency-no-line"), *off)
            return None
        return None

    def _why_emergency(self, number: str) -> tuple[Step | None, str]:
        """Return why a number is an emergency number, and by which route; None if it is none."""
        found = emergency_row(self._plan, number, self._source)
        if found is not None:
            row, digits = found.row, len(number)
            fits = digits >= row.least and not (row.most and digits > row.most)
            if fits and (found.left == 0 or not self._is_ours(number)):
                return step("emergency-row", number=number, **_named(found)), row.route
        if self._of_user and number in self._plan.basics.emergency_numbers:
            return step("emergency", number=number), ""
        return None, ""

    def _here(self, number: str, longest_s: float) -> RouteDecision:
        """Return that a number is a local user's, or a service's."""
        kind, service = RouteKind.LOCAL_USER, None
        if number not in self._snapshot.users:
            kind, service = RouteKind.SERVICE, service_of(self._services, number)
        if service is None:
            self._note(step("local-user", number=number))
        else:
            self._note(step("service", service=service.title))
            number = service.number
        why = tuple(self._steps)
        return RouteDecision(
            kind, number, why, service, max_duration_s=longest_s, caller=self._caller
        )

    def _end(self, kind: RouteKind, number: str, *why: Step) -> RouteDecision:
        """Return that a number leads nowhere."""
        self._note(*why)
        return RouteDecision(kind, shown(self._services, number), tuple(self._steps))

    def _note(self, *steps: Step) -> None:
        """Write steps down, without the password of a room in them."""
        for each in steps:
            values = ((name, shown(self._services, value)) for name, value in each.values)
            self._steps.append(Step(each.key, tuple(values)))

    def _is_ours(self, number: str) -> bool:
        users, services = self._snapshot.users, self._services
        return number in users or service_of(services, number) is not None

    def _has_lines(self) -> bool:
        return any(line.enabled for line in self._snapshot.lines.values())

    def _without_prefix(self, number: str) -> str:
        """Return a number as one outside; itself where the out-group prefix isn't its beginning."""
        return number.removeprefix(self._plan.basics.out_prefix) or number

    def _written(self, number: str) -> tuple[str, ...]:
        """Return a number of a party outside in the ways that a person may have written it."""
        return (number,) if self._line is None else forms(number, self._line)

    def _written_by_any(self, number: str) -> tuple[str, ...]:
        """Return a number outside in the ways that some line would write it."""
        lines = (line for line in self._snapshot.lines.values() if line.enabled)
        found = (written for line in lines for written in forms(number, line))
        return tuple(dict.fromkeys((number, *found)))

    def _begins(self, dialed: str, *, dials: bool) -> bool:
        """Whether some number that may be dialled goes on where `dialed` ends.

        A conference's has its room yet, and the out-group prefix a number outside.
        """
        basics, services = self._plan.basics, self._services.numbers
        room = services.get("conference", "")
        numbers = [*self._snapshot.users, *services.values()]
        if dials and self._has_lines():
            prefix, emergency = basics.out_prefix, basics.emergency_numbers
            numbers += [*emergency, *(prefix + number for number in emergency)]
            if prefix and dialed == prefix:
                return True
        return (bool(room) and dialed == room) or any(
            number.startswith(dialed) and number != dialed for number in numbers
        )


def _named(found: Found[AnalyzeCalled] | Found[AnalyzeCaller]) -> dict[str, object]:
    """Return what tells a row to people: its place in the table, and its prefix."""
    return {"place": found.place, "prefix": found.row.prefix}
