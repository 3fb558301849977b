"""An external line isn't registered, or a SIP trunk doesn't answer: calls outside may fail."""

from pbx.ops.health.facts import Facts, Problem


def check(facts: Facts) -> list[Problem]:
    """Return a problem for each line in trouble, by its kind."""
    return [
        Problem(f"line-{trouble.slug}", values={"line": name, **trouble.values})
        for name, trouble in sorted(facts.lines.items())
    ]
