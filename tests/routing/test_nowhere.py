"""Lines whose own destination leads to nobody."""

import pytest

from pbx.config.dial_plan import AnalyzeCalled, DialPlan, NumberChange
from pbx.routing.decision import RouteKind
from pbx.routing.nowhere import leading_nowhere
from tests.routing.plans import MONDAY_NOON, Plan, line


def told(exchange: Plan) -> dict[str, str]:
    return leading_nowhere(exchange.snapshot, exchange.services, MONDAY_NOON)


@pytest.mark.parametrize("number", ["199", "10", "4711"])
def test_nobodys_numbers(number: str) -> None:
    exchange = Plan(line("telco", destination=number), "other")
    assert told(exchange) == {"telco": number}
    assert exchange.comes("5551234", by="telco").kind in (RouteKind.UNKNOWN, RouteKind.INCOMPLETE)


@pytest.mark.parametrize("number", ["101", "*43", "913800138000", "+8613800138000", "200", "300"])
def test_numbers_of_somebody_here_or_outside(number: str) -> None:
    plan = DialPlan(
        number_change=(NumberChange(number="200", new="101"),),
        analyze_called=(AnalyzeCalled(prefix="300"),),
    )
    exchange = Plan(line("telco", destination=number), "other", plan=plan)
    assert told(exchange) == {}
    assert exchange.comes("5551234", by="telco").kind is not RouteKind.UNKNOWN


def test_lines_without_a_destination_and_lines_that_are_off() -> None:
    off = line("off", destination="199", enabled=False)
    assert told(Plan("telco", off)) == {}
