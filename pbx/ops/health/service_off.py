"""A service is off, for its number in the settings file is an emergency number in every country."""

from pbx.ops.health.facts import Facts, Problem


def check(facts: Facts) -> list[Problem]:
    """Return a problem for each such service."""
    return [
        Problem("service-off", values={"setting": setting, "number": number})
        for setting, number in facts.services_refused.items()
    ]
