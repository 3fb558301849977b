"""A thread for what may wait: files are read and written there, one after the other."""

import logging
import os
import queue
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

_log = logging.getLogger(__name__)

_ONE = (1).to_bytes(8, "little")

Job = Callable[[], Callable[[], None]]
"""What is done in the thread; it returns what is to be done after it."""


class Background:
    """Does jobs in their order; what comes after each is done by the thread that calls `finish`.

    Args:
        name: of the thread.
    """

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._done: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self.fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        """Readable while something is finished."""

    def submit(self, job: Job, failed: Callable[[str], None]) -> None:
        """Do a job when those before it are done.

        Args:
            job: what it returns is done by `finish`.
            failed: done by `finish` in its place where `job` raises: a fault of ours, or no memory.
        """

        def run() -> None:
            try:
                after = job()
            except Exception as error:
                _log.exception("a job in the background has failed")
                after = partial(failed, str(error) or type(error).__name__)
            self.hand_over(after)

        self._pool.submit(run)

    def hand_over(self, after: Callable[[], None]) -> None:
        """Have something done by `finish`; any thread may, until `close`."""
        self._done.put(after)
        os.write(self.fd, _ONE)

    def finish(self) -> None:
        """Do what comes after the jobs that are done."""
        try:
            os.read(self.fd, 8)
        except BlockingIOError:
            return
        while not self._done.empty():
            self._done.get()()

    def end(self) -> None:
        """Wait for the job that is being done and for all that have been given, and end the thread."""
        self._pool.shutdown()

    def close(self) -> None:
        """End the thread, too, if it hasn't ended; what would come after its jobs is left out."""
        self.end()
        os.close(self.fd)
