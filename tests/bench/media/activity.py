"""How busy processes are beside their CPU time, as /proc tells: wake-ups and memory."""

import contextlib
from collections.abc import Iterable
from pathlib import Path


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


def _number(file: Path, name: str) -> int:
    """Return the number behind `name`; 0 where the thread or process has just ended."""
    with contextlib.suppress(OSError):
        for line in file.read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1])
    return 0
