"""The dial plan of a first start: the emergency numbers of the country that the card names."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from pbx.config.dial_plan import DialPlan
from pbx.config.emergency_numbers import countries, reserved
from pbx.store.first_plan import first_plan
from tests.store.kept import Kept

Opened = Callable[[Kept], Kept]


def test_the_country_of_the_card(tmp_path: Path, opened: Opened) -> None:
    path = tmp_path / "first-country"
    path.write_text("DE\n")
    kept = opened(Kept(tmp_path))
    basics = kept.first.plan.basics
    assert (basics.country, basics.emergency_numbers) == ("DE", ("110", "112", "911"))
    assert not path.exists()
    assert opened(kept.reopened()).first.plan.basics == basics


@pytest.mark.parametrize("country", sorted(countries()))
def test_nobody_has_an_emergency_number(tmp_path: Path, opened: Opened, country: str) -> None:
    """100, 101 and 102 are the police, the fire brigade and the ambulance in India."""
    (tmp_path / "first-country").write_text(country)
    first = opened(Kept(tmp_path)).first
    assert len(first.users) == 3
    assert not {*first.users} & reserved(first.plan)


def test_nor_has_who_is_named_on_the_card(
    tmp_path: Path, opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    """100 and 101 are Belgium's ambulance and police."""
    (tmp_path / "first-country").write_text("BE\n")
    (tmp_path / "first-users.json").write_text('[{"number": "101"}, {"number": "201"}]')
    with caplog.at_level(logging.WARNING):
        assert [*opened(Kept(tmp_path)).first.users] == ["201"]
    assert "user '101' is not made: 101 is an emergency number" in caplog.text


def test_without_a_country_nobody_knows(tmp_path: Path, opened: Opened) -> None:
    """What is one elsewhere may be a room of the hotel."""
    (tmp_path / "first-users.json").write_text('[{"number": "110"}]')
    assert [*opened(Kept(tmp_path)).first.users] == ["110"]


def test_a_later_one_changes_nothing(tmp_path: Path, opened: Opened) -> None:
    kept = opened(Kept(tmp_path))
    (tmp_path / "first-country").write_text("DE\n")
    assert opened(kept.reopened()).first.plan == DialPlan()


def test_nobody_has_said(tmp_path: Path) -> None:
    assert first_plan(tmp_path / "first-country") == DialPlan()


@pytest.mark.parametrize("content", [b"XX\n", b"", b"\xff", b"de"])
def test_a_country_that_is_not_known(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "first-country"
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert first_plan(path) == DialPlan()
    assert caplog.records


def test_what_can_not_be_read(tmp_path: Path) -> None:
    assert first_plan(tmp_path) == DialPlan()
