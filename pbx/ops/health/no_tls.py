"""No TLS, though it is wanted: phones that speak only that are cut off."""

from pbx.ops.health.facts import Facts, Problem


def check(facts: Facts) -> list[Problem]:
    """Return the problem, if it is there."""
    return [Problem("no-tls", values={"why": facts.tls_why})] if facts.tls_why else []
