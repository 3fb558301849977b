"""A call that was to be recorded couldn't be."""

from pbx.ops.health.facts import Facts, Problem


def check(facts: Facts) -> list[Problem]:
    """Return the problem, if it is there."""
    why = facts.recording_failure
    return [Problem("recording-failed", values={"why": why})] if why else []
