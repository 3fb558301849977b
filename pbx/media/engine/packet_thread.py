"""One packet thread as the main thread sees it: commands in, reports out, start and stop."""

import logging
import os
import select
import struct
import threading

import numpy as np

from pbx.media.engine import ring_row
from pbx.media.engine import tables as t
from pbx.media.engine.loading import Kernels
from pbx.media.engine.native_thread import settle
from pbx.media.engine.uring import Uring
from pbx.media.engine.view import describe
from pbx.media.engine.voice_tables import VoiceTables

_log = logging.getLogger(__name__)

_PRIORITY = 10
"""SCHED_FIFO: above every ordinary process, below the kernel's own threads. Not the default: a
thread that wakes at once for each packet relays it for half as much CPU again."""

_ONE = struct.pack("=Q", 1)


class PacketThread:
    """Runs `packet_loop` outside the GIL.

    Args:
        kernels: compiled.
        tables, voices: the thread's; `REPORT_FD` is there already.
        real_time: ask for SCHED_FIFO; goes on without where that's not allowed.
    """

    def __init__(
        self,
        kernels: Kernels,
        tables: t.Tables,
        voices: VoiceTables,
        *,
        real_time: bool,
    ) -> None:
        self._kernels = kernels
        self._real_time = real_time
        self._tables = tables
        self._voices = voices
        self._epoll = select.epoll()
        self._seldom = select.epoll()
        self._command_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        tables.facts[t.EPOLL_FD] = self._epoll.fileno()
        tables.facts[t.SELDOM_FD] = self._seldom.fileno()
        tables.facts[t.COMMAND_FD] = self._command_fd
        tables.facts[t.HEAR_VOICES] = kernels.hear_voices
        tables.facts[t.SERVE_VOICES] = kernels.serve_voices
        self._backlog: list[t.Words] = []
        self._error: int | None = None
        self._uring: Uring | None = None
        name = f"packets {tables.facts[t.THREAD]}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to relay."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, then give its descriptors back; the sockets stay the pool's."""
        self._kernels.publish(self._tables.stop, t.STOP, 1)
        os.write(self._command_fd, _ONE)
        self._thread.join()
        if self._uring is not None:
            self._uring.close()
        self._epoll.close()
        self._seldom.close()
        os.close(self._command_fd)
        if self._tables.facts[t.TIMER_FD] >= 0:
            os.close(int(self._tables.facts[t.TIMER_FD]))

    def failure(self) -> str | None:
        """Return why the loop has ended by itself, if it has."""
        return None if self._error is None else f"the packet loop ended: {os.strerror(self._error)}"

    @property
    def ticks(self) -> tuple[int, int]:
        """The ticks of voices so far, and how many of them were late."""
        totals = self._tables.totals
        return int(totals[t.TICKS]), int(totals[t.LATE_TICKS])

    def command(self, record: t.Words) -> None:
        """Let a record wait for the next `pump`, after those that wait already."""
        self._backlog.append(record)

    def pump(self) -> bool:
        """Move waiting records into the ring, all at once; True while some are left for want of room."""
        if not self._backlog:
            return False
        ring = self._tables.commands
        records = np.stack(self._backlog[: len(ring)])
        moved = self._kernels.ring_put(ring, self._tables.command_cursors, records)
        del self._backlog[:moved]
        if moved:
            os.write(self._command_fd, _ONE)
        return bool(self._backlog)

    def reports(self) -> list[t.Words]:
        """Return the records that have come."""
        records: list[t.Words] = []
        record = np.zeros(ring_row.WIDTH, np.int64)
        while self._kernels.ring_take(self._tables.reports, self._tables.report_cursors, record):
            records.append(record.copy())
        return records

    def _run(self) -> None:
        settle(self._thread.name)
        if self._real_time:
            try:
                os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_PRIORITY))
            except OSError as error:
                _log.warning("no real-time priority: %s", error.strerror)
        try:
            self._uring = Uring(self._tables.facts)
        except OSError as error:
            _log.debug("no io_uring, each packet is sent alone: %s", error)
        tables, voices = describe(self._tables), describe(self._voices)
        error_number = int(self._kernels.packet_loop(tables.ctypes.data, voices.ctypes.data))
        if error_number:
            self._error = error_number
            os.write(int(self._tables.facts[t.REPORT_FD]), _ONE)
