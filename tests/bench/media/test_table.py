"""What the bench makes of what it has found: ratios, bounds, and runs that tell nothing."""

import pytest

from tests.bench.media.cases import CASES, Found, attempt, fault
from tests.bench.media.flaws import flaws
from tests.bench.media.programs import ASTERISK, C_LOOP, OURS
from tests.bench.media.reach import lines
from tests.bench.media.table import Line, markdown

GOOD = {"offered_pct": 100.0, "dead": 0, "loss_pct": 0.0, "tx": 1000, "rx": 999}


class TestLine:
    @pytest.mark.parametrize(
        ("line", "met"),
        [
            (Line("a ratio", "", 10.0, 0.25, ASTERISK, 40.0), True),
            (Line("a ratio", "", 10.1, 0.25, ASTERISK, 40.0), False),
            (Line("a difference", "", 0.15, 0.1, C_LOOP, 0.07, added=True), True),
            (Line("a difference", "", 0.2, 0.1, C_LOOP, 0.07, added=True), False),
            (Line("a figure", "", 5.0, 5.0), True),
            (Line("a figure", "", 5.1, 5.0), False),
            (Line("not measured", "", None, 5.0), False),
            (Line("the other wasn't", "", 1.0, 5.0, ASTERISK), False),
        ],
    )
    def test_met(self, line: Line, met: bool) -> None:
        assert line.met is met
        assert markdown([line]).endswith("| yes |" if met else "| NO |")

    def test_without_a_bound_nothing_is_missed(self) -> None:
        line = Line("for comparison", "", 5.0, None, ASTERISK, 10.0)
        assert line.met
        assert markdown([line]).endswith("| × 0.50 | - | - |")


class TestRun:
    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({}, ""),
            ({"error": "only 3 of 5 legs came up"}, "only 3 of 5"),
            ({"offered_pct": 96.0}, "the generator sent only 96.0 %"),
            ({"loss_pct": 1.5}, "1.50 % of the packets were lost"),
            ({"dead": 2}, "2 phones heard nothing"),
            ({"rx": 900}, "of 1000 packets only 900 came back"),
        ],
    )
    def test_what_tells_nothing(self, change: dict[str, object], said: str) -> None:
        why = fault({**GOOD, **change})
        assert said in why
        assert bool(why) is bool(said)

    def test_a_run_that_fails_is_done_again(self) -> None:
        failures = [RuntimeError("crowded"), OSError("no port")]

        def once() -> dict[str, object]:
            if failures:
                raise failures.pop()
            return {"us_per_packet": 7.0}

        again = ["no port", "crowded"]
        assert attempt(once) == {"us_per_packet": 7.0, "repeated": again}

    def test_the_reason_stays_when_all_fail(self) -> None:
        def once() -> dict[str, object]:
            raise RuntimeError("crowded")

        assert attempt(once) == {"error": "crowded", "repeated": ["crowded"] * 2}


class TestFlaws:
    def test_what_medians_hide(self) -> None:
        found = Found()
        found.add("relay 5", OURS, GOOD)
        found.add("relay 5", ASTERISK, GOOD)
        assert flaws(found) == "No run lost a packet or failed."
        found.add("relay 5", ASTERISK, {**GOOD, "loss_pct": 0.2})
        found.add("relay 5", ASTERISK, {**GOOD, "loss_pct": 0.5, "repeated": ["crowded"]})
        found.add("day", OURS, {"error": "no engine"})
        assert flaws(found).splitlines()[1:] == [
            "- relay 5, asterisk: 2 of 3 lost packets, 0.500 % at the most; done again 1 times: crowded",
            "- day, ours: failed: no engine",
        ]


class TestReach:
    def test_medians_are_compared(self) -> None:
        found = Found()
        for ours, theirs in ((4.0, 10.0), (30.0, 20.0), (5.0, 500.0)):
            found.add("relay 5", OURS, {"us_per_packet": ours})
            found.add("relay 5", ASTERISK, {"us_per_packet": theirs})
        line = lines(found)[0]
        assert (line.ours, line.theirs, line.value, line.met) == (5.0, 20.0, 0.25, True)

    def test_what_has_failed_is_in_the_table_and_not_met(self) -> None:
        found = Found()
        found.add("Opus", OURS, {"error": "the generator was too slow"})
        assert not lines(found)[0].met

    def test_what_is_left_behind_is_not_met(self) -> None:
        found = Found()
        found.add("calls", OURS, {"calls": 600, "descriptors": 1, "rows": 0, "growth_mib": 0.2})
        table = lines(found)
        assert table[0].what == "600 calls, descriptors left"
        assert [line.met for line in table] == [False, True, True]

    def test_every_case_has_a_line(self) -> None:
        for case in CASES:
            found = Found()
            found.add(case.name, OURS, {})
            assert lines(found), case.name
