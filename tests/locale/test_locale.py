"""The two catalogues, and which of them is spoken."""

import contextvars
import string
from collections.abc import Iterator

import pytest

from pbx import locale
from pbx.locale import LANGUAGES, catalogue, choose, english, language, say


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    choose("")
    yield
    choose("")


def placeholders(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}


class TestCatalogues:
    def test_every_key_is_in_both(self) -> None:
        assert list(catalogue("en")) == list(catalogue("zh"))

    @pytest.mark.parametrize("key", catalogue("en"))
    def test_the_same_values_are_put_in(self, key: str) -> None:
        assert placeholders(catalogue("en")[key]) == placeholders(catalogue("zh")[key])

    @pytest.mark.parametrize("key", catalogue("en"))
    def test_the_languages_are_what_they_say(self, key: str) -> None:
        assert catalogue("en")[key].isascii()
        assert any("\u4e00" <= char <= "\u9fff" for char in catalogue("zh")[key])

    @pytest.mark.parametrize(
        "package", ["pbx.locale", "tui.locale", "tui.minicdr.locale", "hw.locale"]
    )
    def test_chinese_quotes_in_its_own_way(self, package: str) -> None:
        sentences = catalogue("zh", package).values()
        assert [one for one in sentences if "'{" in one or '"{' in one] == []

    def test_nobody_can_change_them(self) -> None:
        with pytest.raises(TypeError):
            catalogue("en")["x"] = "y"  # type: ignore[index]


class TestSay:
    def test_values_are_put_in_as_they_are(self) -> None:
        assert say("unknown-user", number="{103}") == "There is no user {103}."

    def test_an_unknown_key_is_a_bug(self) -> None:
        with pytest.raises(KeyError):
            say("no-such-key")

    def test_english_whatever_is_spoken(self) -> None:
        choose("zh")
        assert say("unknown-user", number="103") == "没有用户 103。"
        assert english("unknown-user", number="103") == "There is no user 103."


class TestLanguage:
    def test_english_without_a_word(self) -> None:
        assert language() == "en"

    @pytest.mark.parametrize("name", ["LC_ALL", "LC_MESSAGES", "LANG"])
    @pytest.mark.parametrize("value", ["zh_CN.UTF-8", "zh", "zh_TW", "ZH_CN.utf8"])
    def test_the_environment_speaks_chinese(
        self, monkeypatch: pytest.MonkeyPatch, name: str, value: str
    ) -> None:
        monkeypatch.setenv(name, value)
        assert language() == "zh"

    @pytest.mark.parametrize("value", ["C", "C.UTF-8", "de_DE.UTF-8", "POSIX"])
    def test_another_language_is_english(self, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
        monkeypatch.setenv("LANG", value)
        assert language() == "en"

    def test_the_first_that_is_set_decides(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LANG", "zh_CN.UTF-8")
        monkeypatch.setenv("LC_MESSAGES", "")
        assert language() == "zh"
        monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")
        assert language() == "en"

    @pytest.mark.parametrize("chosen", LANGUAGES)
    def test_a_choice_stands_above_the_environment(
        self, monkeypatch: pytest.MonkeyPatch, chosen: str
    ) -> None:
        monkeypatch.setenv("LANG", "zh_CN.UTF-8" if chosen == "en" else "en_GB")
        choose(chosen)
        assert language() == chosen

    def test_an_unknown_choice_leaves_it_to_the_environment(self) -> None:
        choose("zh")
        choose("tlh")
        assert language() == "en"

    def test_a_choice_belongs_to_its_context(self) -> None:
        contextvars.copy_context().run(locale.choose, "zh")
        assert language() == "en"
