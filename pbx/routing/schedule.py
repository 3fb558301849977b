"""Whether a time condition is on: by the clock on the wall, so that summer time changes nothing."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from pbx.config.dial_plan import DialPlan, Holiday, TimeCondition

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def is_on(condition: TimeCondition, holidays: Iterable[Holiday], when: datetime) -> bool:
    """Return whether the condition is on at `when`, local time.

    What begins before midnight and ends after it is of the day on which it began: Friday from 22:00
    to 06:00 goes on into Saturday, and so does a holiday.
    """
    start, finish = _minutes(condition.start), _minutes(condition.finish)
    minute, today = when.hour * 60 + when.minute, when.date()
    if start < finish:
        return start <= minute < finish and _counts(condition, holidays, today)
    if minute >= start:
        return _counts(condition, holidays, today)
    return minute < finish and _counts(condition, holidays, today - timedelta(days=1))


def open_by(plan: DialPlan, name: str, when: datetime) -> bool:
    """Return whether what has this time condition may be used; without one, always.

    A name that no time condition has hinders nothing.
    """
    condition = next((each for each in plan.time_conditions if each.name == name), None)
    return condition is None or is_on(condition, plan.holidays, when)


def _minutes(clock: str) -> int:
    hour, _, minute = clock.partition(":")
    return int(hour) * 60 + int(minute)


def _counts(condition: TimeCondition, holidays: Iterable[Holiday], day: date) -> bool:
    """Whether the condition is on at its hours of this day."""
    if _DAYS[day.weekday()] not in condition.days:
        return False
    if condition.holidays == "yes":
        return True
    dates = (day.isoformat(), f"{day:%m-%d}")
    is_holiday = any(each.date in dates for each in holidays)
    return is_holiday == (condition.holidays == "only")
