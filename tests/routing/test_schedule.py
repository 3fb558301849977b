"""When a time condition is on."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.config.dial_plan import DialPlan, Holiday, TimeCondition
from pbx.routing.schedule import is_on, open_by
from tests.routing.plans import untimed

BERLIN = ZoneInfo("Europe/Berlin")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri")
OFFICE = TimeCondition(name="office", days=WEEKDAYS, start="09:00", finish="17:30")
NIGHT = TimeCondition(name="night", days=("fri",), start="22:00", finish="06:00")
CHRISTMAS = (Holiday(date="12-25"), Holiday(date="2026-12-24", description="Christmas Eve"))


def at(day: str, clock: str) -> datetime:
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=BERLIN)


class TestHours:
    @pytest.mark.parametrize(
        ("day", "clock", "on"),
        [
            ("2026-11-30", "08:59:59", False),
            ("2026-11-30", "09:00", True),
            ("2026-11-30", "17:29:59", True),
            ("2026-11-30", "17:30", False),
            ("2026-11-28", "12:00", False),
        ],
    )
    def test_an_office_is_open_from_its_first_minute_to_its_last(
        self, day: str, clock: str, on: bool
    ) -> None:
        assert is_on(OFFICE, (), at(day, clock)) is on

    @pytest.mark.parametrize(
        ("day", "clock", "on"),
        [
            ("2026-11-27", "21:59", False),
            ("2026-11-27", "22:00", True),
            ("2026-11-28", "05:59", True),
            ("2026-11-28", "06:00", False),
            ("2026-11-28", "22:00", False),
            ("2026-11-27", "05:59", False),
        ],
    )
    def test_a_night_belongs_to_the_day_on_which_it_begins(
        self, day: str, clock: str, on: bool
    ) -> None:
        assert is_on(NIGHT, (), at(day, clock)) is on

    def test_the_same_start_and_finish_are_a_whole_day(self) -> None:
        always = TimeCondition(name="always")
        assert is_on(always, (), at("2026-11-28", "00:00"))
        assert is_on(always, (), at("2026-11-28", "23:59:59"))
        shift = TimeCondition(name="shift", days=("mon",), start="08:00", finish="08:00")
        assert not is_on(shift, (), at("2026-11-30", "07:59"))
        assert is_on(shift, (), at("2026-11-30", "08:00"))
        assert is_on(shift, (), at("2026-12-01", "07:59"))
        assert not is_on(shift, (), at("2026-12-01", "08:00"))

    @untimed
    @given(st.integers(0, 366 * 1440), st.integers(0, 1439))
    def test_a_day_and_a_night_share_the_week(self, minutes: int, minute: int) -> None:
        when = at("2026-01-01", "00:00") + timedelta(minutes=minutes)
        border = f"{minute // 60:02}:{minute % 60:02}"
        other = "12:00" if border != "12:00" else "13:00"
        one = TimeCondition(name="one", start=border, finish=other)
        rest = TimeCondition(name="rest", start=other, finish=border)
        assert is_on(one, (), when) is not is_on(rest, (), when)


class TestHolidays:
    @pytest.mark.parametrize(("holidays", "on"), [("yes", True), ("no", False), ("only", True)])
    @pytest.mark.parametrize("day", ["2026-12-24", "2026-12-25", "2025-12-25"])
    def test_on_a_holiday(self, holidays: str, on: bool, day: str) -> None:
        condition = TimeCondition(name="x", start="08:00", finish="12:00", holidays=holidays)
        assert is_on(condition, CHRISTMAS, at(day, "10:00")) is on

    @pytest.mark.parametrize(("holidays", "on"), [("yes", True), ("no", True), ("only", False)])
    @pytest.mark.parametrize("day", ["2026-12-23", "2025-12-24"])
    def test_on_another_day(self, holidays: str, on: bool, day: str) -> None:
        condition = TimeCondition(name="x", start="08:00", finish="12:00", holidays=holidays)
        assert is_on(condition, CHRISTMAS, at(day, "10:00")) is on

    def test_the_night_after_a_holiday_is_the_holidays(self) -> None:
        night = TimeCondition(name="x", start="22:00", finish="06:00", holidays="only")
        assert is_on(night, CHRISTMAS, at("2026-12-26", "05:00"))
        assert not is_on(night, CHRISTMAS, at("2026-12-24", "05:00"))


class TestSummerTime:
    """The clock on the wall counts, also where an hour is missing or comes twice."""

    def test_the_office_opens_at_nine_on_either_side_of_the_change(self) -> None:
        always_nine = TimeCondition(name="x", start="09:00", finish="10:00")
        for day in ("2026-03-28", "2026-03-29", "2026-10-24", "2026-10-25"):
            assert not is_on(always_nine, (), at(day, "08:59"))
            assert is_on(always_nine, (), at(day, "09:00"))

    def test_the_hour_that_comes_twice_is_open_twice(self) -> None:
        early = TimeCondition(name="x", start="02:00", finish="03:00")
        first = at("2026-10-25", "02:30")
        assert first.utcoffset() == timedelta(hours=2)
        second = first.replace(fold=1)
        assert second.utcoffset() == timedelta(hours=1)
        assert is_on(early, (), first)
        assert is_on(early, (), second)

    def test_a_night_over_the_missing_hour_ends_at_six(self) -> None:
        night = TimeCondition(name="x", days=("sat",), start="22:00", finish="06:00")
        assert is_on(night, (), at("2026-03-29", "03:00"))
        assert not is_on(night, (), at("2026-03-29", "06:00"))


class TestOpenBy:
    PLAN = DialPlan(time_conditions=(OFFICE, NIGHT))

    def test_by_its_name(self) -> None:
        assert open_by(self.PLAN, "office", at("2026-11-30", "12:00"))
        assert not open_by(self.PLAN, "night", at("2026-11-30", "12:00"))

    def test_no_name_and_a_name_of_none_are_always_open(self) -> None:
        assert open_by(self.PLAN, "", at("2026-11-30", "12:00"))
        assert open_by(self.PLAN, "gone", at("2026-11-30", "12:00"))

    def test_every_day_of_a_year_is_some_weekday(self) -> None:
        days = (date(2026, 1, 1) + timedelta(days=each) for each in range(365))
        on = sum(is_on(OFFICE, (), at(day.isoformat(), "12:00")) for day in days)
        assert on == 261
