"""What became of tests, and the table that ``./build.sh test NAME`` prints of it at the end."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pytest

SPOKEN = pytest.StashKey[str]()
"""The language of who runs the tests, ``en`` or ``zh``."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a test.

    Args:
        word: ``passed``, ``failed`` or ``skipped``.
        reason: why it was skipped.
    """

    word: str
    reason: str = ""


def asked_for(name: str) -> bool:
    """Return whether the table of this name is to be printed."""
    return os.environ.get("MINISIP_TABLE") == name


def show(reporter: pytest.TerminalReporter, title: str, lines: Iterable[str]) -> None:
    """Print a table."""
    reporter.section(title)
    for line in lines:
        reporter.write_line(line)


def outcomes(reporter: pytest.TerminalReporter, folder: str) -> dict[str, Outcome]:
    """Return what became of the tests of a folder by their names in it.

    Args:
        reporter: pytest's.
        folder: within the project, such as ``tests/posts``.
    """
    found = {}
    # What fails at the end, having passed, is in both
    for category, word in _WORDS.items():
        for report in reporter.stats.get(category, ()):
            name = report.nodeid.removeprefix(f"{folder}/")
            found[name] = Outcome(word, _reason(report) if word == "skipped" else "")
    return found


_WORDS: Mapping[str, str] = {
    "skipped": "skipped",
    "passed": "passed",
    "failed": "failed",
    "error": "failed",
}


def _reason(report: pytest.TestReport) -> str:
    """Why it was skipped, in the words of who skipped it."""
    told = report.longrepr
    return str(told[2]).removeprefix("Skipped: ") if isinstance(told, tuple) else ""


def together(own: Iterable[Outcome]) -> str:
    """Return the word for several tests at once; ``not run`` where there are none."""
    words = {one.word for one in own}
    return next((word for word in ("failed", "passed", "skipped") if word in words), "not run")
