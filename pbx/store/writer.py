"""The one thread that waits for databases, so that nobody else does."""

import logging
import queue
import threading
from collections.abc import Callable

from pbx.errors import MisuseError

_LAST_DUTIES = 50
"""How often the duty is done at the end at most, while it says that it isn't through."""

log = logging.getLogger(__name__)


class Writer:
    """Does jobs in their order in its own thread, and a duty whenever none is left.

    Args:
        name: of the thread.
        duty: does a piece of what is due and returns after how many seconds it wants to be
            called again: 0 while there is more, None for after the next job.
    """

    def __init__(self, name: str, duty: Callable[[], float | None]) -> None:
        self._duty = duty
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name)
        self._open = False

    def start(self) -> None:
        """Begin; the duty comes first."""
        self._open = True
        self._thread.start()

    def post(self, job: Callable[[], None]) -> bool:
        """Have `job` done, from any thread; False where the writer is closed."""
        if self._open:
            self._jobs.put(job)
        return self._open

    def close(self) -> None:
        """Do what has been posted, the duty once more, and end the thread."""
        if threading.current_thread() is self._thread:
            raise MisuseError("a writer can't wait for itself")
        if self._open:
            self._open = False
            self._jobs.put(None)
            self._thread.join()

    def _run(self) -> None:
        ending = False
        while not ending:
            wait_s = self._guarded_duty()
            try:
                job = self._jobs.get(timeout=wait_s)
                while True:
                    if job is None:
                        ending = True
                    else:
                        self._guarded(job)
                    job = self._jobs.get_nowait()
            except queue.Empty:
                continue
        for _ in range(_LAST_DUTIES):
            if self._guarded_duty() != 0:
                break

    def _guarded(self, job: Callable[[], None]) -> None:
        try:
            job()
        except Exception:
            # A bug in one job must not take the thread, and with it every later record.
            log.exception("a job of the writer failed")

    def _guarded_duty(self) -> float | None:
        try:
            return self._duty()
        except Exception:
            log.exception("the writer's duty failed")
            return 1.0
