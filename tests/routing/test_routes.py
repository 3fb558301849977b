"""By which lines a number outside is called, and in what order."""

from datetime import UTC, datetime

from pbx.config.dial_plan import (
    AnalyzeCalled,
    DialPlan,
    PlanBasics,
    Rate,
    Route,
    TimeCondition,
)
from pbx.routing.decision import RouteKind
from pbx.routing.origin import Origin, Way
from pbx.routing.router import route
from tests.routing.plans import MONDAY_NOON, Plan, called, caller, line, lines_of, user

DAY = TimeCondition(name="day", start="08:00", finish="18:00")
NIGHT = TimeCondition(name="night", start="18:00", finish="08:00")
MIDNIGHT = datetime(2026, 11, 30, 0, tzinfo=UTC)


class TestRoute:
    PLAN = DialPlan(
        basics=PlanBasics(default_route="usual"),
        routes=(
            Route(name="usual", lines=("b", "a", "none"), otherwise="spare"),
            Route(name="spare", lines=("a", "c"), time_condition="day", otherwise="usual"),
            Route(name="far", lines=("c",), time_condition="night", otherwise="spare"),
        ),
        analyze_called=(
            AnalyzeCalled(prefix="00", route="far"),
            AnalyzeCalled(prefix="05", route="gone"),
        ),
        time_conditions=(DAY, NIGHT),
    )
    EXCHANGE = Plan("a", "b", "c", plan=PLAN)

    def test_its_lines_in_order_then_those_of_the_one_that_stands_in(self) -> None:
        decision = self.EXCHANGE.dials("90138")
        assert lines_of(decision) == ["b", "a", "c"]
        assert "there is no line none" in decision.recorded
        assert "route usual" in decision.recorded

    def test_a_route_outside_its_hours_is_passed_over(self) -> None:
        decision = self.EXCHANGE.dials("90049")
        assert lines_of(decision) == ["a", "c", "b"]
        assert "route far may not be used now (time condition night)" in decision.recorded
        assert lines_of(self.EXCHANGE.dials("90049", when=MIDNIGHT)) == ["c", "b", "a"]

    def test_a_route_that_is_gone_leads_nowhere_and_is_said(self) -> None:
        decision = self.EXCHANGE.dials("9051")
        assert decision.kind is RouteKind.NO_LINE
        assert decision.recorded.endswith(
            "there is no route gone; there is no line for this call now"
        )


class TestLine:
    def test_a_line_is_not_taken_that_is_off_or_shut_or_for_incoming_calls_or_anothers(
        self,
    ) -> None:
        lines = (
            line("a", enabled=False),
            line("b", time_condition="night"),
            line("c", most=0),
            line("d", most_outgoing=0),
            line("e", owner="101"),
            line("f", most_incoming=0),
        )
        exchange = Plan(*lines, plan=DialPlan(time_conditions=(DAY, NIGHT)))
        decision = exchange.dials("90138")
        assert lines_of(decision) == ["f"]
        assert [str(each) for each in decision.explanation][2:] == [
            "line a is switched off",
            "line b may not be used now (time condition night)",
            "line c is for no outgoing calls",
            "line d is for no outgoing calls",
            "way 1: line f calls 0138 as 100",
            "line e is for calls of 101 only",
        ]
        assert lines_of(exchange.dials("90138", when=MIDNIGHT)) == ["b", "f"]

    def test_a_user_calls_by_the_own_line_first(self) -> None:
        plan = DialPlan(
            basics=PlanBasics(default_route="usual"),
            routes=(Route(name="usual", lines=("a", "z")),),
            analyze_called=(AnalyzeCalled(prefix="00", route="usual"),),
        )
        lines = ("a", line("z", owner="101"))
        assert lines_of(Plan(*lines).dials("90138", "101")) == ["z", "a"]
        assert lines_of(Plan(*lines).dials("90138", "100")) == ["a"]
        assert lines_of(Plan(*lines, plan=plan).dials("90138", "101")) == ["z", "a"]
        assert lines_of(Plan(*lines, plan=plan).dials("90049", "101")) == ["a", "z"]

    def test_all_lines_off_are_no_line(self) -> None:
        decision = Plan(line("a", enabled=False), line("b", enabled=False)).dials("90138")
        assert decision.kind is RouteKind.NO_LINE
        assert decision.recorded.endswith(
            "line a is switched off; line b is switched off; there is no line for this call now"
        )

    def test_a_row_outside_without_any_line_leads_nowhere(self) -> None:
        plan = DialPlan(analyze_called=(AnalyzeCalled(prefix="0"),))
        assert Plan(plan=plan).dials("90138").kind is RouteKind.UNKNOWN


class TestLeastCost:
    PLAN = DialPlan(
        basics=PlanBasics(default_route="cheap"),
        routes=(Route(name="cheap", lines=("a", "b", "c", "none"), cheapest_first=True),),
        rates=(
            Rate(line="a", prefix="49", price=0.05),
            Rate(line="b", prefix="49", price=0.04),
            Rate(line="b", prefix="4917", price=0.2),
            Rate(line="b", prefix="8610", price=0.01),
            Rate(line="c", prefix="8610", price=0.01),
        ),
    )
    EXCHANGE = Plan(*(line(name, country="86", area="10") for name in "abc"), plan=PLAN)

    def test_the_cheapest_line_is_first_and_one_without_price_last(self) -> None:
        decision = self.EXCHANGE.dials("9004930123456")
        assert lines_of(decision) == ["b", "a", "c"]
        assert "line b: 0.04 a minute (prefix 49)" in decision.recorded

    def test_the_longest_prefix_says_the_price(self) -> None:
        assert lines_of(self.EXCHANGE.dials("900491701234567")) == ["a", "b", "c"]

    def test_however_the_number_is_dialled(self) -> None:
        for dialed in ("962345678", "901062345678", "+861062345678"):
            assert lines_of(self.EXCHANGE.dials(dialed)) == ["b", "c", "a"]

    def test_a_number_that_has_no_price_keeps_the_order(self) -> None:
        assert lines_of(self.EXCHANGE.dials("910086")) == ["a", "b", "c"]


class TestNumbers:
    def test_each_line_gets_its_own_format(self) -> None:
        lines = (
            line("a", country="86", area="10", number_format="+e164", caller_format="national"),
            line("b", country="86", area="10", number_format="local"),
            line("c"),
        )
        users = (user("100", outside_number="+861062340000"),)
        assert Plan(*lines, users=users).dials("901062345678").ways == (
            Way("a", "+861062345678", "01062340000"),
            Way("b", "62345678", "+861062340000"),
            Way("c", "01062345678", "+861062340000"),
        )

    def test_a_service_number_is_broken_by_no_format(self) -> None:
        exchange = Plan(line("a", country="86", area="10", number_format="+e164"))
        assert called(exchange.dials("910086")) == ["10086"]
        assert caller(exchange.dials("910086")) == ["100"]

    def test_a_lines_unified_number_is_shown_of_everybody(self) -> None:
        users = (user("100", outside_number="01062340000"),)
        assert caller(Plan(line("a", caller_number="0106666"), users=users).dials("90138")) == [
            "0106666"
        ]

    def test_who_has_no_number_outside_calls_as_the_lines_account(self) -> None:
        account: dict[str, object] = {"kind": "external-line", "user": "+861062340000"}
        lines = (
            line("a", **account),
            line("b", from_user="number", **account),
            line("c", user="5"),
        )
        assert caller(Plan(*lines).dials("90138")) == ["+861062340000", "100", "100"]

    def test_who_calls_through_a_user_keeps_the_own_number(self) -> None:
        """A forwarded call may show who has called."""
        exchange = Plan("a", users=(user("100", outside_number="01062340000"),))
        origin = Origin("0139", exchange.snapshot.users["100"])
        decision = route(exchange.snapshot, exchange.services, "90138", origin, MONDAY_NOON)
        assert caller(decision) == ["0139"]
