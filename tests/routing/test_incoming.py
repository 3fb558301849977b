"""Where calls from outside go."""

from datetime import UTC, datetime

import pytest

from pbx.config.dial_plan import DialPlan, Incoming, TimeCondition
from pbx.routing.decision import RouteKind
from tests.routing.plans import MONDAY_NOON, Plan, line, user

PLAN = DialPlan(
    incoming=(
        Incoming(destination="100"),
        Incoming(did="01062345678", destination="101"),
        Incoming(did="0106234", destination="102"),
        Incoming(did="01062345678", time_condition="night", destination="*47"),
        Incoming(caller="0138", destination="103"),
        Incoming(did="0106234", caller="+49", destination="9013800138000"),
        Incoming(line="b", destination="104"),
        Incoming(did="0107", line="b", destination="105"),
        Incoming(did="0109", destination="199"),
        Incoming(did="0108", destination="*6*1*4711"),
    ),
    time_conditions=(TimeCondition(name="night", start="18:00", finish="08:00"),),
)
USERS = tuple(user(str(number)) for number in range(100, 110))
EXCHANGE = Plan(line("a", country="86"), "b", plan=PLAN, users=USERS)
NIGHT = datetime(2026, 11, 30, 23, tzinfo=UTC)


class TestTable:
    @pytest.mark.parametrize(
        ("called", "caller", "by", "to"),
        [
            ("01062345678", "0139", "a", "101"),
            ("01062341111", "0139", "a", "102"),
            ("01099", "0139", "a", "199"),
            ("555", "0139", "a", "100"),
            ("555", "", "a", "100"),
            ("555", "01381234567", "a", "103"),
            ("01062345678", "01381234567", "a", "101"),
            ("555", "0139", "b", "104"),
            ("0107", "0139", "b", "105"),
            ("0107", "0139", "a", "100"),
        ],
    )
    def test_the_longest_called_number_decides_then_the_callers_then_the_line(
        self, called: str, caller: str, by: str, to: str
    ) -> None:
        assert EXCHANGE.comes(called, caller, by).number == to

    def test_a_row_of_certain_hours_comes_before_one_of_always(self) -> None:
        decision = EXCHANGE.comes("01062345678", "0139", "a", when=NIGHT)
        assert (decision.kind, decision.number) == (RouteKind.SERVICE, "*47")
        assert decision.recorded == "incoming calls, row 4: to *47; service recorder"

    @pytest.mark.parametrize("called", ["+861062345678", "00861062345678", "861062345678"])
    def test_the_called_number_may_come_in_any_format(self, called: str) -> None:
        assert EXCHANGE.comes(called, "0139", "a").number == "101"

    def test_a_call_may_be_sent_to_a_number_outside_by_the_line_that_it_came_by(self) -> None:
        decision = EXCHANGE.comes("01062341111", "+4930123456", "a")
        assert (decision.kind, decision.number) == (RouteKind.OUTSIDE, "013800138000")
        assert [way.line for way in decision.ways] == ["a", "b"]
        assert decision.ways[0].caller == "+4930123456"

    def test_a_row_to_nobody_is_said(self) -> None:
        decision = EXCHANGE.comes("01099", "0139", "a")
        assert decision.kind is RouteKind.UNKNOWN
        assert decision.recorded.startswith("incoming calls, row 9: to 199; no local user")

    def test_the_password_of_a_room_is_not_said(self) -> None:
        decision = EXCHANGE.comes("0108", "0139", "a")
        assert decision.kind is RouteKind.SERVICE
        assert decision.service is not None
        assert decision.service.password == "4711"
        assert "4711" not in decision.recorded


class TestLine:
    def test_its_destination(self) -> None:
        exchange = Plan(line("a", destination="101", owner="100"))
        decision = exchange.comes("01062345678", "0138", "a")
        assert decision.number == "101"
        assert decision.recorded == "incoming calls of the line a go to 101; local user 101"
        assert decision.caller == "0138"

    def test_its_owner(self) -> None:
        decision = Plan(line("a", owner="101")).comes("01062345678", "0138", "a")
        assert decision.recorded == "the line a is that of 101; local user 101"

    def test_a_row_of_the_plan_comes_first_where_it_says_more(self) -> None:
        plan = DialPlan(
            incoming=(
                Incoming(destination="100"),
                Incoming(did="0106", destination="102"),
                Incoming(line="b", destination="103"),
            )
        )
        lines = (line("a", destination="101"), line("b", destination="101"))
        exchange = Plan(*lines, plan=plan, users=USERS)
        assert exchange.comes("0107", "0138", "a").number == "101"
        assert exchange.comes("0106", "0138", "a").number == "102"
        assert exchange.comes("0107", "0138", "b").number == "103"


class TestWithoutRow:
    def test_the_called_number_is_looked_up_as_it_came(self) -> None:
        assert Plan("a").comes("101", "0138", "a").number == "101"
        assert Plan("a").comes("*43", "0138", "a").kind is RouteKind.SERVICE

    def test_nobodys_number_leads_nowhere(self) -> None:
        decision = Plan("a").comes("01062345678", "0138", "a")
        assert decision.kind is RouteKind.UNKNOWN

    def test_more_of_a_number_may_come(self) -> None:
        assert Plan("a").comes("10", "0138", "a").kind is RouteKind.INCOMPLETE

    def test_a_line_that_is_gone_and_a_party_of_no_line_reach_local_numbers(self) -> None:
        assert Plan("a").comes("101", "0138", "gone", when=MONDAY_NOON).number == "101"
        assert Plan("a").comes("101", "0138").number == "101"
