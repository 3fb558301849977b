"""The statements of the ten posts, their tests, and what became of each.

A test proves the statements that its name begins with: ``test_T1_3_...``, ``test_T2_1_T2_2_...``.
`./build.sh test posts` prints `summary`; ``python -m tests.posts.statements en`` the README's table.
"""

import ast
import re
import sys
import tomllib
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from pathlib import Path

import msgspec
from rich.cells import set_cell_size

from tests.tables import Outcome, together

FOLDER = Path(__file__).parent

_NAMED = re.compile(r"test_((?:T\d+_\d+_)+)")


class Text(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Words in both languages; empty where there are none."""

    en: str = ""
    zh: str = ""

    def of(self, one: str) -> str:
        """Return them in a language, ``en`` or ``zh``."""
        return self.zh if one == "zh" else self.en


class Statement(Text, frozen=True, forbid_unknown_fields=True):
    """What a post says.

    Args:
        better: where ours does more.
    """

    better: Text = Text()


class Post(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One of the ten.

    Args:
        number: its place, as in ``T3.1``.
        title: its own, which is Chinese, and what that means.
        short: what of it is true here, in a line.
        better: what is more, in a line.
        statements: what it says, by name (``T3.1``).
    """

    number: int
    title: Text
    short: Text
    statements: dict[str, Statement]
    better: Text = Text()

    @property
    def heading(self) -> str:
        """The title in both languages."""
        if self.title.en == self.title.zh:
            return self.title.zh
        return f"{self.title.zh} / {self.title.en}"

    @property
    def names(self) -> str:
        """The first and the last statement's name."""
        first, *others = self.statements
        return f"{first}-{others[-1]}" if others else first


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    post: list[Post]


@cache
def posts() -> tuple[Post, ...]:
    """Return the ten posts."""
    raw = tomllib.loads((FOLDER / "statements.toml").read_text("utf-8"))
    return tuple(msgspec.convert(raw, _File).post)


def proved_by(test: str) -> list[str]:
    """Return the statements that a test proves; perhaps none.

    Args:
        test: its name in this folder: ``test_x.py::TestClass::test_y[z]``.
    """
    found = _NAMED.match(test.partition("[")[0].rpartition("::")[2])
    return [one.replace("_", ".") for one in re.findall(r"T\d+_\d+", found[1])] if found else []


def names_written() -> dict[str, list[str]]:
    """Return the names of this folder's test functions by file, read from their text."""
    return {
        path.name: [
            node.name
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and node.name.startswith("test_")
        ]
        for path in sorted(FOLDER.glob("test_*.py"))
    }


# ---------------------------------------------------------------- what became of them

_WORDS = {
    "failed": Text("failed", "失败"),
    "passed": Text("passed", "通过"),
    "skipped": Text("skipped", "跳过"),
    "not run": Text("not run", "未运行"),
    "no test": Text("no test", "没有测试"),
}

_COUNT = Text("{} tests", "{} 项测试")
_ONE = Text("1 test", "1 项测试")
_BETTER = Text("better: {}", "改进：{}")
_SKIPPED = Text("skipped: {}", "跳过：{}")


def unproved(collected: Collection[str]) -> list[str]:
    """Return the statements that no test is named after.

    Args:
        collected: the names of all tests that there are, as `summary` has them.
    """
    proved = {name for test in collected for name in proved_by(test)}
    return [name for post in posts() for name in post.statements if name not in proved]


def summary(
    outcomes: Mapping[str, Outcome], collected: Collection[str], spoken: str
) -> Iterator[str]:
    """Yield a line for each post and each statement, and one for what is better.

    Args:
        outcomes: what became of tests, by their names in this folder (``test_x.py::test_y[z]``).
        collected: the names of all tests that there are, also of those that didn't run.
        spoken: the language, ``en`` or ``zh``.
    """
    for post in posts():
        yield ""
        yield f"{post.number:2}  {post.heading}"
        for name, statement in post.statements.items():
            own = [one for one in collected if name in proved_by(one)]
            ran = [outcomes[one] for one in own if one in outcomes]
            word = together(ran) if own else "no test"
            count = (_ONE if len(own) == 1 else _COUNT).of(spoken).format(len(own))
            line = f"    {name:6}{set_cell_size(_WORDS[word].of(spoken), 10)}"
            yield f"{line}{set_cell_size(count, 12)}{statement.of(spoken)}"
            if statement.better.en:
                yield " " * 32 + _BETTER.of(spoken).format(statement.better.of(spoken))
            for reason in dict.fromkeys(one.reason for one in ran if one.reason):
                yield " " * 32 + _SKIPPED.of(spoken).format(reason)


# ---------------------------------------------------------------- the README's table

_HEAD = {
    "en": "| post | statements | true here | and better |\n|---|---|---|---|",
    "zh": "| 文章 | 条目 | 这里的实现 | 改进 |\n|---|---|---|---|",
}


def readme_table(spoken: str) -> str:
    """Return the table of the posts in Markdown, in a language."""
    lines = [_HEAD[spoken]]
    for post in posts():
        title = post.heading if spoken == "en" else post.title.zh
        cells = (title, post.names, post.short.of(spoken), post.better.of(spoken))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(readme_table(sys.argv[1]))  # noqa: T201
