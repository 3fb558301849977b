"""The log's last lines."""

import logging

import pytest

from pbx.ops import recent_lines
from pbx.ops.recent_lines import RecentLines


@pytest.fixture
def logger() -> logging.Logger:
    """A logger of the test's own."""
    one = logging.Logger("test")
    one.setLevel(logging.DEBUG)
    return one


def test_lines_are_counted_and_told(logger: logging.Logger) -> None:
    told: list[int] = []
    lines = RecentLines(lambda: told.append(1))
    logger.addHandler(lines)
    logger.debug("too small")
    logger.info("call %s", 7)
    logger.warning("careful")
    logger.error("bad")
    assert [(one.number, one.level, one.text) for one in lines.after(0)] == [
        (1, "info", "call 7"),
        (2, "warning", "careful"),
        (3, "error", "bad"),
    ]
    assert [one.number for one in lines.after(2)] == [3]
    assert len(told) == 3


def test_no_line_steers_a_terminal(logger: logging.Logger) -> None:
    lines = RecentLines(lambda: None)
    logger.addHandler(lines)
    logger.info("from %s", "\x1b[2J\nforged")
    assert lines.after(0)[0].text == "from \\x1b[2J\\nforged"


def test_old_lines_go(logger: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_lines, "KEPT", 3)
    lines = RecentLines(lambda: None)
    logger.addHandler(lines)
    for number in range(5):
        logger.info("%d", number)
    assert [one.number for one in lines.after(0)] == [3, 4, 5]


def test_when_is_a_moment_with_offset(logger: logging.Logger) -> None:
    lines = RecentLines(lambda: None)
    logger.addHandler(lines)
    logger.info("now")
    assert lines.after(0)[0].when[-6] in "+-"
