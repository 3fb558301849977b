"""The dial plan: every fault is told with table, row and field; what is named exists."""

from typing import Any

import msgspec
import pytest

from pbx.config.dial_plan import DialPlan
from pbx.config.dial_plan_faults import MOST_ROWS, dial_plan_faults, line_uses

LINES = ["ims", "peer"]
ROUTES = [{"name": "out", "lines": ["ims"]}]
TIMES = [{"name": "office"}]


def plan_of(**tables: Any) -> DialPlan:
    """A dial plan with these rows, a route and a time condition."""
    given = {"routes": ROUTES, "time_conditions": TIMES, **tables}
    return msgspec.convert(given, DialPlan)


def told(**tables: Any) -> list[tuple[str, str]]:
    """Code and sentence of all that is wrong."""
    faults = dial_plan_faults(plan_of(**tables), LINES)
    return [(error.code, error.sentence) for error in faults]


class TestGood:
    def test_a_new_one(self) -> None:
        assert list(dial_plan_faults(DialPlan(), [])) == []

    def test_all_of_it(self) -> None:
        assert (
            told(
                basics={"out_prefix": "", "default_route": "out", "emergency_route": "out"},
                analyze_caller=[{"prefix": "+49", "source": "ims", "refuse": True}],
                analyze_called=[
                    {"prefix": "00", "source": "users", "route": "out", "level": 2, "least": 5},
                    {"prefix": "*", "route_type": "local"},
                ],
                refine_caller=[{"prefix": "1", "line": "peer", "remove": 1, "add": "+8610"}],
                refine_called=[{"prefix": "", "remove": 0, "add": "#31#"}],
                number_change=[{"number": "100", "new": "101"}],
                incoming=[{"did": "+8610", "time_condition": "office", "destination": "101"}],
                routes=[*ROUTES, {"name": "two", "lines": ["ims", "peer"], "otherwise": "out"}],
                rates=[{"line": "ims", "prefix": "8610", "price": 0.05}],
                holidays=[{"date": "2028-02-29"}, {"date": "02-29"}],
            )
            == []
        )


class TestFaults:
    @pytest.mark.parametrize(
        ("tables", "code", "part"),
        [
            ({"basics": {"out_prefix": "x"}}, "field-digits", "basics.out_prefix"),
            ({"basics": {"default_route": "x"}}, "no-such-route", "basics.default_route"),
            ({"basics": {"emergency_route": "x"}}, "no-such-route", "basics.emergency_route"),
            ({"basics": {"emergency_numbers": ["11a"]}}, "field-digits", "emergency_numbers"),
            ({"basics": {"country": "XX"}}, "field-choice", "basics.country"),
            ({"basics": {"emergency_numbers": [""]}}, "field-missing", "emergency_numbers"),
            ({"analyze_caller": [{"prefix": "a"}]}, "field-digits", "analyze_caller[1].prefix"),
            (
                {"analyze_caller": [{"prefix": ""}, {"prefix": "", "source": "x"}]},
                "no-such-line",
                "analyze_caller[2].source names the line 'x'",
            ),
            (
                {"analyze_caller": [{"prefix": "", "destination": "x"}]},
                "field-digits",
                "destination",
            ),
            ({"analyze_called": [{"prefix": " 9"}]}, "field-digits", "analyze_called[1].prefix"),
            ({"analyze_called": [{"prefix": "", "source": "x"}]}, "no-such-line", "source"),
            ({"analyze_called": [{"prefix": "", "route_type": "x"}]}, "field-choice", "outside"),
            ({"analyze_called": [{"prefix": "", "route": "x"}]}, "no-such-route", "'x'"),
            ({"analyze_called": [{"prefix": "", "level": 100}]}, "field-range", "level"),
            ({"analyze_called": [{"prefix": "", "max_duration_s": -1}]}, "field-range", "max_dur"),
            ({"analyze_called": [{"prefix": "", "most": 33}]}, "field-range", "most"),
            ({"analyze_called": [{"prefix": "", "least": 3, "most": 2}]}, "field-order", "least"),
            ({"refine_caller": [{"prefix": "x"}]}, "field-digits", "refine_caller[1].prefix"),
            ({"refine_caller": [{"prefix": "", "line": "x"}]}, "no-such-line", "refine_caller"),
            ({"refine_called": [{"prefix": "", "remove": -1}]}, "field-range", "remove"),
            ({"refine_called": [{"prefix": "", "direction": "by"}]}, "field-choice", "direction"),
            (
                {"analyze_called": [{"prefix": "1", "emergency": True, "route_type": "local"}]},
                "plan-emergency",
                "analyze_called[1].emergency",
            ),
            ({"refine_called": [{"prefix": "", "add": "x"}]}, "field-digits", "refine_called"),
            ({"number_change": [{"number": "", "new": "1"}]}, "field-missing", "number"),
            ({"number_change": [{"number": "1", "new": "x"}]}, "field-digits", "new"),
            (
                {"number_change": [{"number": "1", "new": "2"}, {"number": "1", "new": "3"}]},
                "field-twice",
                "number_change[2].number is '1'",
            ),
            ({"incoming": [{"line": "x", "destination": "1"}]}, "no-such-line", "incoming[1]"),
            ({"incoming": [{"did": "x", "destination": "1"}]}, "field-digits", "did"),
            ({"incoming": [{"caller": "x", "destination": "1"}]}, "field-digits", "caller"),
            ({"incoming": [{"destination": ""}]}, "field-missing", "destination"),
            ({"incoming": [{"destination": "x"}]}, "field-digits", "destination"),
            (
                {"incoming": [{"time_condition": "x", "destination": "1"}]},
                "no-such-time-condition",
                "incoming[1].time_condition",
            ),
            ({"routes": [{"name": "a b", "lines": ["ims"]}]}, "field-name", "routes[1].name"),
            ({"routes": [{"name": "a", "lines": []}]}, "field-missing", "routes[1].lines"),
            ({"routes": [{"name": "a", "lines": ["x"]}]}, "no-such-line", "routes[1].lines"),
            ({"number_change": [{"number": "1", "new": "1"}]}, "plan-same", "number_change[1].new"),
            (
                {"holidays": [{"date": "10-01"}, {"date": "10-01"}]},
                "field-twice",
                "holidays[2].date",
            ),
            ({"routes": [*ROUTES, *ROUTES]}, "field-twice", "routes[2].name"),
            (
                {"routes": [{"name": "a", "lines": ["ims"], "time_condition": "x"}]},
                "no-such-time-condition",
                "routes[1]",
            ),
            (
                {"routes": [{"name": "a", "lines": ["ims"], "otherwise": "x"}]},
                "no-such-route",
                "otherwise",
            ),
            (
                {"routes": [{"name": "a", "lines": ["ims"], "otherwise": "a"}]},
                "plan-circle",
                "route a",
            ),
            (
                {
                    "routes": [
                        {"name": "a", "lines": ["ims"], "otherwise": "b"},
                        {"name": "b", "lines": ["ims"], "otherwise": "c"},
                        {"name": "c", "lines": ["ims"], "otherwise": "b"},
                    ]
                },
                "plan-circle",
                "route b",
            ),
            ({"rates": [{"line": "x", "prefix": "1", "price": 1}]}, "no-such-line", "rates[1]"),
            ({"rates": [{"line": "ims", "prefix": "x", "price": 1}]}, "field-digits", "prefix"),
            ({"rates": [{"line": "ims", "prefix": "1", "price": -1}]}, "field-range", "price"),
            ({"time_conditions": [{"name": ""}]}, "field-name", "time_conditions[1].name"),
            ({"time_conditions": [*TIMES, *TIMES]}, "field-twice", "time_conditions[2].name"),
            ({"time_conditions": [{"name": "a", "days": []}]}, "field-missing", "days"),
            ({"time_conditions": [{"name": "a", "days": ["Mon"]}]}, "field-choice", "days"),
            ({"time_conditions": [{"name": "a", "start": "24:00"}]}, "plan-hour", "start"),
            ({"time_conditions": [{"name": "a", "finish": "8:00"}]}, "plan-hour", "finish"),
            ({"time_conditions": [{"name": "a", "holidays": "x"}]}, "field-choice", "holidays"),
            ({"holidays": [{"date": "2027-02-29"}]}, "plan-date", "holidays[1].date"),
            ({"holidays": [{"date": "13-01"}]}, "plan-date", "13-01"),
            ({"holidays": [{"date": "20270206"}]}, "plan-date", "20270206"),
            ({"holidays": [{"date": "01-01", "description": "\t"}]}, "field-text", "description"),
            (
                {"holidays": [{"date": "01-01"}] * (MOST_ROWS + 1)},
                "plan-rows",
                f"holidays has more than {MOST_ROWS} rows",
            ),
        ],
    )
    def test_each_is_told(self, tables: dict[str, Any], code: str, part: str) -> None:
        found = told(**tables)
        assert found[0][0] == code
        assert part in found[0][1]


class TestLineUses:
    def test_where_a_line_is_named(self) -> None:
        plan = plan_of(
            routes=[*ROUTES, {"name": "two", "lines": ["peer", "ims"]}],
            analyze_called=[{"prefix": "1", "source": "users"}, {"prefix": "", "source": "peer"}],
            rates=[{"line": "peer", "prefix": "1", "price": 0}],
        )
        assert list(line_uses(plan, "peer")) == ["analyze_called[2]", "routes[2]", "rates[1]"]
        assert list(line_uses(plan, "other")) == []
