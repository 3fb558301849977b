"""What the numbers of a record mean; the manual has the same words."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pbx.call.cause import CallTag
from pbx.cdr.words import cause_words, tag_words
from pbx.locale import choose
from pbx.sip.reason import Q850_TEXTS


@pytest.fixture(autouse=True, params=["en", "zh"])
def language(request: pytest.FixtureRequest) -> Iterator[str]:
    choose(request.param)
    yield str(request.param)
    choose("")


def test_every_tag_as_the_manual_has_it(language: str) -> None:
    text = Path("MANUAL.zh.md" if language == "zh" else "MANUAL.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d{3}) \| (.+?) \|$", text, re.MULTILINE)
    assert {int(tag) for tag, _ in rows} == set(CallTag)
    assert {int(tag): words.replace("`", "") for tag, words in rows} == {
        tag: tag_words(tag) for tag in CallTag
    }


@pytest.mark.parametrize("cause", Q850_TEXTS)
def test_every_cause(language: str, cause: int) -> None:
    assert cause_words(cause).isascii() == (language == "en")
    assert cause_words(cause)


@pytest.mark.parametrize("number", [None, 0, 999])
def test_unknown_numbers(number: int | None) -> None:
    assert (tag_words(number), cause_words(number)) == ("", "")
