"""The clock was set by days: recordings don't go by their age until somebody could look at it."""

from pbx.ops.health.facts import Facts, Problem


def check(facts: Facts) -> list[Problem]:
    """Return the problem, if it is there."""
    days = facts.clock_moved_days
    return [Problem("clock-moved", values={"days": str(days)})] if days else []
