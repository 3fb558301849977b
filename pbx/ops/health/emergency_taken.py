"""A local user or service has the number of an emergency service, which comes first."""

from pbx.ops.health.facts import Facts, Problem


def check(facts: Facts) -> list[Problem]:
    """Return a problem that names the numbers."""
    if not facts.shadowed:
        return []
    return [Problem("emergency-taken", values={"numbers": ", ".join(facts.shadowed)})]
