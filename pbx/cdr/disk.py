"""Writing to files behind the exchange's back: in order, again after a failure, synced in lots.

An SD card may take a second for one octet, and the exchange must not wait for it.
"""

import contextlib
import enum
import errno
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

log = logging.getLogger(__name__)

SYNC_S = 1.0
"""How much a power cut can take: what was written since the last sync."""

RETRY_S = 1.0
"""How long to wait after the disk refused (full, read-only, broken)."""


class Lane(enum.Enum):
    """Jobs of one lane are done in their order; lanes don't wait for each other's failures."""

    RECORDS = enum.auto()
    JOURNAL = enum.auto()


class DiskQueue:
    """Jobs that write, done in order; one that fails is tried again before later ones of its lane.

    Args:
        syncs: called, in this order, to put on the disk what the jobs have written.
        beat: called once in `beat_s` seconds.
    """

    def __init__(
        self, syncs: Sequence[Callable[[], None]], beat: Callable[[], None], beat_s: float
    ) -> None:
        self._lanes: dict[Lane, deque[Callable[[], None]]] = {lane: deque() for lane in Lane}
        self._syncs = syncs
        self._beat = beat
        self._beat_s = beat_s
        self._next_beat: float | None = None
        self._next_sync: float | None = None
        self._retry = 0.0
        self._failing = False

    def __len__(self) -> int:
        return sum(map(len, self._lanes.values()))

    @property
    def failing(self) -> bool:
        """Whether the disk refuses."""
        return self._failing

    def post(self, lane: Lane, job: Callable[[], None]) -> None:
        """Have `job` done."""
        self._lanes[lane].append(job)

    def step(self, now: float, *, last: bool = False) -> float:
        """Do what is due and return in how many seconds to call again at the latest.

        Args:
            now: seconds, monotonic.
            last: sync at once: the program ends.
        """
        if now < self._retry and not last:
            return self._retry - now
        try:
            self._do_due(now, last=last)
        except OSError as error:
            if not self._failing:
                log.error("call records cannot be written, they wait: %s", error)
            self._failing = True
            self._retry = now + RETRY_S
            return RETRY_S
        if self._failing:
            log.info("call records can be written again")
            self._failing = False
        due = [when for when in (self._next_sync, self._next_beat) if when is not None]
        return max(0.0, min(due) - now) if due else self._beat_s

    def _do_due(self, now: float, *, last: bool) -> None:
        failure: OSError | None = None
        if self._next_beat is None or now >= self._next_beat:
            try:
                self._beat()
            except OSError as error:
                failure = error
            else:
                self._next_beat = now + self._beat_s
                self._wanted(now)
        for jobs in self._lanes.values():
            failed: OSError | None = None
            while jobs and failed is None:
                self._wanted(now)
                failed = _do_first(jobs)
            failure = failure or failed
        # What was written before a failure is synced all the same.
        if last or (self._next_sync is not None and now >= self._next_sync):
            for sync in self._syncs:
                sync()
            self._next_sync = None
        if failure is not None:
            raise failure

    def _wanted(self, now: float) -> None:
        """Have a sync soon."""
        if self._next_sync is None:
            self._next_sync = now + SYNC_S


def _do_first(jobs: deque[Callable[[], None]]) -> OSError | None:
    try:
        jobs[0]()
    except OSError as error:
        return error
    except Exception:
        # A bug with one record must not keep all later ones waiting for ever.
        log.exception("a call record could not be written")
    jobs.popleft()
    return None


class DiskThread:
    """Runs a `DiskQueue` in a thread of its own."""

    def __init__(self, queue: DiskQueue) -> None:
        self._queue = queue
        self._news = threading.Condition()
        self._new = False
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="cdr")

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def post(self, lane: Lane, job: Callable[[], None]) -> None:
        """Have `job` done; from any thread, this one too."""
        with self._news:
            self._queue.post(lane, job)
            self._new = True
            self._news.notify()

    def close(self) -> None:
        """Do and sync what was posted, once more if the disk failed, and end the thread."""
        with self._news:
            self._closing = True
            self._news.notify()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        wait_s = 0.0
        while True:
            with self._news:
                if not self._new and not self._closing:
                    self._news.wait(wait_s)
                closing, self._new = self._closing, False
            wait_s = self._queue.step(time.monotonic(), last=closing)
            if closing:
                break
        if self._queue:
            log.error("%d writes of call records are left undone", len(self._queue))


def append_whole(path: Path, data: bytes, *, head: bytes = b"") -> int:
    """Append `data` by one write, all of it or nothing, and return where it ends.

    Args:
        head: what the file begins with, where it is new.

    Raises:
        OSError: nothing was appended.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        if size == 0:
            data = head + data
        elif os.pread(descriptor, 1, size - 1) != b"\n":
            # an editor saved the file without the last line's end
            data = b"\r\n" + data
        written = os.write(descriptor, data)
        if written < len(data):
            os.ftruncate(descriptor, size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return size + written
    finally:
        os.close(descriptor)


def sync_file(path: Path) -> None:
    """Put the file, or a folder's list of names, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: Path, data: bytes) -> None:
    """Make `data` the whole of the file, in one step that a power cut can't halve."""
    fresh = path.with_name(path.name + ".new")
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    append_whole(fresh, data)
    sync_file(fresh)
    fresh.replace(path)
    sync_file(path.parent)
