"""How busy processes are beside their CPU time, as /proc tells: wake-ups, memory, lost packets."""

import contextlib
from collections.abc import Iterable
from pathlib import Path

_INODE, _DROPS = 9, 12
"""Columns of /proc/net/udp (proc(5))."""


def switches(pids: Iterable[int]) -> int:
    """Return how often the threads of processes have slept and been woken so far."""
    return sum(
        _number(status, "voluntary_ctxt_switches:")
        for pid in pids
        for status in Path(f"/proc/{pid}/task").glob("*/status")
    )


def packet_threads(pid: int) -> list[int]:
    """Return the threads of a process that move packets, by their names."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(one.name) for one in tasks if (one / "comm").read_text().startswith("packets")]


def pss_kib(pids: Iterable[int]) -> int:
    """Return the memory of processes in KiB, what they share with others in proportion (PSS)."""
    return sum(_number(Path(f"/proc/{pid}/smaps_rollup"), "Pss:") for pid in pids)


def descriptors(pids: Iterable[int]) -> int:
    """Return how many descriptors processes have open."""
    return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in pids)


def drops(pids: Iterable[int]) -> int:
    """Return how many packets the kernel has thrown away at UDP sockets that processes have open.

    They came, and nobody knows of them: the queue was full when they did.
    """
    inodes: set[str] = set()
    lines: dict[str, int] = {}
    for pid in pids:
        for one in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):  # closed meanwhile
                kind, _, rest = str(one.readlink()).partition(":")
                if kind == "socket":
                    inodes.add(rest.strip("[]"))
        for family in ("udp", "udp6"):
            with contextlib.suppress(OSError):  # a kernel without IPv6
                for line in Path(f"/proc/{pid}/net/{family}").read_text().splitlines()[1:]:
                    words = line.split()
                    lines[words[_INODE]] = int(words[_DROPS])
    return sum(lines.get(inode, 0) for inode in inodes)


def _number(file: Path, name: str) -> int:
    """Return the number behind `name`; 0 where the thread or process has just ended."""
    with contextlib.suppress(OSError):
        for line in file.read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1])
    return 0
