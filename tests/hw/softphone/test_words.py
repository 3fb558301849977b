"""The softphone's two catalogues, and its sentences."""

import string

import pytest

from hw.softphone.happenings import Reason, Why
from hw.softphone.words import peer_in_words, reason_in_words
from pbx.locale import LANGUAGES, catalogue, choose

ENGLISH, CHINESE = (catalogue(language, "hw.softphone.locale") for language in ("en", "zh"))


def placeholders(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}


def test_every_key_is_in_both() -> None:
    assert list(ENGLISH) == list(CHINESE)


@pytest.mark.parametrize("key", ENGLISH)
def test_the_same_values_are_put_in(key: str) -> None:
    assert placeholders(ENGLISH[key]) == placeholders(CHINESE[key])
    assert ENGLISH[key].isascii()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_can_be_said(language: str) -> None:
    choose(language)
    for why in Why:
        assert reason_in_words(Reason(why, 500, "Oops"))
    for status in range(300, 700):
        assert str(status) in reason_in_words(Reason(Why.REFUSED, status, "Oops"))
    choose("")


def test_foreign_words_steer_no_terminal() -> None:
    choose("en")
    assert "\x1b" not in reason_in_words(Reason(Why.REFUSED, 499, "\x1b[2J"))
    assert "\x1b" not in peer_in_words("1\x1b[2J", "Bob\x07")
    choose("")


def test_a_name_stands_before_its_number() -> None:
    assert peer_in_words("101", "Bob") == "Bob (101)"
    assert peer_in_words("101", "101") == "101"
    assert peer_in_words("101", " ") == "101"
