"""Emergency numbers by country."""

import re

import pytest

from pbx.config.dial_plan import AnalyzeCalled, DialPlan, PlanBasics
from pbx.config.emergency_numbers import ALWAYS, countries, numbers_of, reserved


@pytest.mark.parametrize("code", countries())
def test_each_country_has_numbers_that_can_be_dialled_and_says_where_they_are_from(
    code: str,
) -> None:
    country = countries()[code]
    assert re.fullmatch(r"[A-Z]{2}", code)
    assert country.numbers
    assert len(set(country.numbers)) == len(country.numbers)
    assert all(re.fullmatch(r"[0-9]{2,6}", number) for number in country.numbers)
    assert country.rests_on.strip()
    assert {*country.numbers, *ALWAYS} == set(numbers_of(code))


@pytest.mark.parametrize(
    ("code", "numbers"),
    [
        ("CN", {"110", "119", "120", "122", "112", "911"}),
        ("DE", {"110", "112", "911"}),
        ("GB", {"999", "112", "911"}),
        ("US", {"911", "112"}),
    ],
)
def test_those_of_some_countries(code: str, numbers: set[str]) -> None:
    assert set(numbers_of(code)) == numbers


def test_nobody_who_has_not_said_where_they_are_loses_help() -> None:
    general = {"112", "911", "110", "119", "120", "122", "999"}
    assert set(numbers_of("")) == set(PlanBasics().emergency_numbers) == general


def test_numbers_are_reserved_as_they_are_dialled() -> None:
    plan = DialPlan(
        basics=PlanBasics(out_prefix="0", emergency_numbers=("112",)),
        analyze_called=(
            AnalyzeCalled(prefix="12395", emergency=True),
            AnalyzeCalled(prefix="555"),
        ),
    )
    assert reserved(plan) == {"112", "0112", "12395"}
