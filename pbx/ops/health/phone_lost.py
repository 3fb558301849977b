"""A user's phones have stopped registering without signing off: unplugged, or cut off."""

from pbx.ops.health.facts import Facts, Problem

FORGOTTEN_S = 7 * 86400
"""After a week without it a phone is not missed any more."""


def check(facts: Facts) -> list[Problem]:
    """Return a problem for each user who has lost the last phone."""
    return [
        Problem("phone-lost", values={"number": number, "minutes": str(round(ago_s / 60))})
        for number, ago_s in sorted(facts.lost.items())
        if ago_s < FORGOTTEN_S
    ]
