"""The end of processes that are no children of ours: the engine that the last exchange has started."""

import asyncio
import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path


def with_keeper(pid: int) -> tuple[int, ...]:
    """Return a running engine's process, and that of its keeper, whose child it is."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return ()
    # proc_pid_stat(5): the name may hold anything, a parenthesis too; behind it state and parent
    parent = int(status.rpartition(")")[2].split()[1])
    return (pid, parent) if parent > 1 else (pid,)


@contextlib.contextmanager
def held(pids: Iterable[int]) -> Iterator[list[int]]:
    """Give a descriptor for each process (pidfd_open(2)), which is never another's.

    Args:
        pids: those that have ended already are left out.
    """
    with contextlib.ExitStack() as stack:
        found = []
        for pid in pids:
            with contextlib.suppress(OSError):
                found.append(os.pidfd_open(pid))
                stack.callback(os.close, found[-1])
        yield found


async def ended(process: int) -> None:
    """Wait until the process behind a descriptor has ended."""
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    loop.add_reader(process, over.set)
    try:
        await over.wait()
    finally:
        loop.remove_reader(process)
