"""Compiles entry kernels in processes of their own, on all cores at once, into one cache.

Each group has a process that is forked from this one before anything has been compiled: so its files
are the same bytes however many run at a time, and the memory that compiling takes is given back.
"""

import logging
import multiprocessing
import os
from collections import deque
from collections.abc import Sequence
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, NamedTuple

from numba.core.registry import cpu_target

from pbx.media.engine.keeper import die_with
from pbx.media.engine.lean import compile_leanly

_log = logging.getLogger(__name__)
_target: Any = cpu_target

_OCTETS = 300 << 20
"""Of memory that each process may need."""


class Entry(NamedTuple):
    """A function to compile.

    Args:
        function: its dispatcher.
        signature: the types of its arguments.
    """

    function: Any
    signature: tuple[Any, ...]


def compile_apart(groups: Sequence[Sequence[Entry]]) -> bool:
    """Compile entries into their cache; returns whether all of them could be.

    Args:
        groups: what is compiled by one process, the longest work first.
    """
    # What each of them would begin with.
    _target.typing_context.refresh()
    _target.target_context.refresh()
    # Not the default of all Pythons: what is forked has numba and the kernels loaded.
    context = multiprocessing.get_context("fork")
    most = min(len(os.sched_getaffinity(0)), max(_available() // _OCTETS, 1))
    groups_left = deque(groups)
    running: dict[Any, Any] = {}
    failed = False
    while groups_left or running:
        while groups_left and len(running) < most:
            work = context.Process(target=_compile, args=(groups_left.popleft(), os.getpid()))
            work.start()
            running[work.sentinel] = work
        for sentinel in wait(running):
            work = running.pop(sentinel)
            work.join()
            failed |= work.exitcode != 0
    return not failed


def _compile(entries: Sequence[Entry], parent: int) -> None:
    die_with(parent)
    compile_leanly()
    try:
        for entry in entries:
            entry.function.compile(entry.signature)
    except Exception as error:
        _log.error("a media kernel cannot be compiled: %s", error)
        raise SystemExit(1) from None


def _available() -> int:
    """Return how many octets of memory programs can still have."""
    for line in Path("/proc/meminfo").read_text("ascii").splitlines():
        name, _, rest = line.partition(":")
        if name == "MemAvailable":
            return int(rest.split()[0]) << 10
    return 0
