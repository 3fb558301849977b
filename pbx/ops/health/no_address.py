"""The machine has no network: no phone can reach the exchange."""

from pbx.ops.health.facts import Facts, Problem


def check(facts: Facts) -> list[Problem]:
    """Return the problem, if it is there: loopback is nobody's way in."""
    if any(" 127." not in one and " [::1]" not in one for one in facts.addresses):
        return []
    return [Problem("no-address")]
