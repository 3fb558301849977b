"""Work on many parts at once, in a process for each processor core."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

Part = TypeVar("Part")
Result = TypeVar("Result")


def spread(work: Callable[[Part], Result], parts: Sequence[Part]) -> Iterator[Result]:
    """Return what `work` makes of each part, in their order.

    Args:
        work: a function of a module, or a partial of one; it changes nothing here.
        parts: what can be worked on apart from each other. Parts and results are pickled.
    """
    workers = min(len(os.sched_getaffinity(0)), len(parts))
    done = 0
    if workers > 1:
        # A fork has all modules already; who has no threads yet may fork.
        forking = multiprocessing.get_context("fork")
        pool = ProcessPoolExecutor(workers, forking, signal.signal, (signal.SIGINT, signal.SIG_DFL))
        try:
            for result in pool.map(work, parts):
                yield result
                done += 1
            return
        except BrokenProcessPool:
            # There was not enough memory for so many: one takes what it needs, and no more.
            pass
        finally:
            pool.shutdown(cancel_futures=True)
    yield from map(work, parts[done:])
