"""The terminal that the program was started on, before and after the full-screen console."""

import os
import sys
import termios

LEAST_COLUMNS = 60
LEAST_LINES = 16

UNKNOWN_SIZE = (80, 24)
"""What a terminal has that doesn't say: a serial line knows no size."""

BARE_TERMINALS = frozenset({"", "dumb", "unknown"})

PLAIN_SCREEN = (
    "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l"  # no mouse
    "\x1b[?1004l\x1b[?2004l\x1b[<u"  # no focus reports, no bracketed paste, keys as ever
    "\x1b[?1049l\x1b[?25h\x1b[0m"  # the normal screen, with a cursor
)
"""Undoes what a full-screen program had set when it died."""

Attributes = list[int | list[bytes | int]]


def is_terminal() -> bool:
    """Tell whether a person sits at both ends: keys come from a terminal, and the output goes there."""
    return all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))


def can_show_full_screen() -> bool:
    """Tell whether the terminal can do more than print lines, and is large enough."""
    if not is_terminal() or os.environ.get("TERM", "") in BARE_TERMINALS:
        return False
    size = os.get_terminal_size(sys.stdout.fileno())
    columns, lines = size if size.columns and size.lines else UNKNOWN_SIZE
    return columns >= LEAST_COLUMNS and lines >= LEAST_LINES


def attributes() -> Attributes:
    """Return how the terminal treats keys now."""
    return termios.tcgetattr(sys.stdin.fileno())


def restore_attributes(before: Attributes) -> None:
    """Have the terminal treat keys as `before`."""
    termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, before)


def restore(before: Attributes) -> None:
    """Bring the terminal back to a plain screen whose keys are treated as `before`."""
    restore_attributes(before)
    sys.stdout.write(PLAIN_SCREEN)
    sys.stdout.flush()
