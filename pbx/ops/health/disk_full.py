"""The disk is nearly full: records would have to wait in memory."""

from pbx.ops.health.facts import Facts, Problem

MOST_USED = 0.9


def check(facts: Facts) -> list[Problem]:
    """Return the problem, if it is there."""
    if facts.disk_used <= MOST_USED:
        return []
    return [Problem("disk-full", values={"percent": f"{facts.disk_used:.0%}"})]
