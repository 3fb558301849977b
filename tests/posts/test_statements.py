"""The ten posts' statements: each has its words in both languages and its tests; READMEs tell of them."""

from pathlib import Path

import pytest

from tests.posts.statements import (
    Text,
    names_written,
    posts,
    proved_by,
    readme_table,
    summary,
    unproved,
)
from tests.tables import Outcome

ROOT = Path(__file__).parents[2]


def test_ten_posts_whose_statements_are_numbered() -> None:
    assert [post.number for post in posts()] == [*range(1, 11)]
    for post in posts():
        names = [f"T{post.number}.{nth}" for nth in range(1, len(post.statements) + 1)]
        assert list(post.statements) == names


def test_all_is_said_in_both_languages() -> None:
    texts: list[Text] = []
    for post in posts():
        texts += [post.title, post.short, post.better]
        texts += [text for one in post.statements.values() for text in (one, one.better)]
    assert [text for text in texts if bool(text.en) != bool(text.zh)] == []
    assert all(post.title.en and post.short.en for post in posts())
    assert all(one.en for post in posts() for one in post.statements.values())


def test_no_test_names_a_statement_that_there_is_not() -> None:
    known = {name for post in posts() for name in post.statements}
    written = [test for tests in names_written().values() for test in tests]
    assert len(written) > 20
    assert {name for test in written for name in proved_by(test)} - known == set()


def test_each_has_a_test() -> None:
    missing = unproved([test for tests in names_written().values() for test in tests])
    assert not missing


def test_each_stands_in_its_post_s_file() -> None:
    """A file named after a post has that post's statements alone."""
    for file, tests in names_written().items():
        if file.startswith("test_t") and file[6].isdigit():
            number = file.removeprefix("test_t").partition("_")[0]
            other = [
                test
                for test in tests
                if any(not name.startswith(f"T{number}.") for name in proved_by(test))
            ]
            assert other == [], file


@pytest.mark.parametrize(("file", "language"), [("README.md", "en"), ("README.zh.md", "zh")])
def test_the_readme_has_the_table(file: str, language: str) -> None:
    """As ``python -m tests.posts.statements en`` prints it."""
    assert readme_table(language) in (ROOT / file).read_text("utf-8")


class TestSummary:
    COLLECTED = (
        "test_x.py::test_T1_1_one[line]",
        "test_x.py::TestY::test_T1_1_T1_2_two[a::b]",
        "test_x.py::test_T1_3_three",
        "test_x.py::test_T1_4_four",
        "test_x.py::test_of_nothing",
    )
    OUTCOMES = (
        Outcome("passed"),
        Outcome("failed"),
        Outcome("skipped", "no NAT here"),
    )

    def lines(self, spoken: str = "en") -> list[str]:
        """The table where the first three tests ran."""
        became = dict(zip(self.COLLECTED, self.OUTCOMES, strict=False))
        return list(summary(became, self.COLLECTED, spoken))

    def told(self, name: str, spoken: str = "en") -> list[str]:
        """What the table says of a statement, its own line first."""
        lines = self.lines(spoken)
        (place,) = (n for n, line in enumerate(lines) if line.split()[:1] == [name])
        end = next(n for n in range(place + 1, len(lines)) if not lines[n].startswith(" " * 30))
        return [line.strip() for line in lines[place:end]]

    def test_what_became_of_each(self) -> None:
        assert self.lines()[1] == (
            " 1  Request-URI 的附加参数 / Additional parameters of the Request-URI"
        )
        assert self.told("T1.1")[0].startswith("T1.1  failed    2 tests     A call that comes in")
        assert self.told("T1.2")[0].startswith("T1.2  failed    1 test      Calls go out")
        assert self.told("T1.2")[1].startswith("better: tel:")
        assert self.told("T1.3")[0].startswith("T1.3  skipped   1 test ")
        assert self.told("T1.3")[-1] == "skipped: no NAT here"
        assert self.told("T1.4")[0].startswith("T1.4  not run   1 test ")
        assert self.told("T1.5")[0].startswith("T1.5  no test   0 tests ")

    def test_in_chinese(self) -> None:
        assert self.told("T1.1", "zh")[0].startswith("T1.1  失败      2 项测试    外线和中继")
        assert self.told("T1.2", "zh")[1].startswith("改进：")
        assert self.told("T1.3", "zh")[-1] == "跳过：no NAT here"

    def test_what_has_no_test(self) -> None:
        missing = unproved(self.COLLECTED)
        assert missing[:2] == ["T1.5", "T1.6"]
        assert "T1.4" not in missing
