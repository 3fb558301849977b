"""The two catalogues of the first boot."""

import re
import string
from pathlib import Path

import pytest

import first_boot
from first_boot.notes import Note, catalogue

SOURCES = sorted(Path(first_boot.__file__).parent.glob("*.py"))


def placeholders(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}


def test_every_key_is_in_both() -> None:
    assert list(catalogue("en")) == list(catalogue("zh"))


@pytest.mark.parametrize("key", catalogue("en"))
def test_the_same_values_are_put_in(key: str) -> None:
    assert placeholders(catalogue("en")[key]) == placeholders(catalogue("zh")[key])


@pytest.mark.parametrize("key", catalogue("en"))
def test_the_languages_are_what_they_say(key: str) -> None:
    assert catalogue("en")[key].isascii()
    assert any("\u4e00" <= char <= "\u9fff" for char in catalogue("zh")[key])


def test_every_sentence_is_said_somewhere_and_no_other() -> None:
    text = "\n".join(path.read_text("utf-8") for path in SOURCES)
    said = set(re.findall(r'"([a-z]+(?:-[a-z]+)+)"', text))
    assert set(catalogue("en")) - said == set()
    called = re.findall(r'(?:note|say|BadValue|Note)\(\s*(?:spoken, )?"([a-z-]+)"', text)
    assert set(called) - set(catalogue("en")) == set()


def test_a_value_can_not_break_the_line_or_be_a_placeholder() -> None:
    sentence = Note("value-hostname", {"value": "a\nb{x}\x1b"}).sentence("en")
    assert sentence.startswith("'a\N{REPLACEMENT CHARACTER}b{x}\N{REPLACEMENT CHARACTER}' is no")
