"""The media engine doesn't get to its work in time: what it plays, mixes or converts has gaps."""

from pbx.ops.health.facts import Facts, Problem

MOST_PERCENT = 0.1
"""One tick in a thousand: a gap each 20 s."""


def check(facts: Facts) -> list[Problem]:
    """Return the problem, if it is there."""
    if facts.late_ticks_percent <= MOST_PERCENT:
        return []
    return [Problem("late-ticks", values={"percent": f"{facts.late_ticks_percent:.1f}%"})]
