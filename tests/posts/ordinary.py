"""The exchange as an ordinary user's process, and what is left of a process and its children."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

AS_ORDINARY_USER = (
    # Our own files stay ours: Python and environment may lie where root alone can look.
    ("unshare", "--user", "--map-user=1000", "--map-group=1000") if os.geteuid() == 0 else ()
)
"""What becomes a program without any of root's rights (user_namespaces(7))."""


def capabilities(pid: int) -> int:
    """Return a process's rights beyond those of every user, as a set of bits; 0: none."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1], 16) for line in status.splitlines() if "CapEff" in line)


def terminal(pid: int) -> int:
    """Return the number of a process's controlling terminal; 0: it has none."""
    return int(_stat(pid)[4])


def parent(pid: int) -> int:
    """Return a process's parent."""
    return int(_stat(pid)[1])


def family(pid: int) -> set[int]:
    """Return a process, its children, their children and so on."""
    return {pid, *_descendants(pid)}


def gone(pids: set[int]) -> bool:
    """Whether none of these processes runs any more."""
    return not any(map(_runs, pids))


def kill(pids: set[int]) -> None:
    """End what is left of these processes."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _runs(pid: int) -> bool:
    try:
        return _stat(pid)[0] != "Z"
    except OSError:  # nobody has this number, or not any more
        return False


def _descendants(pid: int) -> Iterator[int]:
    for child in _children(pid):
        yield from family(child)


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):  # it has ended meanwhile
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):  # the thread has
                found += map(int, (task / "children").read_text().split())
    return found


def _stat(pid: int) -> list[str]:
    # proc(5): the second field, the name, may have blanks in it
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
