"""No media engine runs: no call could have sound."""

from pbx.ops.health.facts import Facts, Problem, Severity


def check(facts: Facts) -> list[Problem]:
    """Return the problem, if it is there."""
    return [] if facts.engine_pid else [Problem("no-engine", Severity.FAILED)]
