"""All packet threads as one: each command goes to the thread that has what it names.

Commands go out in their order. One that links what is in different threads holds up those behind
it until all of it is in one: the old thread is told to let go (MOVE_OUT), and when it has (MOVED),
the new one to take over (ADOPT). That takes less than a millisecond.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from pbx.media.engine import group_row, libraries, ring_row
from pbx.media.engine.loading import Kernels
from pbx.media.engine.packet_thread import PacketThread
from pbx.media.engine.placement import Member, Placement
from pbx.media.engine.sockets import Pair
from pbx.media.engine.stream_record import command_record
from pbx.media.engine.tables import REPORT_FD, Words, make_tables, tables_beside
from pbx.media.engine.voice_tables import VoiceTables, make_voice_tables, voice_tables_beside
from pbx.media.engine.writer_thread import WriterThread

MAX_THREADS = 64

_FOR_ALL = (ring_row.QUERY, ring_row.PROBE, ring_row.REARM)


@dataclass(frozen=True, slots=True)
class _Group:
    """What moves from one thread to another; kernels read `members` until it has been adopted."""

    members: Words
    target: PacketThread

    def command(self, operation: int) -> Words:
        record = command_record(operation)
        record[ring_row.FIRST] = self.members.ctypes.data
        record[ring_row.SECOND] = len(self.members)
        return record


class PacketThreads:
    """Runs packet threads over a pool of sockets.

    Args:
        kernels: compiled.
        pairs: the pool; row n of the stream table is `pairs[n]`.
        count: how many threads.
        dual_stack: the sockets are AF_INET6 ones.
        real_time: ask for SCHED_FIFO; goes on without where that's not allowed.
        functions: `libraries.Libraries.functions`; none of them is there where it's left out.
        name: the canonical name of all voices in RTCP, random (RFC 7022 §4.2).
    """

    def __init__(
        self,
        kernels: Kernels,
        pairs: list[Pair],
        count: int = 1,
        *,
        dual_stack: bool,
        real_time: bool,
        functions: Words | None = None,
        name: bytes = b"voice",
    ) -> None:
        fds = [fd for pair in pairs for fd in (pair.rtp.fileno(), pair.rtcp.fileno())]
        if functions is None:
            functions = np.zeros(libraries.WIDTH, np.int64)
        tables = make_tables(fds, dual_stack=dual_stack)
        self._joined = tables.fds[len(fds) :]
        self.voices: VoiceTables = make_voice_tables(len(pairs), functions, name)
        """Of these the main thread writes coders that no voice has yet."""

        self._kernels = kernels
        self.report_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        """Readable as soon as there are reports, or one of the loops has ended."""

        tables.facts[REPORT_FD] = self.report_fd
        self.writer = WriterThread(kernels, tables, self.voices)
        """Of what all of them record."""

        own = [(tables, self.voices)]
        for number in range(2, count + 1):
            own.append((tables_beside(tables, number), voice_tables_beside(self.voices)))
        self._threads = [PacketThread(kernels, *one, real_time=real_time) for one in own]
        self._placement = Placement(count)
        self._waiting: deque[Words] = deque()
        self._groups: dict[int, _Group] = {}
        self._leaving = 0
        self._then: Callable[[], None] | None = None
        self._counting = 0
        self._held = False

    def start(self) -> None:
        """Begin to relay."""
        self.writer.start()
        for thread in self._threads:
            thread.start()

    def stop_relaying(self) -> None:
        """End the packet threads: nothing uses the pool's sockets any more.

        Those beside them (`kernels.joining`), of streams that still ran, are closed: they hold the ports, too.
        """
        for thread in self._threads:
            thread.stop()
        for fd in self._joined[self._joined >= 0].tolist():
            os.close(fd)
        self._joined[:] = -1

    def stop_writing(self) -> None:
        """End the writer, when the packet threads have ended and the disk has taken what they left."""
        self.writer.stop()
        os.close(self.report_fd)

    def failure(self) -> str | None:
        """Return why a loop has ended by itself, if one has."""
        return next(filter(None, (thread.failure() for thread in self._threads)), None)

    @property
    def ticks(self) -> tuple[int, int]:
        """The ticks of voices so far, and how many of them were late, in all threads together."""
        ticks, late = zip(*(thread.ticks for thread in self._threads), strict=True)
        return sum(ticks), sum(late)

    def recorded(self, row: int) -> None:
        """Take note that a recording is written: its row may be another's from now on."""
        self._placement.recorded(row)

    def command(self, record: Words) -> None:
        """Hand a record to the packet threads that it is for, after those that wait already."""
        self._waiting.append(record)
        if not self._held:
            self.pump()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Have commands wait, and a thread see all of its own at once.

        No packet is passed on between them: what a call is recorded from is there for its first one.
        """
        self._held = True
        try:
            yield
        finally:
            self._held = False
            self.pump()

    def publish(self, words: Words, number: int) -> None:
        """Let the packet threads find a number in `words[0]`, and all that was written before it."""
        self._kernels.publish(words, 0, number)

    def pump(self) -> bool:
        """Send what waits; True while some is left because a ring is full."""
        while self._waiting and not self._leaving:
            self._send(self._waiting.popleft())
        full = [thread.pump() for thread in self._threads]
        return any(full)

    def reports(self) -> list[Words]:
        """Return the records that have come; to be called when `report_fd` is readable.

        A query has one COUNTED_ALL, when all threads have counted.
        """
        try:
            os.read(self.report_fd, 8)
        except BlockingIOError:
            pass
        records = [
            record
            for thread in self._threads
            for record in thread.reports()
            if not self._is_ours(record)
        ]
        self.pump()
        return records

    def _send(self, record: Words) -> None:
        operation = record[ring_row.OPERATION]
        if operation in _FOR_ALL:
            if operation != ring_row.REARM:
                self._counting = len(self._threads)
            for thread in self._threads:
                thread.command(record)
            return
        number, moves = self._placement.place(record)
        if number < 0:
            return
        target = self._threads[number]
        for source, members in moves.items():
            self._move(members, self._threads[source], target)
        if moves:
            self._then = lambda: target.command(record)
        else:
            target.command(record)

    def _move(self, members: list[Member], source: PacketThread, target: PacketThread) -> None:
        group = _Group(np.array(members, np.int64).reshape(-1, group_row.WIDTH), target)
        self._groups[group.members.ctypes.data] = group
        self._leaving += 1
        source.command(group.command(ring_row.MOVE_OUT))

    def _is_ours(self, report: Words) -> bool:
        """Take in what a report says of places; returns whether that's all it says."""
        kind = report[ring_row.KIND]
        if kind == ring_row.MOVED:
            group = self._groups[int(report[ring_row.FIRST])]
            group.target.command(group.command(ring_row.ADOPT))
            self._leaving -= 1
            if not self._leaving and self._then is not None:
                self._then()
                self._then = None
        elif kind == ring_row.ADOPTED:
            del self._groups[int(report[ring_row.FIRST])]
        elif kind == ring_row.COUNTED_ALL:
            self._counting -= 1
            return self._counting > 0
        else:
            self._placement.ended(report)
            return False
        return True
