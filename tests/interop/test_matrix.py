"""The interop matrix names tests that exist, and says something of each act, program and path."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

from tests.interop.matrix import ACTS, PATHS, PROGRAMS, cells, summary
from tests.tables import Outcome

FOLDER = Path(__file__).parent


def _collected() -> list[str]:
    """The names of all tests of this folder."""
    argv = [sys.executable, "-m", "pytest", "--collect-only", "-q", str(FOLDER)]
    # A person's own -v would have it told in another form
    own = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    root = FOLDER.parents[1]
    done = subprocess.run(
        argv, capture_output=True, text=True, check=False, cwd=root, env=own, timeout=100
    )
    prefix = "tests/interop/"
    return [
        line.removeprefix(prefix) for line in done.stdout.splitlines() if line.startswith(prefix)
    ]


def test_every_cell_names_tests_that_exist() -> None:
    collected = _collected()
    assert len(collected) > 100
    unknown = [
        (cell, name)
        for cell in cells()
        for name in cell.tests
        if not any(test.startswith(name) for test in collected)
    ]
    assert unknown == []


def test_no_cell_is_empty() -> None:
    """Each act of each program over each path is proved, or the matrix says why not."""
    there = {cell[:3] for cell in cells()}
    assert set(itertools.product(ACTS, PROGRAMS, PATHS)) <= there
    for cell in cells():
        assert bool(cell.tests) != bool(cell.why_not), cell
        assert cell.program in PROGRAMS
        assert cell.path in PATHS


def test_the_summary_says_what_became_of_each() -> None:
    became = {
        "test_every_phone.py::test_call[baresip-udp]": "passed",
        "test_every_phone.py::test_call[baresip-tls]": "failed",
        "test_every_phone.py::test_hold[baresip-udp]": "skipped",
        "test_websocket.py::TestWithPhones::test_hold[direct]": "passed",
        "test_websocket.py::TestCalls::test_page_calls_page[ws]": "passed",
        "test_websocket.py::TestWithPhones::test_calls_both_ways[direct]": "failed",
        "test_chat.py::test_to_baresip": "passed",
    }
    outcomes = {test: Outcome(word) for test, word in became.items()}
    lines = [line.split() for line in summary(outcomes)]
    assert lines[0] == list(PATHS)

    def of(act: str, program: str) -> list[str]:
        words = [*act.split(), program]
        (line,) = (line for line in lines if line[: len(words)] == words)
        return line[len(words) :]

    assert of("registers, calls both ways", "baresip")[:7] == [
        *("passed", "not", "run", "failed", "-"),
        *("baresip", "1.0"),
    ]
    assert of("hold and resume", "baresip")[:1] == ["skipped"]
    assert of("hold and resume", "JsSIP")[:4] == ["-", "-", "-", "passed"]
    assert of("registers, calls both ways", "JsSIP")[:4] == ["-", "-", "-", "failed"]
    assert of("texts", "baresip") == ["passed"]
