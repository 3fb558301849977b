"""The engine's main thread: it takes commands, passes reports on, and watches its own life.

It never touches a packet. While the exchange is away the packet threads go on relaying, until
the exchange comes back or the grace time has run out.
"""

import logging
import os
import select
import time
from collections import deque
from dataclasses import dataclass, field

from pbx.media.engine import ring_row
from pbx.media.engine.control_socket import ControlListener, ExchangeLink
from pbx.media.engine.libraries import Libraries, load_libraries
from pbx.media.engine.packet_threads import PacketThreads
from pbx.media.engine.sockets import Pair
from pbx.media.engine.sound import Sound, SoundCommand
from pbx.media.engine.srtp import SrtpError, suites
from pbx.media.engine.srtp_sessions import SrtpSessions
from pbx.media.engine.stream_record import (
    ImpossibleError,
    SilentPortError,
    command_record,
    counts_of,
    secure,
    set_record,
    source_of,
)
from pbx.media.engine.tables import Words
from pbx.media.protocol import (
    VERSION,
    Counts,
    Hello,
    Latched,
    Prepare,
    Query,
    Ready,
    Refused,
    Release,
    Released,
    Report,
    Stream,
    StreamCounts,
    Timeout,
    VoiceCounts,
)

_log = logging.getLogger(__name__)

_BACKLOG_MS = 5
"""How soon commands that found the ring full are tried again."""

_END_S = 2.0
"""How long the end of recordings may take."""

MAX_GRACE_S = 86_400.0


@dataclass(slots=True)
class Engine:
    """One engine; `run` is its whole life.

    Args:
        pairs: the port pool, bound.
        packets: the packet threads over it, not yet started.
        listener: where the exchange connects.
        stop_fd: readable as soon as a signal asks for the end.
        ipv6: whether the pool's sockets are dual-stack ones.
        grace_s: how long to live without an exchange, until its Hello says otherwise.
        libraries: those that `packets` has the functions of.
    """

    pairs: list[Pair]
    packets: PacketThreads
    listener: ControlListener
    stop_fd: int
    ipv6: bool
    grace_s: float
    libraries: Libraries = field(default_factory=load_libraries)
    _sound: Sound = field(init=False)
    _sessions: SrtpSessions = field(init=False)
    _rows: dict[int, int] = field(init=False)
    _running: set[int] = field(default_factory=set, init=False)
    _prepared: set[int] = field(default_factory=set, init=False)
    _counted: list[StreamCounts] = field(default_factory=list, init=False)
    _counted_voices: list[VoiceCounts] = field(default_factory=list, init=False)
    _queries: deque[Query] = field(default_factory=deque, init=False)
    _counting_for: ExchangeLink | None = field(default=None, init=False)
    _counting_streams: bool = field(default=False, init=False)
    _link: ExchangeLink | None = field(default=None, init=False)
    _alone_since: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self._rows = {pair.port: row for row, pair in enumerate(self.pairs)}
        self._sound = Sound(self.packets, self.libraries, self._report)
        self._sessions = SrtpSessions(self.libraries)

    def run(self) -> str | None:
        """Serve until the end; returns None, or in words what has failed."""
        self.packets.start()
        self._alone_since = time.monotonic()
        try:
            while True:
                ready = self._wait()
                if self.stop_fd in ready:
                    os.read(self.stop_fd, 64)
                    _log.info("stopped by a signal")
                    return None
                if failure := self.packets.failure():
                    return failure
                self._serve(ready)
                if self._link is None and self._left_s() <= 0:
                    _log.info("no exchange for %g s: the end", self.grace_s)
                    return None
        finally:
            self._disconnect("the engine ends")
            self.listener.close()
            self._end_recordings()
            self.packets.stop_relaying()
            for pair in self.pairs:
                # Not only at the process's end, which a slow disk delays: another engine may wait for them.
                pair.close()
            self.packets.stop_writing()
            self._sound.close()
            self._sessions.close_all()

    def _end_recordings(self) -> None:
        """Have what recordings still hold written."""
        until = time.monotonic() + _END_S
        reports = select.poll()
        reports.register(self.packets.report_fd, select.POLLIN)
        while not self._sound.end() and self.packets.failure() is None:
            if time.monotonic() > until:
                _log.warning("the end of a recording is missing")
                break
            reports.poll(_BACKLOG_MS)
            self.packets.pump()
            for record in self.packets.reports():
                self._pass_on(record)
            self._sound.finish()

    def _wait(self) -> set[int]:
        timeout_ms = None if self._link is not None else max(self._left_s(), 0) * 1000 + 1
        if self.packets.pump():
            timeout_ms = _BACKLOG_MS
        poll = select.poll()
        for fd in (self.stop_fd, self.listener.fileno(), self.packets.report_fd, *self._sound.fds):
            poll.register(fd, select.POLLIN)
        if self._link is not None:
            writes = select.POLLOUT if self._link.wants_write else 0
            poll.register(self._link.fileno(), select.POLLIN | writes)
        return {fd for fd, _ in poll.poll(timeout_ms)}

    def _left_s(self) -> float:
        return self._alone_since + self.grace_s - time.monotonic()

    def _serve(self, ready: set[int]) -> None:
        if self.packets.report_fd in ready:
            for record in self.packets.reports():
                self._pass_on(record)
        self._sound.finish()
        link = self._link
        if link is not None and link.fileno() in ready:
            try:
                link.flush()
                messages = link.receive()
                with self.packets.together():
                    for message in messages:
                        self._obey(message)
            except OSError as error:
                self._disconnect(str(error))
            except ValueError as error:
                _log.warning("the exchange sent what is no command: %s", error)
                self._disconnect("protocol error")
        if self.listener.fileno() in ready:
            self._accept()

    def _accept(self) -> None:
        fresh = self.listener.accept()
        if fresh is not None:
            self._disconnect("another exchange has come")
            self._link = fresh

    def _disconnect(self, why: str) -> None:
        if self._link is not None:
            _log.info("the exchange is disconnected: %s", why)
            self._link.close()
            self._link = None
            self._queries.clear()
            self._alone_since = time.monotonic()

    # --- commands -----------------------------------------------------------------------------

    def _obey(self, message: object) -> None:
        if self._link is None:
            # The commands before this one have ended the connection.
            return
        try:
            self._carry_out(message, self._link)
        except ImpossibleError as error:
            _log.warning("refused: %s", error)
            self._report(Refused(str(error)))

    def _carry_out(self, message: object, link: ExchangeLink) -> None:
        if isinstance(message, Hello):
            self._greet(message, link)
        elif not link.greeted:
            raise ImpossibleError("Hello comes first")
        elif isinstance(message, Prepare):
            for port in message.ports:
                self._prepare(self._row(port))
        elif isinstance(message, Stream):
            self._set(message)
        elif isinstance(message, Release):
            self._release(message.ports)
        elif isinstance(message, Query):
            self._queries.append(message)
            self._count()
        elif isinstance(message, SoundCommand):
            self._sound.carry_out(message, self._running_row)

    def _greet(self, hello: Hello, link: ExchangeLink) -> None:
        if hello.version != VERSION:
            self._report(Refused(f"protocol version {hello.version}; this engine has {VERSION}"))
            self._disconnect("another protocol version")
            return
        if not 0 <= hello.grace_s <= MAX_GRACE_S:
            raise ImpossibleError(f"a grace time of {hello.grace_s} s")
        self.grace_s = hello.grace_s
        link.greeted = True
        self.packets.command(command_record(ring_row.REARM))
        self._sound.begin_anew()
        self._report(
            Ready(
                version=VERSION,
                pid=os.getpid(),
                ports=list(self._rows),
                streams=sorted(self.pairs[row].port for row in self._running),
                ipv6=self.ipv6,
                codecs=self._sound.codecs,
                suites=suites(self.libraries),
                recordings=self._sound.recordings,
            )
        )

    def _row(self, port: int) -> int:
        row = self._rows.get(port)
        if row is None:
            raise ImpossibleError(f"port {port} is not one of ours")
        return row

    def _running_row(self, port: int) -> int:
        row = self._row(port)
        if row not in self._running:
            raise SilentPortError(f"port {port} has no stream")
        return row

    def _prepare(self, row: int) -> None:
        if row not in self._running and row not in self._prepared:
            self._prepared.add(row)
            self.pairs[row].open()

    def _set(self, stream: Stream) -> None:
        row = self._row(stream.port)
        sink = self._row(stream.sink) if stream.sink != 0 else -1
        record = set_record(stream, row, sink, dual_stack=self.ipv6)
        try:
            secure(record, *self._sessions.set(row, stream.srtp))
        except SrtpError as error:
            raise ImpossibleError(f"port {stream.port}: {error}") from error
        self._prepare(row)
        self._prepared.discard(row)
        self._running.add(row)
        self._sound.stream_set(row, stream.event_type)
        self.packets.command(record)

    def _release(self, ports: list[int]) -> None:
        """End streams; one that isn't there leaves none of the others running."""
        faults, rows = [], []
        for port in ports:
            try:
                row = self._running_row(port)
            except ImpossibleError as error:
                faults.append(str(error))
                continue
            self._sound.release(row)
            self._sessions.release(row)
            self._running.discard(row)
            self.packets.command(command_record(ring_row.RELEASE, row))
            rows.append(row)
        # Behind all of them: what has come of each, and waits, is recorded yet
        for row in rows:
            self._sound.end_recording(row)
        if faults:
            raise ImpossibleError("; ".join(faults))

    def _count(self) -> None:
        """Have the packet threads count for one query at a time; others wait."""
        if self._queries and self._counting_for is None:
            query = self._queries.popleft()
            self._counting_for = self._link
            self._counting_streams = query.streams
            operation = ring_row.QUERY if query.streams else ring_row.PROBE
            self.packets.command(command_record(operation))

    # --- reports ------------------------------------------------------------------------------

    def _pass_on(self, record: Words) -> None:
        kind, row = int(record[ring_row.KIND]), int(record[ring_row.ROW])
        # The rows of players and recordings are no streams'.
        port = self.pairs[row].port if row < len(self.pairs) else 0
        if kind == ring_row.LATCHED:
            source = source_of(record, dual_stack=self.ipv6)
            if source is not None:
                _log.debug("port %d hears %s port %d", port, source.host, source.port)
                self._report(Latched(port, source))
        elif kind == ring_row.TIMEOUT:
            self._report(Timeout(port))
        elif kind == ring_row.RELEASED:
            # The exchange may have set the stream anew meanwhile.
            if row not in self._running and row not in self._prepared:
                self.pairs[row].shut()
            counts = counts_of(record, port, dual_stack=self.ipv6)
            self._report(Released(counts, self._sound.released(row)))
        elif kind == ring_row.COUNTED:
            self._counted.append(counts_of(record, port, dual_stack=self.ipv6))
            if (voice := self._sound.counts(row)) is not None:
                self._counted_voices.append(voice)
        elif kind == ring_row.COUNTED_ALL:
            self._answer_query()
        elif kind == ring_row.SESSIONS_FREE:
            self._sessions.close([int(record[ring_row.FIRST]), int(record[ring_row.SECOND])])
        else:
            self._sound.pass_on(record, port)

    def _answer_query(self) -> None:
        counts = Counts(
            list(self._counted),
            list(self._counted_voices),
            *self.packets.ticks,
            whole=self._counting_streams,
        )
        self._counted.clear()
        self._counted_voices.clear()
        asker, self._counting_for = self._counting_for, None
        # An exchange that has gone asked in vain.
        if asker is self._link:
            self._report(counts)
        self._count()

    def _report(self, report: Report) -> None:
        if self._link is None or (not self._link.greeted and not isinstance(report, Refused)):
            return
        try:
            self._link.send(report)
        except OSError as error:
            self._disconnect(str(error))
