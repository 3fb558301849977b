"""Calls that should be recorded aren't: the disk has no room for that."""

from pbx.ops.health.facts import Facts, Problem


def check(facts: Facts) -> list[Problem]:
    """Return the problem, if it is there."""
    if not facts.recordings_lack_mb:
        return []
    return [Problem("recordings-lack-room", values={"least": str(facts.recordings_lack_mb)})]
