"""The program is older than its last database, and works with the copy from before an update."""

from pbx.ops.health.facts import Facts, Problem


def check(facts: Facts) -> list[Problem]:
    """Return the problem, if it is there."""
    if not facts.database_left:
        return []
    return [Problem("former-database", values={"path": facts.database_left})]
