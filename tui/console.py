"""`minisip-console`: the login shell of user ``console``.

It shows the full-screen console, starts it again when it crashes, and falls back to a plain menu.
It runs no commands, and nothing that it shows leads to a shell.
"""

import os
import subprocess
import sys
import syslog
import termios
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from tui import terminal
from tui.locale import say

CRASHES = 3
WITHIN_S = 60.0
"""So many crashes in so short a time, and the plain menu takes over."""

PAUSE_S = 2.0
"""Between a crash and the next start, so that a console that can't start costs little."""

KEPT = frozenset(
    [
        "COLORTERM",
        "HOME",
        "LANG",
        "LANGUAGE",
        "LOGNAME",
        "MINISIP_DATA",
        "MINISIP_SOCKET",
        "NO_COLOR",
        "PATH",
        "TERM",
        "TZ",
        "USER",
    ]
)
"""What the console gets of the environment, beside ``LC_…``: nothing that makes it do anything else."""

LOCAL_FLAGS = 3
"""The place of `c_lflag` in termios' attributes."""

EX_FAILED = 1
EX_USAGE = 2
EX_SOFTWARE = 70


def main() -> None:
    """Be the login shell, and exit."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Show the console until the user leaves it, and return the exit code.

    Args:
        arguments: what the shell was called with: ``-c COMMAND`` from ssh, scp and their like.
    """
    if arguments:
        return _refuse("shell-no-commands", EX_USAGE)
    if not terminal.is_terminal():
        return _refuse("shell-no-terminal", EX_FAILED)
    before = terminal.attributes()
    try:
        # Ctrl-Z, Ctrl-C and Ctrl-\ are keys like others: nobody stops this program to get behind it.
        _without_signals()
        return 0 if keep_showing(_show) else _menu()
    except Exception as error:
        syslog.syslog(syslog.LOG_ERR, traceback.format_exc())
        sys.stderr.write(f"minisip: {say('unexpected', why=repr(error))}\n")
        return EX_SOFTWARE
    finally:
        terminal.restore_attributes(before)


def keep_showing(
    show: Callable[[], int],
    *,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> bool:
    """Show the console until the user leaves it; False where it can't be shown.

    Args:
        show: runs the console, and returns its exit code; another than 0 is a crash, a negative
            one the signal that killed it.
        clock: monotonic seconds.
        pause: waits so many seconds.
    """
    crashes: deque[float] = deque(maxlen=CRASHES)
    while terminal.can_show_full_screen():
        before = terminal.attributes()
        code = show()
        if code == 0:
            return True
        if code < 0:
            # It could not tidy up after itself.
            terminal.restore(before)
        sys.stdout.write(f"{say('shell-crashed')}\n")
        sys.stdout.flush()
        crashes.append(clock())
        if len(crashes) == CRASHES and crashes[-1] - crashes[0] < WITHIN_S:
            return False
        pause(PAUSE_S)
    return False


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """Return what the console gets of the environment that the login brought along."""
    return {name: value for name, value in given.items() if name in KEPT or name.startswith("LC_")}


def _show() -> int:
    # -I: neither the home folder nor the environment says which code is run.
    command = [sys.executable, "-I", "-m", "tui.cli"]
    return subprocess.call(command, env=environment(os.environ))


def _menu() -> int:
    from tui.menu import run_menu
    from tui.places import socket_path

    run_menu(socket_path(None))
    return 0


def _refuse(key: str, code: int) -> int:
    sys.stderr.write(f"{say(key)}\n")
    return code


def _without_signals() -> None:
    attributes = terminal.attributes()
    flags = attributes[LOCAL_FLAGS]
    assert isinstance(flags, int)
    attributes[LOCAL_FLAGS] = flags & ~termios.ISIG
    terminal.restore_attributes(attributes)


if __name__ == "__main__":
    main()
