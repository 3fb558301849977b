"""Analyse caller and called number, refine, number change: which row decides, and what a user gets."""

import tracemalloc

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.config.dial_plan import (
    AnalyzeCalled,
    AnalyzeCaller,
    DialPlan,
    Incoming,
    NumberChange,
    PlanBasics,
    RefineCalled,
    RefineCaller,
)
from pbx.routing.decision import RouteKind
from pbx.routing.dial_plan import analyzed_called, fitting
from tests.routing.plans import Plan, called, caller, line, lines_of, untimed, user

INTERNATIONAL = DialPlan(
    analyze_called=(
        AnalyzeCalled(prefix="", level=0),
        AnalyzeCalled(prefix="00", level=3, max_duration_s=600.0),
        AnalyzeCalled(prefix="0049", level=1),
        AnalyzeCalled(prefix="0900", route_type="refuse"),
    )
)


class TestLongestPrefix:
    def test_a_number_as_long_as_a_message_costs_no_memory(self) -> None:
        """One INVITE took 1.7 GB."""
        rows = (AnalyzeCaller(prefix="9" * 33),)
        tracemalloc.start()
        try:
            found = fitting(rows, ("9" * 60_000,))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert found == [(1, rows[0])]
        assert peak < 1_000_000

    @untimed
    @given(
        st.lists(
            st.tuples(st.text("01", max_size=5), st.sampled_from(["", "users", "line"])),
            max_size=12,
        ),
        st.text("01", min_size=1, max_size=8),
    )
    def test_it_is_what_a_scan_of_all_rows_finds(
        self, rows: list[tuple[str, str]], dialed: str
    ) -> None:
        plan = DialPlan(
            analyze_called=tuple(AnalyzeCalled(prefix=prefix, source=name) for prefix, name in rows)
        )
        found = analyzed_called(plan, dialed, (), "users", ordered=False, ours=False)
        fitting = [
            (len(prefix), name == "users", -place)
            for place, (prefix, name) in enumerate(rows, 1)
            if dialed.startswith(prefix) and name in ("", "users")
        ]
        if not fitting:
            assert found is None
        else:
            assert found is not None
            assert found.place == -max(fitting)[2]

    def test_of_two_as_long_the_one_that_names_its_source_wins(self) -> None:
        plan = DialPlan(
            analyze_called=(
                AnalyzeCalled(prefix="0"),
                AnalyzeCalled(prefix="0", source="users", route_type="refuse"),
                AnalyzeCalled(prefix="0", source="a", route_type="refuse"),
            )
        )
        decision = Plan("a", plan=plan).dials("90138")
        assert decision.kind is RouteKind.REFUSED
        assert "analyse called number, row 2 (prefix 0): refused" in decision.recorded

    def test_a_row_for_international_numbers_holds_however_the_number_is_dialled(self) -> None:
        plan = Plan(line("a", country="86"), plan=INTERNATIONAL)
        for dialed in ("90033123456789", "0033123456789", "+33123456789"):
            decision = plan.dials(dialed)
            assert decision.kind is RouteKind.REFUSED, dialed
            assert "row 2 (prefix 00)" in decision.recorded
            assert "the call level of 100 is 0; this number needs 3" in decision.recorded

    @pytest.mark.parametrize(
        "dialed",
        [
            *("90033123456789#", "+33123456789#", "0033123456789*", "+33123456789*1"),
            *("+331234567890123456789", "900331234567890123456789"),
            *("+86900123456#", "90900123456#", "+86900123456000000000"),
        ],
    )
    def test_nor_by_what_carriers_pay_no_heed_to(self, dialed: str) -> None:
        """The sign that ends dialling, digits too many: they connect the call all the same."""
        plan = Plan(line("a", country="86", trunk_prefix="0"), plan=INTERNATIONAL)
        assert plan.dials(dialed).kind is RouteKind.REFUSED

    def test_a_row_for_plus_holds_for_other_forms(self) -> None:
        rows = (AnalyzeCalled(prefix=""), AnalyzeCalled(prefix="+", level=2))
        plan = Plan(line("a", country="86"), plan=DialPlan(analyze_called=rows))
        for dialed in ("0033123456789#", "90033123456789#", "900331234567890123456789"):
            assert plan.dials(dialed).kind is RouteKind.REFUSED, dialed

    def test_a_row_of_the_plan_may_name_the_out_group_prefix_too(self) -> None:
        plan = DialPlan(analyze_called=(AnalyzeCalled(prefix="900", route_type="refuse"),))
        exchange = Plan("a", plan=plan)
        assert exchange.dials("90033123").kind is RouteKind.REFUSED
        assert called(exchange.dials("9013800138000")) == ["013800138000"]

    def test_a_number_of_the_own_country_is_no_international_one(self) -> None:
        plan = Plan(line("a", country="86"), plan=INTERNATIONAL)
        assert plan.dials("+8613800138000").kind is RouteKind.OUTSIDE


class TestCallLevel:
    @pytest.mark.parametrize(
        ("dialed", "level", "kind"),
        [
            ("9013800138000", 0, RouteKind.OUTSIDE),
            ("9004930123456", 0, RouteKind.REFUSED),
            ("9004930123456", 1, RouteKind.OUTSIDE),
            ("90033123456789", 2, RouteKind.REFUSED),
            ("90033123456789", 3, RouteKind.OUTSIDE),
            ("909001234", 3, RouteKind.REFUSED),
        ],
    )
    def test_a_user_calls_what_the_level_allows(
        self, dialed: str, level: int, kind: RouteKind
    ) -> None:
        plan = Plan("a", plan=INTERNATIONAL, users=(user("100", call_level=level),))
        assert plan.dials(dialed).kind is kind

    def test_a_local_number_may_need_one(self) -> None:
        rows = (AnalyzeCalled(prefix="10", route_type="local", level=2, max_duration_s=60.0),)
        users = (user("100", call_level=2), user("101"))
        exchange = Plan(plan=DialPlan(analyze_called=rows), users=users)
        assert exchange.dials("101", "100").kind is RouteKind.LOCAL_USER
        assert exchange.dials("101", "100").max_duration_s == 60.0
        refused = exchange.dials("100", "101")
        assert refused.kind is RouteKind.REFUSED
        assert "the call level of 101 is 0" in refused.recorded

    def test_the_longest_call_is_the_rows(self) -> None:
        plan = Plan("a", plan=INTERNATIONAL, users=(user("100", call_level=3),))
        assert plan.dials("90033123456789").max_duration_s == 600.0
        assert plan.dials("9013800138000").max_duration_s == 0.0


class TestAnalyzeCaller:
    PLAN = DialPlan(
        analyze_caller=(
            AnalyzeCaller(prefix="10"),
            AnalyzeCaller(prefix="101", refuse=True),
            AnalyzeCaller(prefix="102", source="users", destination="100"),
            AnalyzeCaller(prefix="", source="a", refuse=True),
            AnalyzeCaller(prefix="0138", source="a", destination="90139"),
            AnalyzeCaller(prefix="+49", source="b", refuse=True),
        )
    )
    EXCHANGE = Plan(
        "a", line("b", country="49"), plan=PLAN, users=(user("100"), user("101"), user("102"))
    )

    def test_a_caller_may_be_refused(self) -> None:
        decision = self.EXCHANGE.dials("100", "101")
        assert decision.kind is RouteKind.REFUSED
        assert decision.recorded == "analyse caller number, row 2 (prefix 101): refused"
        assert self.EXCHANGE.comes("100", "0139", "a").kind is RouteKind.REFUSED

    def test_others_call_as_they_dial(self) -> None:
        assert self.EXCHANGE.dials("101", "100").number == "101"
        assert self.EXCHANGE.comes("100", "0139", "b").number == "100"

    def test_a_hot_line_leads_to_one_number_whatever_is_dialled(self) -> None:
        decision = self.EXCHANGE.dials("9013800138000", "102")
        assert (decision.kind, decision.number) == (RouteKind.LOCAL_USER, "100")
        assert "analyse caller number, row 3 (prefix 102): to 100" in decision.recorded

    def test_a_caller_from_outside_may_be_led_outside_even_by_the_same_line(self) -> None:
        decision = self.EXCHANGE.comes("100", "01381", "a")
        assert (decision.kind, decision.number) == (RouteKind.OUTSIDE, "0139")
        assert lines_of(decision) == ["a", "b"]
        assert caller(decision) == ["01381", "01381"]

    def test_a_caller_is_known_however_its_number_is_written(self) -> None:
        for number in ("+49301234567", "0049301234567", "0301234567"):
            assert self.EXCHANGE.comes("100", number, "b").kind is RouteKind.REFUSED


class TestRouteType:
    def test_a_number_of_ours_is_ours_under_a_row_for_the_beginning_of_it(self) -> None:
        exchange = Plan("a", plan=DialPlan(analyze_called=(AnalyzeCalled(prefix="1"),)))
        assert exchange.dials("101").kind is RouteKind.LOCAL_USER
        assert exchange.dials("*43").kind is RouteKind.SERVICE
        assert called(exchange.dials("13800138000")) == ["13800138000"]

    def test_a_row_for_the_whole_number_sends_it_outside(self) -> None:
        exchange = Plan("a", plan=DialPlan(analyze_called=(AnalyzeCalled(prefix="101"),)))
        assert exchange.dials("101").kind is RouteKind.OUTSIDE

    def test_a_row_that_refuses_holds_for_a_local_number(self) -> None:
        rows = (AnalyzeCalled(prefix="10", source="a", route_type="refuse"),)
        exchange = Plan("a", "b", plan=DialPlan(analyze_called=rows))
        assert exchange.comes("101", "0138", "a").kind is RouteKind.REFUSED
        assert exchange.comes("101", "0138", "b").kind is RouteKind.LOCAL_USER
        assert exchange.dials("101").kind is RouteKind.LOCAL_USER

    def test_a_local_row_keeps_nobodys_number_inside(self) -> None:
        rows = (AnalyzeCalled(prefix="1", route_type="local"),)
        plan = DialPlan(basics=PlanBasics(unknown_outside=True), analyze_called=rows)
        assert Plan("a", plan=plan).dials("177").kind is RouteKind.UNKNOWN

    def test_a_local_row_is_not_about_numbers_outside(self) -> None:
        rows = (AnalyzeCalled(prefix="1", route_type="local", level=9),)
        assert called(Plan("a", plan=DialPlan(analyze_called=rows)).dials("9138")) == ["138"]

    def test_nobodys_number_goes_outside_where_the_plan_says_so(self) -> None:
        exchange = Plan("a", plan=DialPlan(basics=PlanBasics(unknown_outside=True)))
        decision = exchange.dials("10086")
        assert called(decision) == ["10086"]
        assert "nobody here has 10086" in decision.recorded
        assert exchange.dials("10").kind is RouteKind.INCOMPLETE

    def test_a_number_with_a_plus_sign_is_one_outside(self) -> None:
        decision = Plan("a").dials("+4930123456")
        assert called(decision) == ["+4930123456"]
        assert "begins with +" in decision.recorded

    def test_a_number_without_prefix_that_no_row_knows_leads_nowhere(self) -> None:
        decision = Plan("a").dials("777")
        assert decision.kind is RouteKind.UNKNOWN
        assert decision.recorded == "no local user has this number, and no line leads to it"


class TestOverlapDialling:
    """RFC 3261 §21.4.22: more has to be dialled."""

    ROWS = (AnalyzeCalled(prefix="1", least=11, most=11), AnalyzeCalled(prefix="+", least=9))
    EXCHANGE = Plan("a", plan=DialPlan(analyze_called=ROWS), users=(user("200"),))

    @pytest.mark.parametrize("dialed", ["9", "13800", "1380013800", "91380013800", "+4930123"])
    def test_too_few_digits_are_waited_for(self, dialed: str) -> None:
        assert self.EXCHANGE.dials(dialed, "200").kind is RouteKind.INCOMPLETE

    @pytest.mark.parametrize("dialed", ["13800138000", "913800138000", "+493012345"])
    def test_a_whole_number_goes_out(self, dialed: str) -> None:
        assert self.EXCHANGE.dials(dialed, "200").kind is RouteKind.OUTSIDE

    def test_too_many_digits_are_no_number(self) -> None:
        decision = self.EXCHANGE.dials("138001380001", "200")
        assert decision.kind is RouteKind.UNKNOWN
        assert "11 digits at most" in decision.recorded

    @pytest.mark.parametrize("dialed", ["11", "12", "91", "911", "9112", "99"])
    def test_an_emergency_number_is_not_cut_short(self, dialed: str) -> None:
        kind = self.EXCHANGE.dials(dialed, "200").kind
        whole = dialed in ("911", "9112")
        assert kind is (RouteKind.OUTSIDE if whole else RouteKind.INCOMPLETE)


class TestRefine:
    PLAN = DialPlan(
        refine_called=(
            RefineCalled(prefix="0", remove=1, add="+86"),
            RefineCalled(prefix="0", line="b", add="17909"),
            RefineCalled(prefix="5", remove=20),
            RefineCalled(prefix="8610", direction="in", line="b", remove=9),
        ),
        refine_caller=(
            RefineCaller(prefix="1", add="6234"),
            RefineCaller(prefix="", direction="in", add="9"),
        ),
    )

    def test_what_each_line_is_told(self) -> None:
        decision = Plan("a", "b", plan=PLAN_OF_TWO).dials("9013800138000")
        assert called(decision) == ["+8613800138000", "17909013800138000"]
        assert caller(decision) == ["6234100", "6234100"]
        assert "refine called number, row 1: +8613800138000" in decision.recorded
        assert "refine caller number, row 1: 6234100" in decision.recorded

    def test_a_row_that_would_leave_nothing_leaves_the_number_alone(self) -> None:
        assert called(Plan("a", plan=self.PLAN).dials("95123")) == ["5123"]

    def test_calls_that_come_in_have_rows_of_their_own(self) -> None:
        exchange = Plan("a", "b", plan=self.PLAN)
        decision = exchange.comes("861062340101", "0138", "b")
        assert (decision.kind, decision.number) == (RouteKind.LOCAL_USER, "101")
        assert decision.caller == "90138"
        assert "refine called number, row 4: 101" in decision.recorded

    def test_who_does_not_show_a_number_gets_none(self) -> None:
        assert Plan("b", plan=self.PLAN).comes("101", "", "b").caller == ""

    def test_a_refined_number_is_not_given_the_lines_format_too(self) -> None:
        options = {"country": "86", "number_format": "+e164"}
        decision = Plan(line("b", **options), plan=self.PLAN).dials("90106234567")
        assert called(decision) == ["179090106234567"]


PLAN_OF_TWO = TestRefine.PLAN


class TestNumberChange:
    PLAN = DialPlan(
        number_change=(
            NumberChange(number="100", new="101"),
            NumberChange(number="105", new="106"),
            NumberChange(number="106", new="9013800138000"),
            NumberChange(number="01234567", new="07654321"),
            NumberChange(number="200", new="201"),
            NumberChange(number="201", new="200"),
            NumberChange(number="300", new="110"),
        ),
        analyze_called=(AnalyzeCalled(prefix="013", level=9),),
    )
    EXCHANGE = Plan(line("a", country="86", number_format="+e164"), plan=PLAN)

    def test_who_moved_is_reached_at_the_new_number(self) -> None:
        decision = self.EXCHANGE.dials("100", "101")
        assert (decision.kind, decision.number) == (RouteKind.LOCAL_USER, "101")
        assert decision.recorded == "number change, row 1: 100 is 101 now; local user 101"

    def test_a_number_of_nobody_any_more_may_lead_outside_whatever_the_callers_level(self) -> None:
        decision = self.EXCHANGE.dials("105")
        assert (decision.kind, decision.number) == (RouteKind.OUTSIDE, "013800138000")
        assert "row 2: 105 is 106 now; number change, row 3" in decision.recorded
        assert self.EXCHANGE.dials("9013800138000").kind is RouteKind.REFUSED

    def test_a_call_is_not_led_back_to_where_it_came_from(self) -> None:
        both = Plan("a", "b", plan=self.PLAN)
        decision = both.comes("105", "0139", "a")
        assert (decision.kind, lines_of(decision)) == (RouteKind.OUTSIDE, ["b"])
        assert lines_of(both.dials("105")) == ["a", "b"]
        decision = self.EXCHANGE.comes("105", "0139", "a")
        assert decision.kind is RouteKind.REFUSED
        assert "line a is where the call came from" in decision.recorded

    def test_nor_by_a_row_that_sends_its_new_number_outside(self) -> None:
        rows = AnalyzeCalled(prefix="013", route_type="outside")
        plan = msgspec.structs.replace(self.PLAN, analyze_called=(rows,))
        assert lines_of(Plan("a", "b", plan=plan).comes("105", "0139", "a")) == ["b"]

    def test_a_row_of_incoming_calls_may_lead_there_by_it(self) -> None:
        rows = (Incoming(line="a", did="777", destination="105"),)
        plan = msgspec.structs.replace(self.PLAN, incoming=rows)
        decision = Plan("a", plan=plan).comes("777", "0139", "a")
        assert (decision.kind, lines_of(decision)) == (RouteKind.OUTSIDE, ["a"])

    def test_a_number_outside_is_changed_and_then_has_the_lines_format(self) -> None:
        assert called(self.EXCHANGE.dials("901234567")) == ["+867654321"]

    def test_a_circle_ends_and_is_said(self) -> None:
        decision = self.EXCHANGE.dials("200")
        assert decision.kind is RouteKind.REFUSED
        assert "number changes lead in a circle back to 200" in decision.recorded

    def test_it_may_lead_to_an_emergency_number(self) -> None:
        decision = self.EXCHANGE.dials("300")
        assert decision.emergency
        assert called(decision) == ["110"]
        assert not self.EXCHANGE.comes("300", "0139", "a").emergency

    @untimed
    @given(
        st.lists(
            st.builds(
                lambda number, new: NumberChange(number=number, new=new),
                st.text("12", min_size=1, max_size=2),
                st.text("12", min_size=1, max_size=2),
            ),
            max_size=8,
        ),
        st.text("12", min_size=1, max_size=2),
    )
    def test_whatever_stands_in_the_table_it_ends(
        self, rows: list[NumberChange], dialed: str
    ) -> None:
        exchange = Plan(plan=DialPlan(number_change=tuple(rows)), users=(user("11"), user("12")))
        assert exchange.dials(dialed, "11").explanation


class TestTransit:
    """What comes by a line may go out by another only where a row names the line."""

    ROWS = (
        AnalyzeCalled(prefix=""),
        AnalyzeCalled(prefix="0", source="a", route_type="outside", level=9),
    )
    EXCHANGE = Plan("a", "b", plan=DialPlan(analyze_called=ROWS))

    def test_nobody_outside_calls_at_our_cost(self) -> None:
        for dialed in ("0138", "90138", "110"):
            assert self.EXCHANGE.comes(dialed, "0139", "b").kind is RouteKind.UNKNOWN
            assert self.EXCHANGE.comes(dialed, "0139").kind is RouteKind.UNKNOWN

    def test_a_row_that_names_the_line_opens_the_way(self) -> None:
        decision = self.EXCHANGE.comes("0138", "0139", "a")
        assert (decision.kind, lines_of(decision)) == (RouteKind.OUTSIDE, ["b"])

    def test_a_call_does_not_go_back_to_where_it_came_from(self) -> None:
        decision = Plan("a", plan=DialPlan(analyze_called=self.ROWS)).comes("0138", "0139", "a")
        assert decision.kind is RouteKind.REFUSED
        assert "line a is where the call came from" in decision.recorded

    def test_a_local_number_that_comes_back_from_outside_is_ours(self) -> None:
        decision = self.EXCHANGE.comes("101", "100", "a")
        assert (decision.kind, decision.number) == (RouteKind.LOCAL_USER, "101")
        assert decision.caller == "100"
