"""Calls that come by a line are led to a number that is nobody's."""

from pbx.ops.health.facts import Facts, Problem


def check(facts: Facts) -> list[Problem]:
    """Return a problem for each such line."""
    return [
        Problem("line-leads-nowhere", values={"line": line, "number": number})
        for line, number in facts.nowhere.items()
    ]
