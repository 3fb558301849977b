"""The users of a first start: our own three, or those that an appliance's first boot names."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from pbx.store.accounts import first_users
from tests.store.kept import Kept


def given(folder: Path, content: object) -> Path:
    path = folder / "first-users.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_without_a_file_there_are_three_with_random_passwords(tmp_path: Path) -> None:
    users = first_users(tmp_path / "first-users.json")
    assert [(one.number, one.name) for one in users] == [("100", ""), ("101", ""), ("102", "")]
    assert len({one.password for one in users}) == 3


def test_the_file_names_others(tmp_path: Path) -> None:
    path = given(
        tmp_path, [{"number": "201", "name": "前台", "password": "secret-1"}, {"number": "202"}]
    )
    one, two = first_users(path)
    assert (one.number, one.name, one.password) == ("201", "前台", "secret-1")
    assert two.number == "202"
    assert len(two.password) == 12


@pytest.mark.parametrize(
    "wrong",
    [
        {"number": "2 1"},
        {"number": None},
        {"number": "201", "password": "short"},
        {"number": "201", "name": "a\nb"},
        {},
    ],
)
def test_what_cannot_be_is_left_out_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, wrong: dict[str, object]
) -> None:
    with caplog.at_level(logging.WARNING):
        users = first_users(given(tmp_path, [wrong, {"number": "202"}]))
    assert [one.number for one in users] == ["202"]
    assert "is not made" in caplog.text


@pytest.mark.parametrize("broken", ["", "[", "7", '"x"', "[7]", "[" * 100_000])
def test_a_broken_file_costs_nothing(tmp_path: Path, broken: str) -> None:
    assert [one.number for one in first_users(given(tmp_path, broken))] == ["100", "101", "102"]


def test_a_number_named_twice_is_one_user(tmp_path: Path) -> None:
    path = given(tmp_path, [{"number": "201", "name": "a"}, {"number": "201", "name": "b"}])
    assert [one.name for one in first_users(path)] == ["a"]


def test_a_first_start_makes_them_once(tmp_path: Path, opened: Callable[[Kept], Kept]) -> None:
    path = given(tmp_path, [{"number": "201", "name": "Shop", "password": "secret-1"}])
    kept = opened(Kept(tmp_path, "", None))
    assert {one.display_name for one in kept.first.users.values()} == {"Shop"}
    assert kept.store.initial_passwords() == {"201": "secret-1"}
    assert not path.exists()
