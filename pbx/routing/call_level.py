"""Call levels: which numbers a local user may call."""

from pbx.config.dial_plan import AnalyzeCalled
from pbx.routing.decision import Step, step
from pbx.routing.origin import Origin


def missing(row: AnalyzeCalled, origin: Origin) -> Step | None:
    """Return why a party has not the call level that a row demands; None where it has.

    Levels are local users': what a line's calls may reach is said by the rows that name it.
    """
    user = origin.user
    if user is None or user.call_level >= row.level:
        return None
    return step("level", number=user.number, has=user.call_level, needs=row.level)
