"""Health checks: one file each, a pure look at `Facts`; what they find is shown by everybody.

A check's sentence and remedy stand in `pbx.locale` under ``problem-SLUG`` and ``remedy-SLUG``.
"""

from collections.abc import Callable

from pbx.ops.health import (
    announcement_unplayable,
    callback_open,
    callback_port,
    clock_moved,
    clock_unsure,
    configuration_replaced,
    database_away,
    disk_full,
    emergency_call,
    emergency_taken,
    engine_restarted,
    former_database,
    late_ticks,
    line_down,
    line_leads_nowhere,
    line_prack_refused,
    no_address,
    no_emergency_numbers,
    no_engine,
    no_tls,
    password_guessing,
    phone_lost,
    prack_refused,
    recording_failed,
    recordings_lack_room,
    recordings_stay,
    records_stuck,
    service_off,
)
from pbx.ops.health.facts import Facts, Problem

CHECKS: tuple[Callable[[Facts], list[Problem]], ...] = (
    no_engine.check,
    no_address.check,
    no_tls.check,
    clock_unsure.check,
    disk_full.check,
    records_stuck.check,
    database_away.check,
    former_database.check,
    configuration_replaced.check,
    engine_restarted.check,
    late_ticks.check,
    phone_lost.check,
    password_guessing.check,
    prack_refused.check,
    line_down.check,
    line_leads_nowhere.check,
    line_prack_refused.check,
    emergency_taken.check,
    service_off.check,
    no_emergency_numbers.check,
    emergency_call.check,
    callback_open.check,
    callback_port.check,
    recording_failed.check,
    announcement_unplayable.check,
    recordings_lack_room.check,
    recordings_stay.check,
    clock_moved.check,
)


def examine(facts: Facts) -> list[Problem]:
    """Return what every check finds, the worst first."""
    found = [problem for check in CHECKS for problem in check(facts)]
    return sorted(found, key=lambda problem: not problem.failed)
