"""Starts the media engine, watches it, and puts another one in its place when it dies.

The engine is a process of its own. It may outlive the exchange: a new exchange finds it by its
socket and goes on with it. Nothing here blocks the event loop.
"""

import asyncio
import contextlib
import logging
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from pbx.config.settings import MediaSettings
from pbx.errors import StartError
from pbx.locale import say
from pbx.media.engine_link import SOCKET_PATH_LIMIT, EngineLink, connect
from pbx.media.process_end import ended, held, with_keeper
from pbx.media.protocol import VERSION, Command, Hello, Query, Ready, Refused, Report

log = logging.getLogger(__name__)

ENGINE = (sys.executable, "-m", "pbx.media.engine")
"""The program and its first arguments."""

_NO_PORTS = 69
"""An engine's exit code where others have its ports (sysexits.h: EX_UNAVAILABLE)."""

_CONNECT_PAUSE_S = 0.02
_DYING_S = 0.2
"""From the end of a process's connection to its own end."""

_LAST_WORDS_S = 1.0
"""How long an ended engine's last lines may take to arrive."""

_LINE_LIMIT = 1 << 16


@dataclass(frozen=True, slots=True)
class Pace:
    """How patient the supervisor is.

    Args:
        start_s: for an engine to come up; the very first one compiles its kernels, which takes
            the smallest board some minutes.
        hello_s: for an engine that runs already to greet back.
        succeed_s: for an engine that takes the place of one that was killed.
        probe_s: from one `Query` to the next while the exchange wants something of the engine.
        quiet_s: how much later the next one comes while it wants nothing, and the last one has been
            answered: each costs both processes as much CPU as dozens of packets.
        missed: so many unanswered in a row mean that the engine hangs.
        quick_s: an engine that dies sooner after its start died of something that will be
            there the next time, too.
        quick_deaths: so many of them in a row before there is a pause.
        pause_s: the first pause; each further one is twice as long.
        longest_pause_s: but not longer than this.
        stop_s: for an engine to end by itself before it is killed.
        ports_s: for an engine of before, at our own start, to give back its ports.
    """

    start_s: float = 600.0
    hello_s: float = 3.0
    succeed_s: float = 3.0
    probe_s: float = 1.5
    quiet_s: float = 4.5
    missed: int = 2
    quick_s: float = 2.0
    quick_deaths: int = 3
    pause_s: float = 1.0
    longest_pause_s: float = 30.0
    stop_s: float = 2.0
    ports_s: float = 6.0

    def pause(self, deaths: int) -> float:
        """Return the seconds to wait after so many quick deaths in a row."""
        if deaths <= self.quick_deaths:
            return 0.0
        # Bounded, because a float can't hold two to the power of a month of restarts.
        doublings = min(deaths - self.quick_deaths - 1, 16)
        return min(self.pause_s * 2.0**doublings, self.longest_pause_s)


class EngineFailed(Exception):
    """An engine did not come up; the text says why."""


class Supervisor:
    """Keeps one media engine running.

    Args:
        path: the engine's socket, in the data folder.
        settings: port range, grace time and packet threads.
        on_ready: an engine is there, the first one or another one: it must be told every stream.
        on_report: called with every other report.
        on_lost: the engine is gone, and with it all streams.
        program: the engine's program and first arguments.
        pace: how patient to be.
    """

    def __init__(
        self,
        path: Path,
        settings: MediaSettings,
        *,
        on_ready: Callable[[Ready], None],
        on_report: Callable[[Report], None],
        on_lost: Callable[[], None],
        program: Sequence[str] = ENGINE,
        pace: Pace | None = None,
    ) -> None:
        self._path = path
        self._settings = settings
        self._on_ready = on_ready
        self._on_report = on_report
        self._on_lost = on_lost
        self._program = program
        self._pace = pace or Pace()
        self._link: EngineLink | None = None
        self._wanted = asyncio.Event()
        self._greeted: asyncio.Future[Ready] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._logging: asyncio.Task[None] | None = None
        self._last_words = ""
        self._running: asyncio.Task[None] | None = None
        self._started = 0
        self._pid = 0

    @property
    def pid(self) -> int:
        """The engine's process id; 0 while there is none."""
        return self._pid

    @property
    def restarts(self) -> int:
        """How many engines came after the first one."""
        return max(self._started - 1, 0)

    async def start(self) -> None:
        """Bring the first engine up, or go on with one that runs; `on_ready` has been called then.

        Raises:
            StartError: the socket's path is too long, or the engine doesn't come up.
        """
        if len(bytes(self._path)) > SOCKET_PATH_LIMIT:
            sentence = say("engine-socket-long", path=self._path, most=SOCKET_PATH_LIMIT)
            raise StartError(sentence, 78)
        try:
            link = await self._first()
        except EngineFailed as error:
            await self.stop()
            raise StartError(say("engine-not-started", why=error), 70) from error
        except BaseException:
            await self.stop()
            raise
        self._running = asyncio.create_task(self._run(link), name="media engine")
        self._running.add_done_callback(_surface)

    async def _first(self) -> EngineLink:
        """Return the first engine's link.

        That of an exchange before may have the ports a moment longer, while it writes the ends of
        recordings.

        Raises:
            EngineFailed: it did not come up.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + self._pace.ports_s
        while True:
            try:
                return await self._begin()
            except EngineFailed:
                taken = self._process is not None and self._process.returncode == _NO_PORTS
                if not taken or loop.time() > until:
                    raise
            await self._clear()
            await asyncio.sleep(self._pace.pause_s)

    def send(self, commands: Iterable[Command]) -> None:
        """Send `commands` to the engine.

        Without effect while there is none: the next one is told all by `on_ready`.
        """
        if self._pid and self._link is not None:
            self._link.send(commands)
            self._wanted.set()

    async def stop(self) -> None:
        """End the engine; all sound ends with it."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])
            self._running = None
        self._pid = 0
        await self._terminate()
        await self._clear()
        self._link = None

    # ---------------------------------------------------------------- one engine after the other

    async def _run(self, link: EngineLink) -> None:
        """Watch the engine behind `link`, and every one that comes after it."""
        loop = asyncio.get_running_loop()
        deaths = 0
        while True:
            begun = loop.time()
            why = await self._watch(link)
            log.error("media engine %d is gone: %s", link.pid, why)
            self._pid = 0
            self._tell(self._on_lost)
            quick = loop.time() - begun < self._pace.quick_s
            deaths = deaths + 1 if quick else 0
            link, deaths = await self._next(deaths)

    async def _next(self, deaths: int) -> tuple[EngineLink, int]:
        """Return the next engine's link, and how many died quickly before it came up."""
        if successor := await self._succeed():
            return successor, deaths
        while True:
            await self._clear()
            pause_s = self._pace.pause(deaths)
            if pause_s:
                log.error("the media engine does not stay; next attempt in %g s", pause_s)
            await asyncio.sleep(pause_s)
            try:
                return await self._begin(), deaths
            except EngineFailed as error:
                log.error("the media engine does not start: %s", error)
                deaths += 1

    async def _succeed(self) -> EngineLink | None:
        """Return the link to the engine that the keeper of the last one has put in its place.

        None where there was no keeper, or nothing has come of it: what is left is for `_clear`.
        """
        process, last = self._process, self._link
        if process is None or last is None or last.pid == process.pid:
            return None
        last.close()
        await last.closed
        try:
            async with asyncio.timeout(self._pace.succeed_s):
                link = await self._connect(process)
                while link.pid == last.pid:
                    # A process that dies closes one socket after the other; does this one follow?
                    await asyncio.wait([link.closed], timeout=_DYING_S)
                    if not link.closed.done():
                        # It has not died, but left us.
                        link.close()
                        return None
                    link = await self._connect(process)
                await self._greet(link, self._pace.succeed_s)
        except (TimeoutError, EngineFailed) as error:
            log.warning("no media engine has taken its place: %s", error)
            return None
        self._started += 1
        log.info("media engine %d has taken its place", link.pid)
        return link

    async def _watch(self, link: EngineLink) -> str:
        """Return why the engine is gone, when it is; kill one that answers nothing.

        Probes are counted, not seconds: if it was we who stood still, its answers are there
        before the next probe is counted.
        """
        link.closed.add_done_callback(lambda _: self._wanted.set())
        missed = 0
        while missed < self._pace.missed:
            answers = link.answers
            self._wanted.clear()
            link.send([Query(streams=False)])
            await asyncio.wait([link.closed], timeout=self._pace.probe_s)
            if link.closed.done():
                return link.closed.result()
            missed = missed + 1 if link.answers == answers else 0
            if not missed:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wanted.wait(), self._pace.quiet_s)
        await link.kill("it hangs")
        return await link.closed

    async def _begin(self) -> EngineLink:
        """Return the link to an engine that has greeted back: one that runs, else a new one.

        Raises:
            EngineFailed: it did not come up.
        """
        link = await self._attach() or await self._spawn()
        self._started += 1
        return link

    async def _attach(self) -> EngineLink | None:
        """Return the link to the engine of an exchange that died; None where there is none."""
        try:
            link = await connect(self._path, self._report)
        except OSError:
            return None
        try:
            await self._greet(link, self._pace.hello_s)
        except EngineFailed as error:
            log.warning("media engine %d can't be used any more: %s", link.pid, error)
            await link.kill("a new one takes its place")
            return None
        log.info("media engine %d runs already", link.pid)
        return link

    async def _spawn(self) -> EngineLink:
        self._last_words = ""
        creation = asyncio.create_task(self._create(), name="media engine's start")
        try:
            process = await asyncio.shield(creation)
        except asyncio.CancelledError:
            # A process that is half made can't be called off; `stop` must know it to end it.
            await asyncio.wait([creation])
            raise
        except OSError as error:
            raise EngineFailed(f"{error.filename}: {error.strerror}") from error
        self._logging = asyncio.create_task(self._log(process), name="media engine's log")
        try:
            async with asyncio.timeout(self._pace.start_s):
                link = await self._connect(process)
                await self._greet(link, self._pace.start_s)
        except TimeoutError as error:
            raise EngineFailed(f"no greeting within {self._pace.start_s:g} s") from error
        log.info("media engine %d runs", link.pid)
        return link

    async def _create(self) -> asyncio.subprocess.Process:
        # What an engine that was killed has left; anything but a socket is not ours to remove.
        if self._path.is_socket():
            self._path.unlink(missing_ok=True)
        self._process = await asyncio.create_subprocess_exec(
            *self._program,
            *("--socket", str(self._path)),
            *("--first-port", str(self._settings.first_port)),
            *("--last-port", str(self._settings.last_port)),
            *_threads(self._settings.threads),
            *_real_time(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            # Ctrl-C at the terminal is for the exchange, which then ends its calls in peace.
            start_new_session=True,
            # numpy's threads for matrices would be idle, and in the way of the keeper's fork.
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            limit=_LINE_LIMIT,
        )
        return self._process

    async def _connect(self, process: asyncio.subprocess.Process) -> EngineLink:
        """Return a link as soon as the new engine listens."""
        while process.returncode is None:
            with contextlib.suppress(OSError):
                return await connect(self._path, self._report)
            await asyncio.sleep(_CONNECT_PAUSE_S)
        await self._end_log()
        raise EngineFailed(self._last_words or f"it ended with status {process.returncode}")

    async def _greet(self, link: EngineLink, timeout_s: float) -> None:
        """Say hello and wait until `_report` has taken `Ready`.

        Raises:
            EngineFailed: the engine refused, ended, stayed silent, or is not for these settings.
        """
        self._link = link
        self._greeted = asyncio.get_running_loop().create_future()
        link.send([Hello(VERSION, self._settings.grace_s)])
        ends: list[asyncio.Future[Ready] | asyncio.Future[str]] = [self._greeted, link.closed]
        await asyncio.wait(ends, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if self._greeted.done():
            self._greeted.result()
            return
        self._greeted.cancel()
        raise EngineFailed(link.closed.result() if link.closed.done() else "it says nothing")

    # ---------------------------------------------------------------- what the engine says

    def _report(self, report: Report) -> None:
        greeted = self._greeted
        waiting = greeted is not None and not greeted.done()
        if self._pid:
            self._tell(lambda: self._on_report(report))
        elif greeted and waiting and isinstance(report, Refused):
            greeted.set_exception(EngineFailed(report.reason))
        elif greeted and waiting and isinstance(report, Ready):
            self._take(report, greeted)

    def _take(self, ready: Ready, greeted: asyncio.Future[Ready]) -> None:
        first, last = self._settings.first_port, self._settings.last_port
        if ready.version != VERSION:
            greeted.set_exception(EngineFailed(f"it speaks version {ready.version}"))
        elif any(not first <= port <= last for port in ready.ports):
            greeted.set_exception(EngineFailed("it has other ports than the settings say"))
        else:
            greeted.set_result(ready)
            self._pid = ready.pid
            self._tell(lambda: self._on_ready(ready))

    def _tell(self, callback: Callable[[], None]) -> None:
        """Call back; a fault in there must not end the watch over the engine."""
        try:
            callback()
        except Exception:
            log.exception("a fault while taking what the media engine said")

    async def _log(self, process: asyncio.subprocess.Process) -> None:
        """Pass the engine's standard error on to our log, line by line.

        Its own log lines begin with their level; what doesn't (a traceback) is a warning.
        """
        stream = cast(asyncio.StreamReader, process.stderr)
        while True:
            try:
                line = await stream.readline()
            except ValueError:  # Longer than the limit: what was read of it is dropped.
                continue
            if not line:
                return
            text = line.decode("utf-8", "replace").rstrip()
            word, _, rest = text.partition(" ")
            level = logging.getLevelNamesMapping().get(word)
            self._last_words = text if level is None else rest
            log.log(level or logging.WARNING, "media engine %d: %s", process.pid, self._last_words)

    # ---------------------------------------------------------------- ending one

    async def _terminate(self) -> None:
        """Ask the engine to end, and give it time to."""
        link = self._link
        if self._process is not None:
            if not await _ended(self._process, 0):
                self._process.terminate()
                await _ended(self._process, self._pace.stop_s)
        elif link is not None and link.open:
            await self._terminate_found(link)

    async def _terminate_found(self, link: EngineLink) -> None:
        """The same of one that runs since before us; whoever starts next finds nothing of it."""
        with held(with_keeper(link.pid)) as processes:
            link.signal(signal.SIGTERM)
            await asyncio.wait([link.closed], timeout=self._pace.stop_s)
            await link.kill("we ended it")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pace.stop_s):
                    for process in processes:
                        await ended(process)

    async def _clear(self) -> None:
        """Make sure that nothing of the last engine is left: a child must be gone with its ports."""
        # Forgotten only when it is gone: whoever cancels us here finds it in `stop`.
        if self._process is not None:
            if not await _ended(self._process, _DYING_S):
                # The keeper and its engine, at once: neither may be left without the other.
                os.killpg(self._process.pid, signal.SIGKILL)
                await self._process.wait()
            self._process = None
        if self._link is not None:
            self._link.close()
            await self._link.closed
        await self._end_log()

    async def _end_log(self) -> None:
        """Wait for the last lines of an engine that has ended."""
        if self._logging is not None:
            await asyncio.wait([self._logging], timeout=_LAST_WORDS_S)
            self._logging.cancel()
            self._logging = None


async def _ended(process: asyncio.subprocess.Process, timeout_s: float) -> bool:
    """Return True if `process` ends within `timeout_s`.

    Asked before each signal: sending one to a process that has just died would collect its status
    where asyncio waits for it.
    """
    # Not wait_for: until Python 3.12 it loses a cancellation that meets the end of the process.
    waiting = asyncio.create_task(process.wait())
    try:
        await asyncio.wait([waiting], timeout=timeout_s)
    finally:
        waiting.cancel()
    return process.returncode is not None


def _threads(count: int) -> list[str]:
    """The engine's option for its packet threads; 0 leaves their number to the engine."""
    return ["--threads", str(count)] if count else []


def _real_time() -> list[str]:
    """The engine's option for real-time priority where our limits allow it (the unit's LimitRTPRIO)."""
    soft, _ = resource.getrlimit(resource.RLIMIT_RTPRIO)
    return ["--real-time"] if soft else []


def _surface(task: asyncio.Task[None]) -> None:
    """Let the event loop report the bug that has ended the watch."""
    if not task.cancelled():
        task.result()
