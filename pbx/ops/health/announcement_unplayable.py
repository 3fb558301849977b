"""The file that is to tell parties of calls that they are recorded can't be played: they hear a tone instead."""

from pbx.ops.health.facts import Facts, Problem


def check(facts: Facts) -> list[Problem]:
    """Return the problem, if it is there."""
    if facts.announcement_failure is None:
        return []
    path, why = facts.announcement_failure
    if not why:
        return [Problem("announcement-no-sound", values={"path": path})]
    return [Problem("announcement-unreadable", values={"path": path, "why": why})]
