"""A media engine has died: calls lost their sound for a moment, and it may happen again."""

from pbx.ops.health.facts import Facts, Problem


def check(facts: Facts) -> list[Problem]:
    """Return the problem, if it is there."""
    if not facts.engine_deaths:
        return []
    return [Problem("engine-restarted", values={"count": str(facts.engine_deaths)})]
