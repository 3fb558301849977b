"""What decoders complain of, told in words."""

import contextvars
import tomllib

import msgspec
import pytest

from pbx.locale import LANGUAGES, catalogue, choose, english
from pbx.locale.decoding import Complaint, fault_of_settings, kind, kind_translated


class Inner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    whole: int = 0
    text: str = ""
    names: tuple[str, ...] = ()


class Outer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    inner: Inner = Inner()
    truth: bool = False
    price: float = 0.0


def complaint(text: str | bytes) -> str:
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)) as caught:
        msgspec.toml.decode(text, type=Outer)
    return str(caught.value)


def told(text: str | bytes, language: str) -> str:
    def work() -> str:
        choose(language)
        return fault_of_settings(complaint(text))

    return contextvars.copy_context().run(work)


@pytest.mark.parametrize(
    ("text", "in_english", "in_chinese"),
    [
        (
            'inner.whole = "5"',
            "inner.whole has the wrong kind of value: it must be a whole number, not a text",
            "inner.whole 的值类型不对：应为整数，而不是文本",
        ),
        (
            "inner.names = [2026-11-30]",
            "inner.names[0] has the wrong kind of value: it must be a text, not a date",
            "inner.names[0] 的值类型不对：应为文本，而不是日期",
        ),
        (
            "inner = 1.5",
            "inner has the wrong kind of value: it must be a table of fields, not a number",
            "inner 的值类型不对：应为由字段组成的表，而不是数字",
        ),
        (
            "truth = []",
            "truth has the wrong kind of value: it must be true or false, not a list",
            "truth 的值类型不对：应为true 或 false，而不是列表",
        ),
        (
            "inner.x = 1",
            catalogue("en")["setting-unknown"].format(setting="inner.x"),
            catalogue("zh")["setting-unknown"].format(setting="inner.x"),
        ),
        (
            "a b",
            "it is no TOML: there is a mistake in line 1, column 3",
            "不是 TOML：第 1 行第 3 列有错误",
        ),
        (
            b"inner.text = '\xff'",
            "it is no TOML: there is a mistake at its end, or a character that is not UTF-8",
            "不是 TOML：末尾有错误，或含有不是 UTF-8 的字符",
        ),
    ],
)
def test_in_both_languages(text: str | bytes, in_english: str, in_chinese: str) -> None:
    assert [told(text, language) for language in LANGUAGES] == [in_english, in_chinese]


@pytest.mark.parametrize(
    "value", ["1", "1.5", "''", "true", "[]", "{}", "2026-11-30", "07:30:00", "2026-11-30T07:30:00"]
)
def test_every_kind_of_value_that_a_document_can_have_has_words(value: str) -> None:
    found = tomllib.loads(f"x = {value}")["x"]
    wrong = "inner.whole" if not isinstance(found, int) or found is True else "inner.text"
    given = Complaint.read(complaint(f"{wrong} = {value}")).given
    assert kind(given, english) != given


def test_words_of_kinds_go_over_into_the_other_language() -> None:
    def work() -> list[str]:
        choose("zh")
        return [kind_translated(words) for words in ("a whole number", "nothing", "a horse")]

    assert contextvars.copy_context().run(work) == ["整数", "空值", "a horse"]


def test_a_kind_that_nobody_knows_stays_as_it_is_called() -> None:
    assert kind("decimal", english) == "decimal"
    assert kind_translated("a horse") == "a horse"
