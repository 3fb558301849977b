"""The packet thread as the main thread sees it: commands in, reports out, start and stop."""

import logging
import os
import select
import struct
import threading
from collections import deque

import numpy as np

from pbx.media.engine import libraries, ring_row
from pbx.media.engine import tables as t
from pbx.media.engine.loading import Kernels
from pbx.media.engine.native_thread import settle
from pbx.media.engine.sockets import Pair
from pbx.media.engine.view import describe
from pbx.media.engine.voice_tables import VoiceTables, make_voice_tables
from pbx.media.engine.writer_thread import WriterThread

_log = logging.getLogger(__name__)

_PRIORITY = 10
"""SCHED_FIFO: above every ordinary process, below the kernel's own threads. Not the default: a
thread that wakes at once for each packet relays it for half as much CPU again."""

_ONE = struct.pack("=Q", 1)


class PacketThread:
    """Runs `packet_loop` over a pool of sockets, outside the GIL.

    Args:
        kernels: compiled.
        pairs: the pool; row n of the stream table is `pairs[n]`.
        dual_stack: the sockets are AF_INET6 ones.
        real_time: ask for SCHED_FIFO; goes on without where that's not allowed.
        functions: `libraries.Libraries.functions`; none of them is there where it's left out.
        name: the canonical name of all voices in RTCP, random (RFC 7022 §4.2).
    """

    def __init__(
        self,
        kernels: Kernels,
        pairs: list[Pair],
        *,
        dual_stack: bool,
        real_time: bool,
        functions: t.Words | None = None,
        name: bytes = b"voice",
    ) -> None:
        self._kernels = kernels
        self._real_time = real_time
        fds = [fd for pair in pairs for fd in (pair.rtp.fileno(), pair.rtcp.fileno())]
        self._tables = t.make_tables(fds, dual_stack=dual_stack)
        if functions is None:
            functions = np.zeros(libraries.WIDTH, np.int64)
        self.voices: VoiceTables = make_voice_tables(len(pairs), functions, name)
        """Of these the main thread writes coders that no voice has yet."""

        self._epoll = select.epoll()
        self._command_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.report_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._tables.facts[t.EPOLL_FD] = self._epoll.fileno()
        self._tables.facts[t.COMMAND_FD] = self._command_fd
        self._tables.facts[t.REPORT_FD] = self.report_fd
        self._tables.facts[t.HEAR_VOICES] = kernels.hear_voices
        self._tables.facts[t.SERVE_VOICES] = kernels.serve_voices
        self.writer = WriterThread(kernels, self._tables, self.voices)
        """Of what this thread records."""

        self._backlog: deque[t.Words] = deque()
        self._error: int | None = None
        self._thread = threading.Thread(target=self._run, name="packets", daemon=True)

    def start(self) -> None:
        """Begin to relay."""
        self.writer.start()
        self._thread.start()

    def stop(self) -> None:
        """End the thread, then give its descriptors back; the sockets stay the pool's."""
        self._kernels.publish(self._tables.stop, t.STOP, 1)
        os.write(self._command_fd, _ONE)
        self._thread.join()
        self.writer.stop()
        self._epoll.close()
        os.close(self._command_fd)
        os.close(self.report_fd)
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
        """Hand a record to the packet thread, after those that wait already."""
        self._backlog.append(record)
        self.pump()

    def pump(self) -> bool:
        """Move waiting records into the ring; True while some are left for want of room."""
        moved = False
        while self._backlog and self._kernels.ring_put(
            self._tables.commands, self._tables.command_cursors, self._backlog[0]
        ):
            self._backlog.popleft()
            moved = True
        if moved:
            os.write(self._command_fd, _ONE)
        return bool(self._backlog)

    def reports(self) -> list[t.Words]:
        """Return the records that have come; to be called when `report_fd` is readable."""
        try:
            os.read(self.report_fd, 8)
        except BlockingIOError:
            pass
        records: list[t.Words] = []
        record = np.zeros(ring_row.WIDTH, np.int64)
        while self._kernels.ring_take(self._tables.reports, self._tables.report_cursors, record):
            records.append(record.copy())
        return records

    def _run(self) -> None:
        settle("packets")
        if self._real_time:
            try:
                os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_PRIORITY))
            except OSError as error:
                _log.warning("no real-time priority: %s", error.strerror)
        tables, voices = describe(self._tables), describe(self.voices)
        error_number = int(self._kernels.packet_loop(tables.ctypes.data, voices.ctypes.data))
        if error_number:
            self._error = error_number
            os.write(self.report_fd, _ONE)
