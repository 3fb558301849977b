"""Work on many parts at once, in a process for each processor core."""

import mmap
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import count
from types import TracebackType
from typing import Protocol, Self, TypeVar

Part = TypeVar("Part")
Result = TypeVar("Result")

Stopped = Callable[[], bool]
"""Tells whether nobody waits for the result any more; half of it will do then."""

LOOK_S = 0.1
"""How often to look whether somebody waits."""

_SEARCHES = 256
"""Pieces of work that can be told from each other; those that run at once are a few."""


def never() -> bool:
    """Somebody waits to the end."""
    return False


class Spread(Protocol):
    """How the parts of some work are done."""

    def __call__(
        self,
        work: Callable[[Part, Stopped], Result],
        parts: Sequence[Part],
        stopped: Stopped = never,
    ) -> Iterator[Result]:
        """Return what `work` makes of each part, in their order; nothing more once `stopped` says so.

        Args:
            work: a function of a module, or a partial of one; it changes nothing but what it returns. It looks
                at its second argument now and then.
            parts: what can be worked on apart from each other.
        """


def here(
    work: Callable[[Part, Stopped], Result], parts: Sequence[Part], stopped: Stopped = never
) -> Iterator[Result]:
    """Do all in this process, part by part, as `Spread` says."""
    for part in parts:
        if stopped():
            return
        yield work(part, stopped)


def spread(
    work: Callable[[Part, Stopped], Result], parts: Sequence[Part], stopped: Stopped = never
) -> Iterator[Result]:
    """Do it, as `Spread` says, in processes that are started for it; not where there are threads."""
    with Workers(len(parts)) as workers:
        yield from workers.spread(work, parts, stopped)


class Workers:
    """Processes that wait for work; forked, so that they have all modules already, and take little memory.

    Who has threads may use them, but must have made them before there was one.

    Args:
        most: so many at most; otherwise one for each processor core.
    """

    def __init__(self, most: int | None = None) -> None:
        cores = len(os.sched_getaffinity(0))
        self._stops = mmap.mmap(-1, _SEARCHES)
        self._searches = count()
        self._pool: ProcessPoolExecutor | None = None
        workers = cores if most is None else min(cores, most)
        if workers > 1:
            self._pool = _pool(workers, self._stops)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the processes."""
        if self._pool is not None:
            self._stops[:] = b"\1" * _SEARCHES
            self._pool.shutdown(cancel_futures=True)

    def spread(
        self,
        work: Callable[[Part, Stopped], Result],
        parts: Sequence[Part],
        stopped: Stopped = never,
    ) -> Iterator[Result]:
        """Do it in these processes, as `Spread` says; parts and results are pickled."""
        done = 0
        if self._pool is not None and len(parts) > 1:
            search = next(self._searches) % _SEARCHES
            self._stops[search] = 0
            futures = deque[Future[Result]]()
            try:
                for part in parts:
                    futures.append(self._pool.submit(_do, work, part, search))
                while futures:
                    if not _waited_for(futures[0], stopped):
                        return
                    yield futures.popleft().result()
                    done += 1
                return
            except BrokenProcessPool:
                # There was not enough memory for so many: one takes what it needs, and no more.
                pass
            finally:
                self._stops[search] = 1
                for future in futures:
                    future.cancel()
        yield from here(work, parts[done:], stopped)


def _pool(workers: int, stops: mmap.mmap) -> ProcessPoolExecutor | None:
    """Return so many processes; None where the machine hasn't got room for them."""
    forking = multiprocessing.get_context("fork")
    before = multiprocessing.active_children()
    try:
        pool = ProcessPoolExecutor(workers, forking, _begin, (stops,))
        # What comes first has all of them forked.
        pool.submit(never)
    except OSError:
        # The pool doesn't know of those that it has: nobody would ever end them.
        for process in multiprocessing.active_children():
            if process not in before:
                process.kill()
                process.join()
        return None
    return pool


def _waited_for(future: Future[Result], stopped: Stopped) -> bool:
    """Wait for it; return False if that was given up."""
    while not stopped():
        if wait((future,), LOOK_S).done:
            return True
    return False


_stops: mmap.mmap
"""In a worker: a flag for each search."""


def _begin(stops: mmap.mmap) -> None:
    """Prepare a worker."""
    global _stops
    _stops = stops
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # All of them hold both ends of the pipe that they wait at, and would wait for ever.
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)


def _do(work: Callable[[Part, Stopped], Result], part: Part, search: int) -> Result:
    return work(part, lambda: _stops[search] != 0)
