"""What the control API tells of where a number would lead."""

from datetime import datetime

import pytest

from pbx.api.route_test import explain_route
from pbx.api.schema import LineState
from pbx.config.dial_plan import DialPlan, Incoming, TimeCondition
from pbx.config.settings import ServiceSettings
from pbx.errors import CommandError
from tests.routing.plans import Plan, line

PLAN = DialPlan(
    incoming=(
        Incoming(line="b", destination="101"),
        Incoming(line="b", time_condition="night", destination="*47"),
    ),
    time_conditions=(TimeCondition(name="night", start="20:00", finish="08:00"),),
)
EXCHANGE = Plan(line("a"), line("b", caller_number="555"), plan=PLAN)


class TestRouteTest:
    def test_a_users_call_outside(self) -> None:
        answer = explain_route(EXCHANGE.snapshot, ServiceSettings(), "100", "90138")
        assert (answer.kind, answer.number, answer.emergency) == ("outside", "0138", False)
        assert [(way.line, way.called, way.caller) for way in answer.ways] == [
            ("a", "0138", "100"),
            ("b", "0138", "555"),
        ]
        first = answer.steps[0]
        assert (first.key, first.values) == (
            "route-out-prefix",
            {"prefix": "9", "number": "0138"},
        )
        assert first.text == "0138 outside, by the out-group prefix 9"
        said = datetime.fromisoformat(answer.at)
        assert abs((datetime.now().astimezone() - said).total_seconds()) < 120

    def test_a_line_that_is_down_now_is_told_of(self) -> None:
        states = {
            "a": LineState(
                phase="down", usable=False, since_s=9.0, trouble="silent", values={"server": "x"}
            ),
            "b": LineState(phase="up", usable=True, since_s=9.0),
        }
        snapshot, services = EXCHANGE.snapshot, ServiceSettings()
        now = explain_route(snapshot, services, "100", "90138", states=states)
        assert [(way.usable, way.trouble, way.values) for way in now.ways] == [
            (False, "silent", {"server": "x"}),
            (True, "", {}),
        ]
        later = explain_route(snapshot, services, "100", "90138", states=states, at="12:00")
        assert all(way.usable for way in later.ways)

    @pytest.mark.parametrize(
        ("at", "to"), [("21:00", "*47"), ("12:00", "101"), ("2026-12-24T20:00", "*47")]
    )
    def test_a_call_from_outside_at_a_time(self, at: str, to: str) -> None:
        answer = explain_route(
            EXCHANGE.snapshot, ServiceSettings(), "0138", "0106666", line="b", at=at
        )
        assert (answer.number, answer.caller) == (to, "0138")
        assert at in answer.at

    def test_a_time_with_an_offset_is_told_as_local_time(self) -> None:
        answer = explain_route(
            EXCHANGE.snapshot, ServiceSettings(), "100", "101", at="2026-12-24T12:00+00:00"
        )
        assert answer.kind == "local-user"
        assert datetime.fromisoformat(answer.at) == datetime.fromisoformat("2026-12-24T12:00Z")

    @pytest.mark.parametrize(
        ("caller", "line", "at", "code"),
        [
            ("999", "", "", "unknown-user"),
            ("0138", "c", "", "unknown-line"),
            ("100", "", "soon", "bad-time"),
            ("100", "", "25:00", "bad-time"),
            ("100", "", "9999-12-31T23:59-23:00", "bad-time"),
            ("100", "", "2026-13-01", "bad-time"),
        ],
    )
    def test_what_there_is_not(self, caller: str, line: str, at: str, code: str) -> None:
        with pytest.raises(CommandError) as refused:
            explain_route(EXCHANGE.snapshot, ServiceSettings(), caller, "101", line=line, at=at)
        assert refused.value.code == code
