"""Lines, the dial plan and users' rights, on both kinds of database."""

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pbx.config.dial_plan import AnalyzeCalled, DialPlan, Holiday, Route, TimeCondition
from pbx.config.line import Line
from pbx.errors import CommandError
from tests.store.kept import Kept

Opened = Callable[[Kept], Kept]

SECRET = "geheim12"


@pytest.fixture
def alone(tmp_path: Path, opened: Opened) -> Kept:
    """A store without MariaDB, for what no database has a say in."""
    return opened(Kept(tmp_path))


def ims(**values: Any) -> Line:
    given = {
        "name": "ims",
        "kind": "external-line",
        "server": "ims.example",
        "user": "+861012345678",
        "password": SECRET,
    }
    return Line(**{**given, **values})


def code(outcome: object) -> str:
    assert isinstance(outcome, CommandError)
    return outcome.code


def lines(kept: Kept) -> dict[str, Line]:
    return dict(kept.store.snapshot.lines)


def set_plan(kept: Kept, version: int | None = None, **tables: object) -> object:
    return kept.ask(lambda done: kept.store.set_plan(tables, done, version=version))


class TestLines:
    def test_added_and_kept(self, kept: Kept, opened: Opened) -> None:
        assert lines(kept) == {}
        line = ims(description="总机 🙂", peers=("192.0.2.1",), most=0, no_answer_s=2.5)
        assert kept.ask(partial(kept.store.set_line, line, new=True)) is None
        assert lines(kept) == {"ims": line}
        assert kept.store.snapshot.version == 2
        again = opened(kept.reopened())
        assert again.first == kept.store.snapshot
        assert again.first.lines["ims"].password == SECRET

    def test_one_that_is_there(self, alone: Kept) -> None:
        alone.ask(partial(alone.store.set_line, ims()))
        assert code(alone.ask(partial(alone.store.set_line, ims(), new=True))) == "line-exists"
        assert alone.ask(partial(alone.store.set_line, ims(user="other"))) is None
        assert lines(alone) == {"ims": ims(user="other")}

    def test_changed_in_some_options(self, kept: Kept) -> None:
        kept.ask(partial(kept.store.set_line, ims()))
        options = {"enabled": "no", "expires_s": 3600, "codecs": "PCMA,G722"}
        assert kept.ask(partial(kept.store.change_line, "ims", options)) is None
        changed = ims(enabled=False, expires_s=3600, codecs=("PCMA", "G722"))
        assert lines(kept) == {"ims": changed}

    def test_what_is_wrong_changes_nothing(self, alone: Kept) -> None:
        alone.ask(partial(alone.store.set_line, ims()))
        before = alone.store.snapshot
        for options, why in (
            ({"server": "a b"}, "field-server"),
            ({"owner": "199"}, "no-such-user"),
            ({"time_condition": "night"}, "no-such-time-condition"),
            ({"servr": "x"}, "field-unknown"),
        ):
            assert code(alone.ask(partial(alone.store.change_line, "ims", options))) == why
        assert code(alone.ask(partial(alone.store.change_line, "none", {}))) == "unknown-line"
        assert alone.store.snapshot is before

    def test_removed(self, kept: Kept, opened: Opened) -> None:
        kept.ask(partial(kept.store.set_line, ims()))
        assert kept.ask(partial(kept.store.remove_line, "ims")) is None
        assert lines(kept) == {}
        assert code(kept.ask(partial(kept.store.remove_line, "ims"))) == "unknown-line"
        assert opened(kept.reopened()).first.lines == {}

    def test_not_while_the_dial_plan_names_it(self, alone: Kept) -> None:
        alone.ask(partial(alone.store.set_line, ims()))
        assert set_plan(alone, routes=[Route(name="out", lines=("ims",))]) is None
        told = alone.ask(partial(alone.store.remove_line, "ims"))
        assert code(told) == "line-in-use"
        assert "routes[1]" in str(told)

    def test_its_owner_stays(self, alone: Kept) -> None:
        alone.ask(partial(alone.store.set_line, ims(owner="101")))
        assert code(alone.ask(partial(alone.store.remove_user, "101"))) == "user-owns-line"
        alone.ask(partial(alone.store.change_line, "ims", {"owner": ""}))
        assert alone.ask(partial(alone.store.remove_user, "101")) is None


class TestPlan:
    def test_set_and_kept(self, kept: Kept, opened: Opened) -> None:
        assert kept.first.plan == DialPlan()
        kept.ask(partial(kept.store.set_line, ims()))
        told = set_plan(
            kept,
            basics={"out_prefix": "0"},
            routes=[{"name": "out", "lines": "ims"}],
            analyze_called=[AnalyzeCalled(prefix="00", route="out", level=2)],
        )
        assert told is None
        plan = kept.store.snapshot.plan
        assert (plan.basics.out_prefix, plan.basics.emergency_numbers[0]) == ("0", "112")
        assert plan.routes == (Route(name="out", lines=("ims",)),)
        assert plan.analyze_called == (AnalyzeCalled(prefix="00", route="out", level=2),)
        assert opened(kept.reopened()).first == kept.store.snapshot

    def test_a_table_is_replaced_and_others_stay(self, alone: Kept) -> None:
        set_plan(alone, time_conditions=[TimeCondition(name="office")])
        set_plan(alone, holidays=[Holiday(date="10-01")])
        set_plan(alone, holidays=[Holiday(date="05-01")])
        plan = alone.store.snapshot.plan
        assert plan.holidays == (Holiday(date="05-01"),)
        assert plan.time_conditions == (TimeCondition(name="office"),)

    def test_all_tables_or_none(self, alone: Kept) -> None:
        before = alone.store.snapshot
        told = set_plan(alone, holidays=[{"date": "10-01"}], routes=[{"name": "x", "lines": "no"}])
        assert code(told) == "no-such-line"
        assert alone.store.snapshot is before

    @pytest.mark.parametrize(
        ("tables", "why"),
        [
            ({"nothing": []}, "unknown-table"),
            ({"routes": {}}, "bad-table"),
            ({"routes": ["x"]}, "bad-table"),
            ({"basics": []}, "bad-basics"),
            ({"routes": [{"lines": "x"}]}, "field-missing"),
            ({"routes": [{"name": "x", "lines": "", "x": "y"}]}, "field-unknown"),
        ],
    )
    def test_tables_that_are_none(self, alone: Kept, tables: dict[str, object], why: str) -> None:
        assert code(alone.ask(partial(alone.store.set_plan, tables))) == why

    def test_whoever_looked_first_is_not_overruled(self, alone: Kept) -> None:
        seen = alone.store.snapshot.version
        assert set_plan(alone, seen, holidays=[{"date": "10-01"}]) is None
        assert code(set_plan(alone, seen, holidays=[])) == "plan-changed"
        assert set_plan(alone, seen + 1, holidays=[]) is None

    def test_a_time_condition_that_a_line_needs_stays(self, alone: Kept) -> None:
        set_plan(alone, time_conditions=[TimeCondition(name="office")])
        assert alone.ask(partial(alone.store.set_line, ims(time_condition="office"))) is None
        assert code(set_plan(alone, time_conditions=[])) == "time-condition-in-use"

    def test_tables_of_thousands_of_rows(self, kept: Kept, opened: Opened) -> None:
        kept.ask(partial(kept.store.set_line, ims()))
        rates = [{"line": "ims", "prefix": str(one), "price": 0.05} for one in range(5000)]
        assert set_plan(kept, rates=rates) is None
        assert len(opened(kept.reopened()).first.plan.rates) == 5000


class TestRights:
    RIGHTS = {
        "call_level": "2",
        "outside_number": "+861012345678",
        "emergency_number": "01012345678",
        "most_calls": 3,
        "most_outgoing": 0,
        "record": "outside",
        "record_by_code": "no",
    }

    def test_set_and_kept(self, kept: Kept, opened: Opened) -> None:
        assert kept.ask(partial(kept.store.change_user, "100", self.RIGHTS)) is None
        user = kept.store.snapshot.users["100"]
        assert (user.call_level, user.outside_number) == (2, "+861012345678")
        assert (user.emergency_number, user.most_calls, user.most_outgoing) == ("01012345678", 3, 0)
        assert (user.record, user.record_by_code) == ("outside", False)
        assert kept.store.snapshot.users["101"].most_calls == -1
        assert kept.store.snapshot.users["101"].record == "off"
        assert kept.store.snapshot.users["101"].record_by_code
        assert opened(kept.reopened()).first == kept.store.snapshot

    def test_another_password_leaves_them(self, alone: Kept) -> None:
        alone.ask(partial(alone.store.change_user, "100", self.RIGHTS))
        alone.ask(partial(alone.store.set_password, "100", SECRET))
        assert alone.store.snapshot.users["100"].call_level == 2

    @pytest.mark.parametrize(
        ("options", "why"),
        [
            ({"call_level": 100}, "field-range"),
            ({"call_level": "high"}, "field-whole"),
            ({"outside_number": "x"}, "field-digits"),
            ({"emergency_number": "x"}, "field-digits"),
            ({"most_calls": -2}, "field-range"),
            ({"most_outgoing": 10_001}, "field-range"),
            ({"record": "incoming"}, "field-choice"),
            ({"record_by_code": "perhaps"}, "field-yes-no"),
            ({"number": "101"}, "field-unknown"),
        ],
    )
    def test_rights_that_are_none(self, alone: Kept, options: dict[str, object], why: str) -> None:
        assert code(alone.ask(partial(alone.store.change_user, "100", options))) == why

    def test_a_user_that_is_not_there(self, alone: Kept) -> None:
        assert code(alone.ask(partial(alone.store.change_user, "199", {}))) == "unknown-user"


class TestAudit:
    def test_who_changed_what_and_no_password(self, kept: Kept) -> None:
        kept.ask(partial(kept.store.set_line, ims(), new=True, actor="pi"))
        change = {"password": "another1", "most": 2}
        kept.ask(partial(kept.store.change_line, "ims", change, actor="pi"))
        kept.ask(partial(kept.store.change_user, "100", {"call_level": 1}, actor="root"))
        kept.ask(lambda d: kept.store.set_plan({"holidays": [], "rates": []}, d, actor="root"))
        kept.ask(partial(kept.store.remove_line, "ims"))
        found = [tuple(row) for row in kept.rows("SELECT * FROM audit ORDER BY id")]
        assert [row[2:5] for row in found] == [
            ("pi", "line.add", "ims"),
            ("pi", "line.set", "ims"),
            ("root", "user.set", "100"),
            ("root", "plan.set", ""),
            ("", "line.remove", "ims"),
        ]
        details = [str(row[5]) for row in found]
        assert "server=ims.example" in details[0]
        assert details[1:] == ["password most=2", "call_level=1", "holidays rates", ""]
        assert SECRET not in str(found)
        assert "another1" not in str(found)

    def test_no_log_has_the_password(
        self, kept: Kept, opened: Opened, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        kept.ask(partial(kept.store.set_line, ims()))
        kept.ask(partial(kept.store.set_line, ims(server="a b")))
        kept.ask(partial(kept.store.change_line, "ims", {"password": [SECRET]}))
        assert lines(kept) == {"ims": ims()}
        again = opened(kept.reopened())
        assert SECRET not in caplog.text + repr(again.first) + str(again.store.snapshot)


class TestUnreadable:
    """A newer program that shares MariaDB may have written what this one doesn't know."""

    def test_it_is_left_out_and_told(
        self, kept: Kept, opened: Opened, caplog: pytest.LogCaptureFixture
    ) -> None:
        kept.ask(partial(kept.store.set_line, ims()))
        set_plan(kept, routes=[Route(name="out", lines=("ims",))])
        kept.close()
        for kind, name, value in (
            ("line", "newer", '{"name":"newer","kind":"sip-trunk","server":"x","new":1}'),
            ("plan", "holidays", '[{"date":1}]'),
            ("plan", "toll", "[]"),
        ):
            kept.rows(f"INSERT INTO config_entry VALUES ('{kind}', '{name}', '{value}')")
        again = opened(kept.reopened())
        again.done_so_far()
        again.ask(partial(again.store.change_line, "ims", {"most": 1}))
        snapshot = again.store.snapshot
        assert list(snapshot.lines) == ["ims"]
        assert (len(snapshot.plan.routes), snapshot.plan.holidays) == (1, ())
        for what in ("the line 'newer'", "the plan 'holidays'", "the plan 'toll'"):
            assert what in caplog.text
