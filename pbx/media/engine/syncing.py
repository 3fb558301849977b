"""Recordings brought from the page cache to the disk: a power cut costs their last seconds only.

Left to itself, Linux keeps what is written for half a minute in memory; and ext4 gives a new file its
length only then, so that a power cut would leave files of no octets at all.
"""

import logging
import os
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress

_log = logging.getLogger(__name__)

EVERY_S = 5.0
"""How often: each time costs a flash card the file's first block and its place in the journal."""

_END = -1


class DiskSync:
    """A thread that waits for the disk, so that nobody else has to.

    A disk that is slow is asked less often, as one file comes after the other.

    Args:
        sync: fdatasync(2).
        every_s: how often each file is brought there while it grows.
    """

    def __init__(
        self, sync: Callable[[int], None] = os.fdatasync, every_s: float = EVERY_S
    ) -> None:
        self._sync = sync
        self._every_s = every_s
        self._files: dict[int, int] = {}
        self._news: queue.SimpleQueue[tuple[int, int]] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="disk-sync", daemon=True)
        self._thread.start()

    def begin(self, name: int, fd: int) -> None:
        """Bring a new file to the disk, now and from now on.

        Args:
            name: another than that of any file that hasn't ended.
            fd: of the file; the caller may close it whenever it likes.
        """
        with suppress(OSError):  # no descriptor is left: the recording itself matters more
            self._news.put((name, os.dup(fd)))

    def end(self, name: int) -> None:
        """Bring a file there for the last time: all of it is written."""
        self._news.put((name, _END))

    def close(self) -> None:
        """Do what has been asked for, and end the thread."""
        self._news.put((0, _END))
        self._thread.join()

    def _run(self) -> None:
        due = 0.0
        while True:
            wait_s = max(due - time.monotonic(), 0.0) if self._files else None
            try:
                name, fd = self._news.get(timeout=wait_s)
            except queue.Empty:
                for fd in self._files.values():
                    self._bring(fd)
                due = time.monotonic() + self._every_s
                continue
            if fd != _END:
                due = due if self._files else time.monotonic() + self._every_s
                self._files[name] = fd
                self._bring(fd)
            elif name in self._files:
                fd = self._files.pop(name)
                self._bring(fd)
                os.close(fd)
            elif not name:
                break
        for fd in self._files.values():
            self._bring(fd)
            os.close(fd)

    def _bring(self, fd: int) -> None:
        try:
            self._sync(fd)
        except OSError as error:
            _log.warning("a recording doesn't get to the disk: %s", error)
