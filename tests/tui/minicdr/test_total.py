"""`minicdr total`."""

import json
import os
from typing import Any

import pytest

from pbx.cdr import span
from pbx.cdr.totals import By
from tests.tui.minicdr.conftest import Exchange, Run
from tests.tui.program import CHINESE


def rows(minicdr: Run, by: str, *args: str) -> dict[str | None, tuple[int, int, float]]:
    """Calls, answered and seconds of talk by the row's name."""
    ran = minicdr("total", "--by", by, "--json", *args)
    assert (ran.code, ran.err) == (0, "")
    found: list[dict[str, Any]] = [json.loads(line) for line in ran.out.splitlines()]
    return {one[by]: (one["calls"], one["answered"], one["talk_s"]) for one in found}


ALL: dict[str | None, tuple[int, int, float]] = {None: (5, 3, 690.5)}


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("day", {"2027-01-13": (1, 1, 60), "2027-01-14": (2, 1, 30.5), "2027-01-15": (2, 1, 600)}),
        ("hour", {"06": (1, 1, 600), "07": (4, 2, 90.5)}),
        # 101 was called twice, from inside and from outside; outside numbers are no users
        (
            "user",
            {"100": (2, 2, 660), "101": (2, 2, 90.5), "103": (2, 0, 0), "102": (1, 0, 0)},
        ),
        (
            "destination",
            {"101": (2, 2, 90.5), "103": (1, 0, 0), "555": (1, 1, 600), "=1+1": (1, 0, 0)},
        ),
        ("line", {"203.0.113.7:5060": (2, 2, 630.5)}),
    ],
)
def test_a_call_counts_once_in_each_row(
    minicdr: Run, by: str, expected: dict[str, tuple[int, int, float]]
) -> None:
    assert list(rows(minicdr, by).items()) == [*expected.items(), *ALL.items()]


@pytest.mark.parametrize("by", [*By])
def test_large_files_are_read_by_several_processes(
    minicdr: Run, office: Exchange, monkeypatch: pytest.MonkeyPatch, by: By
) -> None:
    """With the same result, and the same sentences on what can't be read."""
    files = sorted(office.folder.iterdir())
    files[0].write_bytes(files[0].read_bytes() + b"nonsense\r\n")
    files[2].write_bytes(files[2].read_bytes()[:-9])
    few = [minicdr("total", "--by", by, *args) for args in (["--json"], ["--user", "101"])]
    assert few[0].err.count("\n") == 2
    monkeypatch.setattr(span, "SPAN", 500)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})
    assert [minicdr("total", "--by", by, *args) for args in (["--json"], ["--user", "101"])] == few
    missing = minicdr("total", office.folder / "missing.csv")
    assert (missing.code, missing.out) == (1, "")


def test_filters(minicdr: Run) -> None:
    assert rows(minicdr, "day", "--user", "103") == {
        "2027-01-14": (1, 0, 0),
        "2027-01-15": (1, 0, 0),
        None: (2, 0, 0),
    }


def test_one_call_id_used_for_two_calls_is_two_calls(minicdr: Run, exchange: Exchange) -> None:
    exchange.call(call_id="same@phone", ago_s=10.0)
    exchange.call(call_id="same@phone", ago_s=9.0)
    assert rows(minicdr, "day")[None][0] == 7


def test_a_user_who_calls_itself_counts_once(minicdr: Run, exchange: Exchange) -> None:
    exchange.call(caller_number="109", called_number="109")
    assert rows(minicdr, "user")["109"] == (1, 0, 0)


def test_table(minicdr: Run) -> None:
    ran = minicdr("total", "--by", "user")
    head, _, *lines = ran.out.splitlines()
    assert head.split() == ["User", "Calls", "Answered", "Talk", "Mean", "Longest"]
    assert lines[0].split() == ["100", "2", "2", "0:11:00", "0:05:30", "0:10:00"]
    assert lines[-1].split() == ["all", "5", "3", "0:11:30", "0:03:50", "0:10:00"]


def test_chinese(minicdr: Run) -> None:
    ran = minicdr("total", locale=CHINESE)
    head, _, *lines = ran.out.splitlines()
    assert head.split() == ["日期", "呼叫", "接通", "通话", "平均", "最长"]
    assert lines[-1].split()[0] == "全部"


def test_no_calls(minicdr: Run) -> None:
    assert rows(minicdr, "user", "--user", "999") == {None: (0, 0, 0)}
    assert minicdr("total", "--user", "999").out.splitlines()[-1].split()[:2] == ["all", "0"]
