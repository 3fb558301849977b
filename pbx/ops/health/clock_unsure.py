"""The clock can't be right: call records would have wrong times, schedules wrong hours."""

from pbx.ops.health.facts import Facts, Problem

EARLIEST_WALL_S = 1_767_225_600
"""2026-01-01: this program is younger. A Raspberry Pi without network begins in the past."""


def check(facts: Facts) -> list[Problem]:
    """Return the problem, if it is there."""
    return [Problem("clock-unsure")] if facts.wall_s < EARLIEST_WALL_S else []
