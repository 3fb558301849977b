"""Where calls from outside go: by the called number (DID), the caller, the line and the time."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from pbx.config.dial_plan import ANY, DialPlan, Incoming
from pbx.config.line import Line
from pbx.routing.decision import Step, step
from pbx.routing.dial_plan import fit
from pbx.routing.schedule import open_by


def destination(
    plan: DialPlan, line: Line, called: Sequence[str], caller: Sequence[str], when: datetime
) -> tuple[str, Step] | None:
    """Return the number of ours that a call on a line goes to, and why; None for the one called.

    The longest called number decides, then the longest caller's; then a row of this line comes
    before one of all, and one of certain hours before one of always. The line's own destination and
    its owner are like rows of that line without any number.

    Args:
        called, caller: the numbers, in all their forms (`number_format.forms`).
    """
    best: tuple[str, Step] | None = None
    best_key = (0, 0, False, False)
    for row, why in _rows(plan, line):
        did, by = fit(row.did, called), fit(row.caller, caller)
        if did is None or by is None or row.line not in (ANY, line.name):
            continue
        key = (-did[0], -by[0], row.line != ANY, bool(row.time_condition))
        if best is not None and key <= best_key:
            continue
        if row.time_condition and not open_by(plan, row.time_condition, when):
            continue
        best, best_key = (row.destination, why), key
    return best


def _rows(plan: DialPlan, line: Line) -> Iterator[tuple[Incoming, Step]]:
    for place, row in enumerate(plan.incoming, 1):
        yield row, step("incoming", place=place, destination=row.destination)
    if line.destination:
        own = Incoming(line=line.name, destination=line.destination)
        yield own, step("line-destination", line=line.name, destination=line.destination)
    elif line.owner:
        own = Incoming(line=line.name, destination=line.owner)
        yield own, step("line-owner", line=line.name, destination=line.owner)
