"""A program in tmux, a terminal that we did not write: what a person sees of it, cell by cell."""

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from rich.cells import cell_len

from tests.interop.program import find
from tests.interop.waiting import until

WITHIN_S = 60.0

_CONF = """\
set -g status off
set -g remain-on-exit on
"""

_SGR = re.compile(r"\x1b\[([0-9;:]*)m")


class Tmux:
    """A terminal of its own with one program in it.

    Args:
        command: a Python module and its arguments.
        size: columns and lines.
        env: beside the few variables that every login has.
    """

    def __init__(self, *command: str, size: tuple[int, int], env: Mapping[str, str]) -> None:
        # A Unix socket's path has 107 octets at most
        self._folder = Path(tempfile.mkdtemp(prefix="tmux"))
        (self._folder / "conf").write_text(_CONF)
        kept = {"PATH": os.environ["PATH"], "HOME": str(self._folder), "TERM": "screen-256color"}
        given = [f"{name}={value}" for name, value in {**kept, **env}.items()]
        line = shlex.join(["env", "-i", *given, sys.executable, "-m", *command])
        columns, lines = map(str, size)
        self._tmux("new-session", "-d", "-x", columns, "-y", lines, line)

    def _tmux(self, *arguments: str) -> str:
        server = [
            find("tmux"),
            "-u",
            "-S",
            str(self._folder / "s"),
            "-f",
            str(self._folder / "conf"),
        ]
        env = {**os.environ, "LC_ALL": "C.UTF-8"}
        answer = subprocess.run(
            [*server, *arguments], env=env, check=True, capture_output=True, timeout=WITHIN_S
        )
        return answer.stdout.decode()

    @property
    def lines(self) -> list[str]:
        """What is on the screen."""
        return self._tmux("capture-pane", "-p").splitlines()

    @property
    def text(self) -> str:
        """The same as one text."""
        return "\n".join(self.lines)

    @property
    def scrolled(self) -> str:
        """What is on the screen, below what has left it at the top."""
        return self._tmux("capture-pane", "-p", "-S", "-")

    def wait_end(self) -> None:
        """Wait until the program has ended; tmux 3.3 says so on the screen most times, not always."""
        until(
            "the program ends",
            lambda: self._tmux("display-message", "-p", "#{pane_dead}").strip() == "1",
            WITHIN_S,
            why_not=lambda: self.text,
        )

    @property
    def styles(self) -> list[tuple[str, frozenset[int]]]:
        """The pieces of the screen that look alike, with their SGR attributes (ECMA-48 8.3.117)."""
        pieces, attributes = [], frozenset[int]()
        parts = _SGR.split(self._tmux("capture-pane", "-p", "-e"))
        for place, part in enumerate(parts):
            if place % 2 == 0:
                pieces.append((part, attributes))
            else:
                codes = [int(code or 0) for code in re.split("[;:]", part)]
                attributes = frozenset() if codes == [0] else attributes | {*codes} - {0}
        return [(text, attributes) for text, attributes in pieces if text]

    def keys(self, *names: str) -> None:
        """Press keys, by tmux's names for them (``Enter``, ``Escape``, ``C-s`` ... or themselves)."""
        self._tmux("send-keys", *names)

    def resize(self, size: tuple[int, int]) -> None:
        """Give the window another size while the program runs; it is told by SIGWINCH."""
        columns, lines = map(str, size)
        self._tmux("resize-window", "-x", columns, "-y", lines)

    def until(self, seen: str | Callable[[str], bool]) -> str:
        """Wait until a text is on the screen, or until a screen is as wanted; return it."""
        shown = ""

        def look() -> str | None:
            nonlocal shown
            shown = self.text
            return shown if (seen in shown if isinstance(seen, str) else seen(shown)) else None

        return until(f"{seen!r} on the screen", look, WITHIN_S, why_not=lambda: shown)

    def close(self) -> None:
        """End it."""
        # It may have gone with its program.
        with contextlib.suppress(subprocess.CalledProcessError):
            self._tmux("kill-server")
        shutil.rmtree(self._folder, ignore_errors=True)


def cells(line: str) -> list[str]:
    """Return what stands in each column; a double-width sign is followed by an empty one."""
    return [cell for sign in line for cell in (sign, "")[: max(1, cell_len(sign))]]


def frames(lines: list[str]) -> list[tuple[int, int, int, int]]:
    """Return left, top, right and bottom of each heavy frame.

    Raises:
        ValueError: one of them is not whole.
    """
    rows = [cells(line) for line in lines]
    return [
        _frame(rows, left, top)
        for top, row in enumerate(rows)
        for left, sign in enumerate(row)
        if sign == "┏"
    ]


def _frame(rows: list[list[str]], left: int, top: int) -> tuple[int, int, int, int]:
    right = rows[top].index("┓", left)
    for bottom in range(top + 1, len(rows)):
        row = rows[bottom]
        ends = [row[column] if column < len(row) else " " for column in (left, right)]
        if ends == ["┗", "┛"]:
            return left, top, right, bottom
        if ends != ["┃", "┃"]:
            break
    raise ValueError(f"the frame at {left}, {top} is not whole")
