"""Somebody guesses passwords, or a phone has an old one."""

from pbx.ops.health.facts import Facts, Problem

MOST_SHOWN = 10
"""So that one with many addresses hides nothing else."""


def check(facts: Facts) -> list[Problem]:
    """Return a problem for each address that it comes from."""
    return [
        Problem("password-guessing", values={"source": source})
        for source in facts.guessing[:MOST_SHOWN]
    ]
