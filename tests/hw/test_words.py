"""The agent's two catalogues."""

import string

import pytest

from hw.locale import say
from hw.state import State
from pbx.locale import catalogue, choose

ENGLISH, CHINESE = catalogue("en", "hw.locale"), catalogue("zh", "hw.locale")


def placeholders(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}


def test_every_key_is_in_both() -> None:
    assert list(ENGLISH) == list(CHINESE)


@pytest.mark.parametrize("key", ENGLISH)
def test_the_same_values_are_put_in(key: str) -> None:
    assert placeholders(ENGLISH[key]) == placeholders(CHINESE[key])
    assert ENGLISH[key].isascii()


@pytest.mark.parametrize("state", State)
def test_every_state_can_be_said(state: State) -> None:
    said = set()
    for language in ("en", "zh"):
        choose(language)
        said.add(say(f"state-{state.value}"))
    assert len(said) == 2
