"""A thread for what may wait: files are read and written there, one after the other."""

import os
import queue
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

_ONE = (1).to_bytes(8, "little")


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

    def submit(self, job: Callable[[], Callable[[], None]]) -> None:
        """Do `job` when those before it are done; it returns what is to be done after it."""

        def run() -> None:
            self._done.put(job())
            os.write(self.fd, _ONE)

        self._pool.submit(run)

    def finish(self) -> None:
        """Do what comes after the jobs that are done."""
        try:
            os.read(self.fd, 8)
        except BlockingIOError:
            return
        while not self._done.empty():
            self._done.get()()

    def close(self) -> None:
        """Wait for the jobs that have been given, and end the thread."""
        self._pool.shutdown()
        self.finish()
        os.close(self.fd)
