"""There are lines to call outside by, and nobody has an emergency number to dial."""

from pbx.ops.health.facts import Facts, Problem


def check(facts: Facts) -> list[Problem]:
    """Return the problem, if it is there."""
    return [Problem("no-emergency-numbers")] if facts.no_emergency_numbers else []
