"""Which numbers are emergency numbers, and that nobody gets one who could then not be called."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
import pytest

from pbx.config.dial_plan import AnalyzeCalled
from pbx.config.line import Line
from pbx.errors import CommandError
from tests.store.kept import Kept

Opened = Callable[[Kept], Kept]
LINE = Line(name="telco", kind="sip-trunk", server="192.0.2.9")


@pytest.fixture
def kept(tmp_path: Path, opened: Opened) -> Kept:
    return opened(Kept(tmp_path))


def set_basics(kept: Kept, **basics: object) -> tuple[str, ...]:
    answer = kept.ask(lambda done: kept.store.set_plan({"basics": basics}, done))
    assert answer is None, answer
    return kept.store.snapshot.plan.basics.emergency_numbers


def refused(kept: Kept, number: str) -> str:
    """Return the code that this number's user is refused with; empty where it is made."""
    told = kept.ask(lambda done: kept.store.add_user(number, None, "", done))
    if isinstance(told, CommandError):
        assert number in told.sentence
        return told.code
    assert number in kept.store.snapshot.users
    return ""


class TestCountry:
    def test_fills_the_numbers_in_and_is_kept(self, kept: Kept, opened: Opened) -> None:
        assert set_basics(kept, country="de") == ("110", "112", "911")
        assert set_basics(kept, country="CN", out_prefix="0")[:4] == ("110", "119", "120", "122")
        again = opened(kept.reopened()).first.plan.basics
        assert (again.country, again.out_prefix) == ("CN", "0")
        assert again.emergency_numbers[:4] == ("110", "119", "120", "122")

    def test_an_explicit_list_counts_more(self, kept: Kept) -> None:
        assert set_basics(kept, country="DE", emergency_numbers="112,19222") == ("112", "19222")
        assert set_basics(kept, emergency_numbers=["112"]) == ("112",)
        assert kept.store.snapshot.plan.basics.country == "DE"

    def test_other_changes_leave_the_numbers_alone(self, kept: Kept) -> None:
        set_basics(kept, country="DE", emergency_numbers="112")
        assert set_basics(kept, out_prefix="0") == ("112",)

    def test_none_brings_back_those_of_nowhere(self, kept: Kept) -> None:
        before = kept.store.snapshot.plan.basics.emergency_numbers
        set_basics(kept, country="DE")
        assert set_basics(kept, country="") == before

    @pytest.mark.parametrize("country", ["XX", "Germany", "D"])
    def test_one_that_is_not_known_is_refused(self, kept: Kept, country: str) -> None:
        before = kept.store.snapshot
        told = kept.ask(lambda done: kept.store.set_plan({"basics": {"country": country}}, done))
        assert isinstance(told, CommandError)
        assert told.code == "field-choice"
        assert "basics.country" in told.sentence
        assert "CN, " in told.sentence
        assert kept.store.snapshot is before


class TestUsers:
    @pytest.mark.parametrize("number", ["110", "9110", "12395"])
    def test_get_no_such_number_where_there_is_a_line(self, kept: Kept, number: str) -> None:
        kept.ask(partial(kept.store.set_line, LINE))
        rows = [AnalyzeCalled(prefix="12395", emergency=True)]
        kept.ask(lambda done: kept.store.set_plan({"analyze_called": rows}, done))
        before = kept.store.snapshot
        assert refused(kept, number) == "emergency-reserved"
        assert kept.store.snapshot is before
        assert refused(kept, "200") == ""

    def test_nor_where_the_country_has_been_told(self, kept: Kept) -> None:
        set_basics(kept, country="CN")
        assert refused(kept, "120") == "emergency-reserved"

    def test_get_a_number_that_is_one_in_other_countries_only(self, kept: Kept) -> None:
        kept.ask(partial(kept.store.set_line, LINE))
        assert refused(kept, "119") == "emergency-reserved"
        set_basics(kept, country="DE")
        assert refused(kept, "119") == ""
        assert refused(kept, "110") == "emergency-reserved"

    def test_of_an_exchange_without_lines_have_any_number(self, kept: Kept) -> None:
        assert refused(kept, "110") == ""
        kept.ask(partial(kept.store.set_line, msgspec.structs.replace(LINE, enabled=False)))
        assert refused(kept, "119") == ""
