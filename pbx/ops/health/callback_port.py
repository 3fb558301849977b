"""The call-back service has no port, though it is to have one: nobody can ask for call-backs."""

from pbx.ops.health.facts import Facts, Problem


def check(facts: Facts) -> list[Problem]:
    """Return the problem, if it is there."""
    if facts.callback_failure is None:
        return []
    port, why = facts.callback_failure
    return [Problem("callback-port", values={"port": str(port), "why": why})]
