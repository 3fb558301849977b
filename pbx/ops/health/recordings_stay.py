"""A recording that is too old, or one too many, can't be removed: the disk may run full."""

from pbx.ops.health.facts import Facts, Problem


def check(facts: Facts) -> list[Problem]:
    """Return the problem, if it is there."""
    if facts.recording_stays is None:
        return []
    file, why = facts.recording_stays
    return [Problem("recordings-stay", values={"file": file, "why": why})]
