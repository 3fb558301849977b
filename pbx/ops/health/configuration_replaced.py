"""A configuration gave way to another one, and a person has to decide what becomes of it."""

from pbx.ops.health.facts import Facts, Problem


def check(facts: Facts) -> list[Problem]:
    """Return a problem for each."""
    return [
        Problem(
            "configuration-replaced",
            values={"number": str(number), "users": str(users), "lines": str(lines)},
        )
        for number, (users, lines) in facts.replaced.items()
    ]
