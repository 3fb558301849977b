"""The exchange's side towards the media engine: what it reports, and the calls that it has kept."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

from pbx.call.exchange import Exchange
from pbx.cdr.journal import Unended
from pbx.cdr.ledger import Ledger
from pbx.cdr.record import facts_of
from pbx.config.settings import MediaSettings
from pbx.errors import PeerError
from pbx.media import protocol
from pbx.media.session import NoPortsLeft
from pbx.media.supervisor import Supervisor
from pbx.media.tick_watch import TickWatch

log = logging.getLogger(__name__)

DEATHS_S = 3600.0
"""How long a media engine's death is remembered."""

COUNTS_S = 1.0
"""How long the media engine may take to count."""


class MediaSide:
    """Keeps the engine alive, and call control informed of what it says.

    Args:
        socket: the path of the engine's control socket.
        settings: the engine's.
        exchange: call control.
        ledger: has the calls from before a restart.
        unended: those calls.
        epoch: when the exchange's clock was 0, in seconds since 1970.
        pump: carries through what a report has led to.
        recorded: is told of each recording that has ended, and why not well.
        prepare: brings up the lines that calls go on by, as soon as there is an engine.
    """

    def __init__(
        self,
        socket: Path,
        settings: MediaSettings,
        exchange: Exchange,
        ledger: Ledger,
        unended: Iterable[Unended],
        epoch: Callable[[], float],
        pump: Callable[[], None],
        recorded: Callable[[str], None],
        prepare: Callable[[], object],
    ) -> None:
        self.supervisor = Supervisor(
            socket, settings, on_ready=self._ready, on_report=self._reported, on_lost=self._lost
        )
        self._clock = asyncio.get_running_loop().time
        self._exchange = exchange
        self._ledger = ledger
        self._unended = [*unended]
        self._epoch = epoch
        self._pump = pump
        self._recorded = recorded
        self._prepare = prepare
        self._asked: set[asyncio.Future[protocol.Counts]] = set()
        self._deaths: deque[float] = deque(maxlen=1000)
        self._ticks = TickWatch()

    @property
    def deaths(self) -> int:
        """How often the engine has died in the last `DEATHS_S`."""
        now = self._clock()
        return sum(now - one < DEATHS_S for one in self._deaths)

    @property
    def ticks(self) -> tuple[int, int]:
        """The engine's ticks, and the late ones of them, as it has told in the last seconds."""
        return self._ticks.total

    @property
    def late_ticks_percent(self) -> float:
        """How many of a hundred ticks were late in the last minutes."""
        return self._ticks.late_percent(self._clock())

    async def counts(self) -> protocol.Counts | None:
        """Ask the engine for its counts; None where it doesn't answer soon."""
        asked: asyncio.Future[protocol.Counts] = asyncio.get_running_loop().create_future()
        self._asked.add(asked)
        self.supervisor.send([protocol.Query()])
        try:
            await asyncio.wait([asked], timeout=COUNTS_S)
        finally:
            self._asked.discard(asked)
        return asked.result() if asked.done() else None

    def _ready(self, ready: protocol.Ready) -> None:
        log.info("media engine %d: %d streams can run", ready.pid, len(ready.ports))
        self._exchange.pool.replace(ready.ports)
        # What goes on may be converted
        self._exchange.coded = tuple(ready.codecs)
        self._prepare()
        self._resume_calls(set(ready.streams))
        self._exchange.engine_ready(ready, self._clock())
        self._pump()

    def _resume_calls(self, running: set[int]) -> None:
        """Go on with the calls that the engine has kept alive while the exchange was away."""
        unended, self._unended = self._unended, []
        for each in unended:
            state = each.call.resume
            if state is None or not state.ports <= running:
                self._ledger.interrupted(each)
                continue
            try:
                facts = facts_of(each.call, self._epoch())
                self._exchange.resume(facts, state, self._clock())
                log.info("call %s goes on after a restart", each.call.id)
            except (NoPortsLeft, PeerError, TypeError, KeyError) as error:
                # The last two: another version wrote the journal.
                log.error("call %s can't go on: %s", each.call.id, error)
                self._ledger.interrupted(each)

    def _lost(self) -> None:
        log.error("the media engine is gone; a new one starts")
        self._deaths.append(self._clock())
        self._ticks.forget()

    def _reported(self, report: protocol.Report) -> None:
        match report:
            case protocol.Timeout():
                self._exchange.stream_timed_out(report.port, self._clock())
                self._pump()
            case (
                protocol.Digit()
                | protocol.DigitEnded()
                | protocol.Line()
                | protocol.Played()
                | protocol.Recorded()
            ):
                if isinstance(report, protocol.Played | protocol.Recorded) and report.failure:
                    log.warning("the media engine: %s", report.failure)
                if isinstance(report, protocol.Recorded):
                    self._recorded(report.failure)
                self._exchange.reported(report, self._clock())
                self._pump()
            case protocol.Released():
                self._exchange.released(report)
                self._pump()
            case protocol.Counts():
                self._ticks.note(self._clock(), report.ticks, report.late_ticks)
                while report.whole and self._asked:
                    self._asked.pop().set_result(report)
            case protocol.Latched():
                log.debug("port %d: media comes from %s", report.port, report.source)
            case protocol.Refused():
                log.error("the media engine refused: %s", report.reason)
