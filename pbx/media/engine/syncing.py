"""Recordings brought from the page cache to the disk: a power cut costs their last seconds only.

Left to itself, Linux keeps what is written for half a minute in memory; and ext4 gives a new file its
length only then, so that a power cut would leave files of no octets at all.
"""

import ctypes
import logging
import os
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

_log = logging.getLogger(__name__)

EVERY_S = 5.0
"""How often: each time costs a flash card the files' first blocks and their places in the journal."""


def sync_file_system(fd: int) -> None:
    """Bring all that is written to a file's file system to the disk: syncfs(2).

    Raises:
        OSError: the disk hasn't taken something since the file was opened, of this file or of another.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syncfs(fd) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


@dataclass(slots=True)
class _File:
    """A file that is being written.

    Args:
        fd: ours of it.
        device: the file system that it is in.
        failed: told of why the disk hasn't taken it, once: the system says so only once, too, and takes
            what comes after as if nothing were missing.
    """

    fd: int
    device: int
    failed: Callable[[str], None] | None


class DiskSync:
    """A thread that waits for the disk, so that nobody else has to.

    Files that grow are brought there together: one by one, each would have a commit of the journal of its
    own. A disk that is slow is asked less often.

    Args:
        sync: fdatasync(2).
        sync_all: `sync_file_system`.
        every_s: how often each file is brought there while it grows.
    """

    def __init__(
        self,
        sync: Callable[[int], None] = os.fdatasync,
        sync_all: Callable[[int], None] = sync_file_system,
        every_s: float = EVERY_S,
    ) -> None:
        self._sync = sync
        self._sync_all = sync_all
        self._every_s = every_s
        self._files: dict[int, _File] = {}
        self._news: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._due = 0.0
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="disk-sync", daemon=True)
        self._thread.start()

    def begin(self, name: int, fd: int, failed: Callable[[str], None]) -> None:
        """Bring a new file to the disk, now and from now on.

        Args:
            name: another than that of any file that hasn't ended.
            fd: of the file; the caller may close it whenever it likes.
            failed: called by the thread, once at the most: the disk hasn't taken what is in the file, for
                this reason.
        """
        with suppress(OSError):  # no descriptor is left: the recording itself matters more
            file = _File(os.dup(fd), os.fstat(fd).st_dev, failed)
            self._news.put(lambda: self._begin(name, file))

    def end(self, name: int, ended: Callable[[], None]) -> None:
        """Bring a file there for the last time: all of it is written.

        Args:
            name: of the file; there may be none.
            ended: called by the thread after that, and after `failed`.
        """
        self._news.put(lambda: self._end(name, ended))

    def close(self) -> None:
        """Do what has been asked for, and end the thread."""
        self._news.put(self._close)
        self._thread.join()

    def _run(self) -> None:
        while not self._closing:
            wait_s = max(self._due - time.monotonic(), 0.0) if self._files else None
            try:
                news = self._news.get(timeout=wait_s)
            except queue.Empty:
                self._bring_all()
                self._due = time.monotonic() + self._every_s
            else:
                news()

    def _begin(self, name: int, file: _File) -> None:
        if not self._files:
            self._due = time.monotonic() + self._every_s
        self._files[name] = file
        self._bring(file)

    def _end(self, name: int, ended: Callable[[], None]) -> None:
        file = self._files.pop(name, None)
        if file is not None:
            self._bring(file)
            with suppress(OSError):  # a network's disk that has gone says so here once more
                os.close(file.fd)
        ended()

    def _close(self) -> None:
        for name in list(self._files):
            self._end(name, lambda: None)
        self._closing = True

    def _bring_all(self) -> None:
        for first in {file.device: file for file in self._files.values()}.values():
            try:
                self._sync_all(first.fd)
            except OSError:
                # Whose it is, each file knows of itself.
                for file in self._files.values():
                    if file.device == first.device:
                        self._bring(file)

    def _bring(self, file: _File) -> None:
        try:
            self._sync(file.fd)
        except OSError as error:
            failed, file.failed = file.failed, None
            if failed is not None:
                why = error.strerror or str(error)
                _log.warning("a recording doesn't get to the disk: %s", why)
                failed(why)
