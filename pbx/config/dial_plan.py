"""The dial plan's tables, as miniSIPServer has them: what a person writes, one row a value.

Every table that looks at numbers matches by the longest prefix; of two as long, the one that names
its source wins.
"""

import msgspec

ROUTE_TYPES: tuple[str, ...] = ("local", "outside", "refuse")
DIRECTIONS: tuple[str, ...] = ("out", "in")
ANY = ""
USERS = "users"
"""Of `source`: calls of local users; else the name of a line, or `ANY`."""


class AnalyzeCaller(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Analyse caller number: what is done with calls by who calls.

    Args:
        prefix: of the caller's number; empty for every caller.
        source: whose calls: `ANY`, `USERS` or a line.
        refuse: they are refused.
        destination: the number that they go to, whatever was dialled; empty for the dialled one.
    """

    prefix: str
    source: str = ANY
    refuse: bool = False
    destination: str = ""


class AnalyzeCalled(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Analyse called number: where a number leads, and what it takes to call it.

    Args:
        prefix: of the dialled number; empty for every number.
        source: whose calls: `ANY`, `USERS` or a line.
        route_type: ``local``: to a local user or service; ``outside``: by `route`; ``refuse``.
        route: the route's name, for ``outside``; empty for the default route.
        level: the call level that a local user needs; 0 for everybody.
        max_duration_s: the longest call; 0 for no limit of its own.
        emergency: an emergency number: no right, no limit and no full line may stop it.
        least, most: how many digits a whole number has; 0 for any.
    """

    prefix: str
    source: str = ANY
    route_type: str = "outside"
    route: str = ""
    level: int = 0
    max_duration_s: float = 0.0
    emergency: bool = False
    least: int = 0
    most: int = 0


class RefineCaller(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Refine caller number: take digits away from its beginning, and put others there.

    Args:
        prefix: of the caller's number.
        line: on calls by this line; empty for all.
        direction: ``out``: on calls that go out; ``in``: on calls that come in.
        remove: how many digits are taken away.
        add: what is put there instead.
    """

    prefix: str
    line: str = ANY
    direction: str = "out"
    remove: int = 0
    add: str = ""


class RefineCalled(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Refine called number; arguments as for `RefineCaller`, of the called number."""

    prefix: str
    line: str = ANY
    direction: str = "out"
    remove: int = 0
    add: str = ""


class NumberChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Number change: one whole number in place of another, after everything else.

    Args:
        number: the number as routing found it.
        new: what is called instead.
    """

    number: str
    new: str


class Incoming(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where calls from outside go, by the called (DID) and the caller's number.

    Args:
        line: by which they come; empty for all.
        did: prefix of the called number; empty for all.
        caller: prefix of the caller's number; empty for all.
        time_condition: only then; empty for always.
        destination: the number of ours that they go to.
    """

    line: str = ANY
    did: str = ""
    caller: str = ""
    time_condition: str = ""
    destination: str


class Route(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A way outside: lines, of which the next one is tried where one can't.

    Args:
        name: what the other tables call it.
        lines: in order.
        cheapest_first: the lines that `Rate` knows a price of come first, the cheapest before.
        time_condition: in which it may be used; empty for always.
        otherwise: the route to take where this one may not be used or has no line left; empty: none.
    """

    name: str
    lines: tuple[str, ...]
    cheapest_first: bool = False
    time_condition: str = ""
    otherwise: str = ""


class Rate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a minute costs: the longest prefix of the number in E.164 digits counts.

    Args:
        line: by which line.
        prefix: such as 8610.
        price: a minute's, in any one currency.
    """

    line: str
    prefix: str
    price: float


class TimeCondition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A time condition: certain hours of certain days.

    Args:
        name: what the other tables call it.
        days: ``mon`` to ``sun``.
        start, finish: ``HH:MM``; a finish before the start is on the next day, the same is a whole
            day.
        holidays: ``yes``: holidays count as any day; ``no``: never on a holiday; ``only``.
    """

    name: str
    days: tuple[str, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    start: str = "00:00"
    finish: str = "00:00"
    holidays: str = "yes"


class Holiday(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A holiday: ``YYYY-MM-DD``, or ``MM-DD`` for every year."""

    date: str
    description: str = ""


GENERAL_EMERGENCY_NUMBERS: tuple[str, ...] = ("112", "110", "119", "120", "122", "911", "999")
"""While nobody has said in which country the exchange is: those of several. One too many costs an
extension its number, and is told; one too few may cost a life."""


class PlanBasics(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What stands above the tables; there is one of it.

    Args:
        out_prefix: out-group prefix: what a local user dials first to call outside; empty for none.
        default_route: of calls outside that no row sends elsewhere; empty: all lines, by name.
        country: where the exchange is (ISO 3166-1 alpha-2), which fills in `emergency_numbers`; empty:
            nobody has said.
        emergency_numbers: dialled as they are, with or without the out-group prefix.
        emergency_route: their route; empty for the default one, then every other line.
        unknown_outside: numbers that are nobody's here go outside without the prefix, too.
    """

    out_prefix: str = "9"
    default_route: str = ""
    country: str = ""
    emergency_numbers: tuple[str, ...] = GENERAL_EMERGENCY_NUMBERS
    emergency_route: str = ""
    unknown_outside: bool = False


class DialPlan(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    basics: PlanBasics = PlanBasics()
    analyze_caller: tuple[AnalyzeCaller, ...] = ()
    analyze_called: tuple[AnalyzeCalled, ...] = ()
    refine_caller: tuple[RefineCaller, ...] = ()
    refine_called: tuple[RefineCalled, ...] = ()
    number_change: tuple[NumberChange, ...] = ()
    incoming: tuple[Incoming, ...] = ()
    routes: tuple[Route, ...] = ()
    rates: tuple[Rate, ...] = ()
    time_conditions: tuple[TimeCondition, ...] = ()
    holidays: tuple[Holiday, ...] = ()


TABLES: dict[str, type[msgspec.Struct]] = {
    "analyze_caller": AnalyzeCaller,
    "analyze_called": AnalyzeCalled,
    "refine_caller": RefineCaller,
    "refine_called": RefineCalled,
    "number_change": NumberChange,
    "incoming": Incoming,
    "routes": Route,
    "rates": Rate,
    "time_conditions": TimeCondition,
    "holidays": Holiday,
}
"""The tables of `DialPlan`, and what a row of each is."""
