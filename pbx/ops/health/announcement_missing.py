"""What is to tell parties of calls that they are recorded isn't there: it may be the law that they hear it."""

from pbx.ops.health.facts import Facts, Problem


def check(facts: Facts) -> list[Problem]:
    """Return the problem, if it is there."""
    path = facts.announcement_missing
    return [Problem("announcement-missing", values={"path": path})] if path else []
