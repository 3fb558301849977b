"""Where a dialled number leads."""

from datetime import UTC, datetime

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
    Rate,
    RefineCalled,
    Route,
)
from pbx.config.settings import ServiceSettings
from pbx.routing.decision import RECORDED_LENGTH, RouteDecision, RouteKind, step
from pbx.routing.origin import Origin, Way
from pbx.routing.router import route
from pbx.store.snapshot import LocalUser, Snapshot
from tests.routing.plans import line, untimed

USER = LocalUser("100", "User", "m", "s")
SNAPSHOT = Snapshot.of(1, [USER])
NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


def routed(
    dialed: str, snapshot: Snapshot = SNAPSHOT, services: ServiceSettings | None = None
) -> RouteDecision:
    return route(snapshot, services or ServiceSettings(), dialed, Origin("100", USER), NOON)


class TestRfc3261Section21_4_22:
    """The beginning of a number may go on; nothing at all is one, too."""

    @pytest.mark.parametrize("dialed", ["1", "10", "*", "*4"])
    def test_the_beginning_of_a_number(self, dialed: str) -> None:
        decision = routed(dialed)
        assert decision.kind is RouteKind.INCOMPLETE
        assert "the beginning of a number" in decision.recorded

    def test_a_conference_without_its_room(self) -> None:
        services = ServiceSettings()
        assert services.conference
        assert routed(services.conference).kind is RouteKind.INCOMPLETE
        assert routed(services.conference + "1").kind is RouteKind.SERVICE

    @pytest.mark.parametrize("dialed", ["112", "1125", "112*"])
    def test_rooms_do_not_begin_with_an_emergency_number(self, dialed: str) -> None:
        services = ServiceSettings(conference="112")
        assert routed(dialed, services=services).kind is RouteKind.UNKNOWN

    def test_nothing(self) -> None:
        decision = routed("")
        assert decision.kind is RouteKind.INCOMPLETE
        assert decision.recorded == "no number was dialled"


class TestRoute:
    """What is no number leads nowhere, and says why."""

    @pytest.mark.parametrize("dialed", ["bob", "1 0", "+", "100\n", "1" * 33, "１００", "%31"])
    def test_not_dialable(self, dialed: str) -> None:
        decision = routed(dialed)
        assert decision.kind is RouteKind.UNKNOWN
        assert "not a number" in decision.recorded

    @pytest.mark.parametrize("dialed", ["101", "+4930123", "*21#", "1" * 32])
    def test_nobodys(self, dialed: str) -> None:
        decision = routed(dialed)
        assert decision.kind is RouteKind.UNKNOWN
        assert "no local user" in decision.recorded

    def test_a_local_users(self) -> None:
        decision = routed("100")
        assert (decision.kind, decision.number) == (RouteKind.LOCAL_USER, "100")
        assert decision.recorded == "local user 100"

    def test_an_explanation_fits_a_call_record(self) -> None:
        why = tuple(step("local-user", number=number) for number in range(100, 200))
        decision = RouteDecision(RouteKind.LOCAL_USER, "100", why)
        assert len(decision.recorded) == RECORDED_LENGTH
        assert decision.recorded.startswith("local user 100; local user 101; ")
        assert decision.recorded.endswith("...")


class TestOutPrefix:
    """Who dials the out-group prefix first calls outside."""

    LINES = Snapshot.of(1, [USER], [line("b"), line("a"), line("off", enabled=False)])

    def test_by_every_line_in_turn(self) -> None:
        decision = routed("9013800138000", self.LINES)
        assert (decision.kind, decision.number) == (RouteKind.OUTSIDE, "013800138000")
        assert decision.ways == (
            Way("a", "013800138000", "100"),
            Way("b", "013800138000", "100"),
        )
        assert "by the out-group prefix 9" in decision.recorded

    def test_without_a_line_it_leads_nowhere(self) -> None:
        assert routed("9013800138000").kind is RouteKind.UNKNOWN

    def test_a_party_outside_may_not(self) -> None:
        decision = route(self.LINES, ServiceSettings(), "90138", Origin("0138", line="a"), NOON)
        assert decision.kind is RouteKind.UNKNOWN

    def test_another_prefix(self) -> None:
        plan = DialPlan(basics=PlanBasics(out_prefix="0"))
        snapshot = Snapshot.of(1, [USER], [line("a")], plan)
        assert routed("0013", snapshot).ways == (Way("a", "013", "100"),)
        assert routed("9013", snapshot).kind is RouteKind.UNKNOWN


class TestAnything:
    """Whatever somebody dials or says to be, there is an answer, and it says why."""

    PLAN = DialPlan(
        basics=PlanBasics(default_route="r", unknown_outside=True),
        analyze_caller=(AnalyzeCaller(prefix="1", destination="9138"),),
        analyze_called=(
            AnalyzeCalled(prefix="0", level=1, least=4, most=8),
            AnalyzeCalled(prefix="+", source="a"),
            AnalyzeCalled(prefix="2", route_type="refuse"),
        ),
        refine_called=(RefineCalled(prefix="", remove=2, add="7"),),
        number_change=(NumberChange(number="3", new="33"), NumberChange(number="33", new="3")),
        incoming=(Incoming(line="a", did="0", destination="100"),),
        routes=(Route(name="r", lines=("a", "b"), cheapest_first=True, otherwise="r"),),
        rates=(Rate(line="a", prefix="", price=1.0),),
    )
    LINES = tuple(line(name, country="86", area="10", number_format="+e164") for name in "ab")

    @untimed
    @given(
        st.text(max_size=6) | st.from_regex(r"\+?[0-9*#]{0,12}\Z"),
        st.text(max_size=6) | st.from_regex(r"\+?[0-9]{0,12}\Z"),
        st.sampled_from([None, USER]),
        st.sampled_from(["", "a", "gone"]),
    )
    def test_there_is_an_answer(
        self, dialed: str, number: str, who: LocalUser | None, by: str
    ) -> None:
        snapshot = Snapshot.of(1, [USER], self.LINES, self.PLAN)
        decision = route(snapshot, ServiceSettings(), dialed, Origin(number, who, by), NOON)
        assert decision.recorded
        assert bool(decision.ways) == (decision.kind is RouteKind.OUTSIDE)
        assert all(way.called for way in decision.ways)
