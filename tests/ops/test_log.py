"""The log: one record, one line, whatever a peer has put into it."""

import logging
import os
import sys
from pathlib import Path

import pytest

from pbx.ops.log import LineFormatter, log_to_stderr, printable

HOSTILE = "100\r\n2026-01-01 00:00:00,000 INFO    call 1: 100 to 900: ended\x1b[2J\x00\x9b\u202e\u2028\udcff"


def _record(text: str, level: int = logging.INFO, error: bool = False) -> logging.LogRecord:
    info = None
    if error:
        try:
            raise ValueError(f"first\nsecond {HOSTILE}")
        except ValueError:
            info = sys.exc_info()
    return logging.LogRecord("pbx", level, "x.py", 1, "%s to %s", (text, "101"), info)


def test_a_peer_cannot_forge_a_line() -> None:
    for journal in (False, True):
        line = LineFormatter(journal=journal).format(_record(HOSTILE))
        assert line.isprintable()
        assert r"100\r\n2026" in line
        assert r"\x1b[2J\x00\x9b\u202e\u2028\udcff" in line


def test_what_people_read_stays() -> None:
    assert printable("张三 Ünïcode – 'x'") == "张三 Ünïcode – 'x'"


def test_a_traceback_is_indented_and_cannot_forge_a_line_either() -> None:
    first, *more = LineFormatter(journal=False).format(_record("x", error=True)).split("\n")
    assert first.endswith("x to 101")
    assert more[0] == "    Traceback (most recent call last):"
    assert all(line.startswith("    ") and line.isprintable() for line in more)
    assert any("ValueError: first" in line for line in more)


@pytest.mark.parametrize(
    ("level", "prefix"),
    [
        (logging.DEBUG, "<7>"),
        (logging.INFO, "<6>"),
        (logging.WARNING, "<4>"),
        (logging.ERROR, "<3>"),
        (logging.CRITICAL, "<2>"),
    ],
)
def test_the_journal_gets_the_level_of_each_line(level: int, prefix: str) -> None:
    formatter = LineFormatter(journal=True)
    assert formatter.format(_record("x", level)) == f"{prefix}x to 101"
    lines = formatter.format(_record("x", level, error=True)).split("\n")
    assert all(line.startswith(prefix) for line in lines)


@pytest.mark.parametrize("mine", [True, False])
def test_the_journal_is_known_by_its_stream(
    mine: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A terminal on a desktop inherits the variable, with another stream's name."""
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    with (tmp_path / "err").open("w") as output:
        monkeypatch.setattr(sys, "stderr", output)
        about = os.fstat(output.fileno())
        name = f"{about.st_dev}:{about.st_ino if mine else about.st_ino + 1}"
        log_to_stderr({"JOURNAL_STREAM": name}, verbose=False)
        root.handlers[0].handle(_record("x"))
    written = (tmp_path / "err").read_text()
    assert written.startswith("<6>x to 101") == mine
