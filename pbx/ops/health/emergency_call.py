"""An emergency call runs: whoever watches over the exchange is to know at once."""

from pbx.ops.health.facts import Facts, Problem


def check(facts: Facts) -> list[Problem]:
    """Return a problem for each emergency call."""
    return [
        Problem("emergency-call", values={"caller": caller, "number": number})
        for caller, number in facts.emergency_calls
    ]
