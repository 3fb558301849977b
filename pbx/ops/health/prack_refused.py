"""A gateway asks for PRACK and then refuses it: its calls go on, but it is set up wrong (RFC 3262)."""

from pbx.ops.health.facts import Facts, Problem

REMEMBERED_S = 86400
"""After a day without another case it isn't told of any more."""

MOST_SHOWN = 10
"""So that one carrier with many addresses hides nothing else."""


def check(facts: Facts) -> list[Problem]:
    """Return a problem for each contact that has done so."""
    return [
        Problem("prack-refused", values={"contact": contact})
        for contact, ago_s in sorted(facts.prack_refused.items())
        if ago_s < REMEMBERED_S
    ][:MOST_SHOWN]
