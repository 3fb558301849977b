"""Emergency numbers: those of ours that nobody can call because of them, and whether there are any."""

from pbx.config.emergency_numbers import reserved
from pbx.config.settings import ServiceSettings
from pbx.store.snapshot import Snapshot


def shadowed(snapshot: Snapshot, services: ServiceSettings) -> tuple[str, ...]:
    """Return the local users and services whose numbers are emergency numbers.

    Where there is a line their callers reach the emergency service (`router.route`).
    """
    if not any(line.enabled for line in snapshot.lines.values()):
        return ()
    ours = {*snapshot.users, *services.numbers.values()}
    return tuple(sorted(ours & reserved(snapshot.plan)))


def no_emergency_numbers(snapshot: Snapshot) -> bool:
    """Whether calls can go outside, and the dial plan knows no emergency number."""
    plan = snapshot.plan
    lines = any(line.enabled for line in snapshot.lines.values())
    rows = any(row.emergency for row in plan.analyze_called)
    return lines and not (plan.basics.emergency_numbers or rows)
