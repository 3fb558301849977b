"""Number change: one whole number in place of another."""

from pbx.config.dial_plan import DialPlan
from pbx.routing.decision import Step, step


def changed(plan: DialPlan, number: str) -> tuple[str, Step] | None:
    """Return what is called instead of a number, and the row that says so; None for no change."""
    for place, row in enumerate(plan.number_change, 1):
        if row.number == number:
            return row.new, step("number-change", place=place, number=number, new=row.new)
    return None
