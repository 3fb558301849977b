"""The table of the ways for a call to end; pbx/cdr/README.md has the same one."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pbx.call.cause import CallTag
from pbx.cdr.endings import ENDINGS, PARTICULAR, Ending
from pbx.cdr.words import tag_words
from pbx.locale import choose, say

README = (Path(__file__).parents[2] / "pbx" / "cdr" / "README.md").read_text("utf-8")


@pytest.fixture(params=["en", "zh"])
def language(request: pytest.FixtureRequest) -> Iterator[str]:
    choose(request.param)
    yield str(request.param)
    choose("")


def said(ending: Ending) -> str:
    """What a party says, as README has it."""
    reasons = [f"`{value}`" for value in ending.reasons]
    return ", ".join([*([ending.said] if ending.said else []), *reasons])


def row(ending: Ending) -> tuple[str, ...]:
    """A row of README's."""
    cause = ending.cause
    values = (f"{cause.tag.value}", f"{cause.q850}", cause.tag.released_by, ending.gets)
    return ending.name, said(ending), *values


def test_readme_has_every_way() -> None:
    rows = re.findall(
        r"^\| (.+) \| (.*) \| (\d+) \| (\d+) \| (\w+) \| (\w*) ?\|$", README, re.MULTILINE
    )
    assert rows == [row(one) for one in ENDINGS]


def test_readme_has_every_call_tag() -> None:
    rows = re.findall(r"^\| (\d{3}) \| (\w+) \|", README, re.MULTILINE)
    assert rows == [(f"{tag.value}", tag.released_by) for tag in CallTag]


def test_every_call_tag_has_a_way() -> None:
    assert {one.cause.tag for one in ENDINGS} == set(CallTag)


@pytest.mark.parametrize("tag", PARTICULAR)
def test_words_of_one_way_alone_are_of_no_other_cause(tag: tuple[CallTag, int]) -> None:
    ways = [one for one in ENDINGS if (one.cause.tag, one.cause.q850) == tag]
    assert [one.particular for one in ways] == [True]


@pytest.mark.parametrize(("tag", "cause"), PARTICULAR)
def test_they_say_something_else(language: str, tag: CallTag, cause: int) -> None:
    assert tag_words(tag, cause) != tag_words(tag) == tag_words(tag, 99)
    assert tag_words(tag, cause) == say(f"calltag-{tag}-{cause}")


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda one: one.name)
def test_the_caller_hears_a_failure_where_it_has_no_answer(ending: Ending) -> None:
    if ending.talked or ending.cause.tag is CallTag.RESTART:
        assert ending.status == 0
    else:
        assert 400 <= ending.status < 700
