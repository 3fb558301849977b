"""Emergency numbers, which nothing blocks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.config.dial_plan import (
    AnalyzeCalled,
    AnalyzeCaller,
    DialPlan,
    NumberChange,
    PlanBasics,
    RefineCalled,
    RefineCaller,
    Route,
    TimeCondition,
)
from pbx.config.emergency_numbers import numbers_of
from pbx.config.settings import ServiceSettings
from pbx.routing.decision import RouteKind
from pbx.routing.shadowed import no_emergency_numbers, shadowed
from tests.routing.plans import Plan, called, caller, line, lines_of, untimed, user

NEVER = TimeCondition(name="never", days=())
EVERYTHING_SHUT = DialPlan(
    time_conditions=(NEVER,),
    analyze_caller=(AnalyzeCaller(prefix="", refuse=True),),
    analyze_called=(
        AnalyzeCalled(prefix="", route_type="refuse"),
        AnalyzeCalled(prefix="110", route_type="refuse", source="users"),
        AnalyzeCalled(prefix="1", level=9, least=11),
    ),
    number_change=(),
)


class TestNothingBlocks:
    @pytest.mark.parametrize("dialed", ["110", "9110", "112", "9112", "911", "9911"])
    def test_no_right_no_row_no_level_no_hour_and_no_limit(self, dialed: str) -> None:
        exchange = Plan(
            line("a", most_outgoing=0, most=0),
            line("b", time_condition="never"),
            line("c", owner="101"),
            line("off", enabled=False),
            plan=EVERYTHING_SHUT,
        )
        decision = exchange.dials(dialed)
        assert decision.kind is RouteKind.OUTSIDE
        assert decision.emergency
        assert lines_of(decision) == ["a", "b", "c"]
        number = dialed if dialed in PlanBasics().emergency_numbers else dialed[1:]
        assert called(decision) == [number] * 3
        assert decision.number == number
        assert decision.max_duration_s == 0.0
        assert f"{number} is an emergency number" in decision.recorded

    def test_a_user_of_the_same_number_does_not(self) -> None:
        users = (user("100"), user("110"), user("9110"))
        assert Plan("a", users=users).dials("110").emergency
        assert Plan("a", users=users).dials("9110").emergency

    def test_where_there_is_no_line_somebody_is_better_than_nobody(self) -> None:
        users = (user("100"), user("110"))
        decision = Plan(users=users).dials("110")
        assert (decision.kind, decision.emergency) == (RouteKind.LOCAL_USER, False)
        assert "there is no line for an emergency call" in decision.recorded
        decision = Plan(line("a", enabled=False)).dials("110")
        assert decision.kind is RouteKind.UNKNOWN
        assert "no line for an emergency call; line a is switched off" in decision.recorded

    @untimed
    @given(
        st.lists(
            st.builds(
                lambda name, owner, condition, most: line(
                    name, owner=owner, time_condition=condition, most=most, most_outgoing=most
                ),
                st.sampled_from("abcd"),
                st.sampled_from(["", "100", "101"]),
                st.sampled_from(["", "never", "gone"]),
                st.sampled_from([-1, 0, 1]),
            ),
            min_size=1,
        ),
        st.lists(
            st.builds(
                lambda name, lines, condition, otherwise: Route(
                    name=name, lines=lines, time_condition=condition, otherwise=otherwise
                ),
                st.sampled_from("rst"),
                st.lists(st.sampled_from("abcde"), max_size=3).map(tuple),
                st.sampled_from(["", "never"]),
                st.sampled_from(["", "r", "s", "t", "u"]),
            ),
            max_size=3,
        ),
        st.sampled_from(["", "r", "s", "u"]),
        st.lists(
            st.builds(
                lambda prefix, kind, source: AnalyzeCalled(
                    prefix=prefix, route_type=kind, source=source, level=5, least=9
                ),
                st.sampled_from(["", "1", "11", "110", "9", "9110"]),
                st.sampled_from(["local", "outside", "refuse"]),
                st.sampled_from(["", "users"]),
            ),
            max_size=4,
        ),
        st.sampled_from(["110", "9110"]),
    )
    def test_where_there_is_any_line_all_lines_are_tried(
        self,
        lines: list[object],
        routes: list[Route],
        route: str,
        rows: list[AnalyzeCalled],
        dialed: str,
    ) -> None:
        plan = DialPlan(
            basics=PlanBasics(emergency_route=route, default_route="t"),
            routes=tuple(routes),
            analyze_called=tuple(rows),
            time_conditions=(NEVER,),
        )
        exchange = Plan(*lines, plan=plan)  # type: ignore[arg-type]
        decision = exchange.dials(dialed)
        assert decision.emergency
        assert sorted(lines_of(decision)) == sorted(exchange.snapshot.lines)


class TestOrder:
    def test_its_own_route_then_the_default_one_then_every_line(self) -> None:
        plan = DialPlan(
            basics=PlanBasics(emergency_route="sos", default_route="usual"),
            routes=(
                Route(name="sos", lines=("d",), time_condition="never", otherwise="more"),
                Route(name="more", lines=("c", "none"), cheapest_first=True),
                Route(name="usual", lines=("b", "d")),
            ),
            time_conditions=(NEVER,),
        )
        exchange = Plan(
            "a", "b", "c", "d", line("z", owner="100"), line("y", owner="101"), plan=plan
        )
        assert lines_of(exchange.dials("110")) == ["d", "c", "b", "z", "a", "y"]

    def test_a_row_may_have_a_route_of_its_own(self) -> None:
        plan = DialPlan(
            basics=PlanBasics(emergency_numbers=()),
            routes=(Route(name="coast", lines=("b",)),),
            analyze_called=(
                AnalyzeCalled(prefix="12395", emergency=True, route="coast", level=9),
                AnalyzeCalled(prefix="123956", route_type="local"),
            ),
        )
        exchange = Plan("a", "b", plan=plan, users=(user("100"), user("123957")))
        decision = exchange.dials("12395")
        assert (decision.emergency, lines_of(decision)) == (True, ["b", "a"])
        assert "by analyse called number, row 1 (prefix 12395)" in decision.recorded
        assert exchange.dials("912395").emergency
        assert exchange.dials("123958").emergency
        assert not exchange.dials("123957").emergency
        assert not exchange.dials("123956").emergency
        assert exchange.dials("110").kind is RouteKind.UNKNOWN

    def test_a_row_may_say_how_many_digits_it_has(self) -> None:
        rows = (AnalyzeCalled(prefix="11", emergency=True, least=3, most=4),)
        plan = DialPlan(basics=PlanBasics(emergency_numbers=()), analyze_called=rows)
        exchange = Plan("a", plan=plan, users=(user("200"),))
        assert exchange.dials("11", "200").kind is RouteKind.INCOMPLETE
        assert exchange.dials("117", "200").emergency
        assert exchange.dials("1178", "200").emergency
        assert exchange.dials("11780", "200").kind is RouteKind.UNKNOWN

    def test_a_trunks_emergency_calls_need_a_row_that_names_it(self) -> None:
        rows = (
            AnalyzeCalled(prefix="110", emergency=True, source="branch"),
            AnalyzeCalled(prefix="112", emergency=True),
        )
        exchange = Plan("branch", "carrier", plan=DialPlan(analyze_called=rows))
        decision = exchange.comes("110", "555", "branch")
        assert decision.emergency
        assert lines_of(decision) == ["branch", "carrier"]
        assert not exchange.comes("112", "555", "branch").emergency
        assert not exchange.comes("110", "555", "carrier").emergency


class TestNumbers:
    """What the line is told: nothing that isn't meant for this very number touches it."""

    def test_no_format_and_no_row_for_other_numbers_changes_it(self) -> None:
        plan = DialPlan(
            refine_called=(RefineCalled(prefix="1", add="0"), RefineCalled(prefix="", add="9")),
            number_change=(NumberChange(number="0110", new="5"),),
        )
        exchange = Plan(line("a", country="86", area="10", number_format="+e164"), plan=plan)
        assert called(exchange.dials("110")) == ["110"]

    def test_a_row_for_the_whole_number_does(self) -> None:
        plan = DialPlan(
            refine_called=(RefineCalled(prefix="110", line="a", remove=3, add="+4930110"),)
        )
        assert called(Plan("a", "b", plan=plan).dials("110")) == ["+4930110", "110"]

    def test_the_callers_emergency_number_comes_before_all_others(self) -> None:
        plan = DialPlan(refine_caller=(RefineCaller(prefix="", add="7"),))
        users = (
            user("100", outside_number="01062345678", emergency_number="01062340000"),
            user("101", outside_number="01062345678"),
            user("102"),
        )
        unified = line("a", caller_number="01066660000")
        formats = line("b", country="86", caller_format="+e164")
        exchange = Plan(unified, formats, plan=plan, users=users)
        assert caller(exchange.dials("110", "100")) == ["01062340000", "+861062340000"]
        assert caller(exchange.dials("110", "101")) == ["01066660000", "701062345678"]
        assert caller(exchange.dials("110", "102")) == ["01066660000", "7102"]


class TestCountry:
    """The numbers of a country are there; what is one elsewhere only, belongs to whoever has it."""

    def test_elsewhere_only(self) -> None:
        plan = DialPlan(basics=PlanBasics(country="GB", emergency_numbers=numbers_of("GB")))
        exchange = Plan("a", plan=plan, users=(user("100"), user("110"), user("120")))
        for dialed in ("999", "112", "911", "9999", "9112"):
            assert exchange.dials(dialed).emergency
        for dialed in ("110", "120"):
            assert exchange.dials(dialed).kind is RouteKind.LOCAL_USER
        assert shadowed(exchange.snapshot, exchange.services) == ()


class TestShadowed:
    """Who has an emergency number can't be called, and that is said."""

    USERS = (user("100"), user("110"), user("9112"), user("12395"))
    ROWS = (AnalyzeCalled(prefix="12395", emergency=True),)

    def test_its_users_and_services_are_named(self) -> None:
        exchange = Plan("a", plan=DialPlan(analyze_called=self.ROWS), users=self.USERS)
        services = ServiceSettings(echo="119")
        assert shadowed(exchange.snapshot, services) == ("110", "119", "12395", "9112")
        for number in shadowed(exchange.snapshot, exchange.services):
            assert exchange.dials(number).emergency

    def test_where_there_is_no_line_everybody_can_be_called(self) -> None:
        exchange = Plan(line("a", enabled=False), users=self.USERS)
        assert shadowed(exchange.snapshot, exchange.services) == ()
        assert exchange.dials("110").kind is RouteKind.LOCAL_USER


class TestNoNumbers:
    NONE = PlanBasics(emergency_numbers=())

    def test_they_were_taken_out(self) -> None:
        assert no_emergency_numbers(Plan("a", plan=DialPlan(basics=self.NONE)).snapshot)

    def test_there_are_some(self) -> None:
        row = AnalyzeCalled(prefix="110", emergency=True)
        by_row = DialPlan(basics=self.NONE, analyze_called=(row,))
        assert not no_emergency_numbers(Plan("a").snapshot)
        assert not no_emergency_numbers(Plan("a", plan=by_row).snapshot)

    def test_nobody_calls_outside(self) -> None:
        for lines in ((), (line("a", enabled=False),)):
            plan = Plan(*lines, plan=DialPlan(basics=self.NONE))
            assert not no_emergency_numbers(plan.snapshot)
