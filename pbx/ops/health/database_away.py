"""The database doesn't answer: calls go on, records queue, nothing can be changed."""

from pbx.ops.health.facts import Facts, Problem


def check(facts: Facts) -> list[Problem]:
    """Return the problem, if it is there."""
    if facts.database_ok:
        return []
    values = {"why": facts.database_why, "count": str(facts.records_waiting)}
    return [Problem("database-away", values=values)]
