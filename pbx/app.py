"""The composition root: every part of the exchange, put together on one event loop."""

import asyncio
import contextlib
import logging
import os
import secrets
import shutil
import signal
import time
from collections import deque
from functools import partial
from pathlib import Path

from pbx import __version__
from pbx.api.control import Control, Outside
from pbx.api.http import HttpServer
from pbx.api.noticeboard import Noticeboard
from pbx.api.server import ControlServer
from pbx.call.call import CallChanged, CallEnded, Discard, MediaCommands, Output
from pbx.call.exchange import Exchange
from pbx.call.services.directory import SoundFiles
from pbx.cdr.ledger import Ledger
from pbx.cdr.record import facts_of
from pbx.cdr.words import tag_words
from pbx.config.data_folder import DataFolder
from pbx.config.settings import Settings
from pbx.errors import PeerError
from pbx.locale import say
from pbx.media import protocol
from pbx.media.session import NoPortsLeft
from pbx.media.supervisor import Supervisor
from pbx.net.certificate import CertificateError, Identity, own_identity
from pbx.net.interfaces import AddressWatch, local_addresses
from pbx.net.notify import ServiceNotice
from pbx.net.transport import SipTransport, TlsPort
from pbx.ops.faults import about_event, survived
from pbx.ops.health import examine
from pbx.ops.health.facts import Facts, Problem
from pbx.ops.recent_lines import RecentLines
from pbx.registrar.admission import Admission, account_of
from pbx.registrar.authenticator import Authenticator
from pbx.registrar.bindings import Bindings
from pbx.registrar.rows import binding_of, row_of
from pbx.sip.endpoint import Endpoint
from pbx.sip.events import Event, RequestReceived
from pbx.sip.flow import Flow
from pbx.sip.message import response_to
from pbx.store.repository import Store

log = logging.getLogger(__name__)

ALLOW = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "REGISTER")
"""The methods that the exchange serves."""

EARLY_LIMIT = 500
"""Messages that wait for the end of the start, 64 KiB each at the most."""

HEALTH_S = 5.0
"""How often the health checks look."""

DEATHS_S = 3600.0
"""How long a media engine's death is remembered."""

COUNTS_S = 1.0
"""How long the media engine may take to count."""

STOP_S = 3.0
"""How long a stopping exchange waits for its BYEs to be answered."""


def token() -> str:
    """Return a fresh random name: 64 bits, as RFC 3261 §19.3 asks of tags (at least 32)."""
    return secrets.token_hex(8)


def _disk_used(folder: Path) -> float:
    """Return which part of the folder's file system is in use; 0 where that can't be told."""
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return 0.0
    # What is left for root alone is neither used nor free.
    return usage.used / max(usage.used + usage.free, 1)


class App:
    """The running exchange.

    Args:
        folder: the data folder.
        settings: the settings in force.
    """

    def __init__(self, folder: Path, settings: Settings) -> None:
        self._settings = settings
        self._folder = DataFolder(folder)
        self._endpoint = Endpoint(token, user_agent=f"miniSIPServer/{__version__}", allow=ALLOW)
        files = SoundFiles(
            self._folder.music_files,
            str(self._folder.recordings.absolute()),
            str(self._folder.record.absolute()),
        )
        self._exchange = Exchange(self._endpoint, token, settings, files)
        self._bindings = Bindings(settings.sip)
        self._notice = ServiceNotice(os.environ)
        self._outbox: deque[tuple[bytes, Flow]] = deque()
        self._early: deque[tuple[bytes, Flow]] = deque(maxlen=EARLY_LIMIT)
        self._serving = False
        self._timer: asyncio.TimerHandle | None = None
        self._pumping = False
        self._stopped = asyncio.Event()
        self._stopping = False
        self._quiet = asyncio.Event()
        self._tls_why = ""
        self._asked: set[asyncio.Future[protocol.Counts]] = set()
        self._board = Noticeboard()
        self._engine_deaths: deque[float] = deque(maxlen=1000)

    async def run(self) -> None:
        """Start every part, serve until a signal asks to stop, and stop every part.

        Raises:
            StartError: a part can't start; those that had started are stopped again.
        """
        loop = self._loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            # `nohup` has the terminal's end ignored.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                loop.add_signal_handler(number, self._stopped.set)
        async with contextlib.AsyncExitStack() as stack:
            self._keep_lines(stack)
            if await self._started(stack):
                log.info("ready: pid %d, %s", os.getpid(), ", ".join(self._transport.addresses))
                stack.callback(self._notice.stop)
                self._notice.ready()
                await self._stopped.wait()
                log.info("stopping")
                self._notice.stopping()
                await self._hang_up_all()
        log.info("stopped")

    def _keep_lines(self, stack: contextlib.AsyncExitStack) -> None:
        """Keep the log's last lines for the control API, whichever thread writes them."""

        def added() -> None:
            self._loop.call_soon_threadsafe(self._board.changed, "log")

        self._lines = RecentLines(added)
        root = logging.getLogger()
        root.addHandler(self._lines)
        stack.callback(root.removeHandler, self._lines)

    async def _started(self, stack: contextlib.AsyncExitStack) -> bool:
        """Start; False where a signal came before the end of it.

        A first start compiles the media engine's kernels, and nobody waits for that to stop.
        """
        starting = self._loop.create_task(self._start(stack))
        stopped = self._loop.create_task(self._stopped.wait())
        await asyncio.wait((starting, stopped), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not starting.done():
            starting.cancel()
            await asyncio.wait((starting,))
            if starting.cancelled():
                return False
        starting.result()
        return True

    async def _start(self, stack: contextlib.AsyncExitStack) -> None:
        """Start the parts in their order; `stack` stops them in the opposite one."""
        settings, folder = self._settings, self._folder
        folder.open()
        stack.callback(folder.close)
        self._store = Store(
            folder.path,
            settings,
            self._loop.call_soon_threadsafe,
            changed=partial(self._board.changed, "users"),
        )
        self._store.open()
        stack.callback(self._store.close)
        self._ledger = Ledger(folder, self._store, settings.cdr)
        self._unended = self._ledger.open()
        stack.callback(self._ledger.close)
        self._authenticator = Authenticator(
            settings.sip.realm,
            secrets.token_bytes(32),
            lambda number: account_of(self._store.snapshot.users.get(number)),
        )
        self._admission = Admission(
            self._endpoint,
            self._exchange,
            self._bindings,
            self._authenticator,
            token,
            lambda: self._store.snapshot,
            settings.services,
        )
        self._restore_bindings()
        self._supervisor = Supervisor(
            folder.path / "media.sock",
            settings.media,
            on_ready=self._engine_ready,
            on_report=self._engine_report,
            on_lost=self._engine_lost,
        )
        # Before the engine, so that a port that is taken is told at once. What comes before the
        # engine is there waits: only with it are the calls known that go on after a restart.
        await self._listen(stack)
        stack.callback(self._stop_timer)
        await self._supervisor.start()
        stack.push_async_callback(self._supervisor.stop)
        self._serving = True
        while self._early:
            self._received(*self._early.popleft())
        self._pump()
        await self._start_api(stack)

    async def _listen(self, stack: contextlib.AsyncExitStack) -> None:
        """Open the SIP sockets, and follow the machine's addresses from then on."""
        sip, hosts = self._settings.sip, self._hosts()
        self._identity = self._proof(hosts)
        self._transport = SipTransport(
            sip.port,
            self._received,
            self._flow_failed,
            self._connections_in_use,
            tls=TlsPort(sip.tls_port, self._identity.context) if self._identity else None,
        )
        stack.push_async_callback(self._transport.close)
        # The watch first, so that no change gets lost between.
        self._moved = asyncio.Event()
        watch = AddressWatch(self._moved.set)
        watch.start()
        stack.callback(watch.stop)
        await self._transport.open(self._hosts())
        following = self._loop.create_task(self._follow())
        stack.callback(following.cancel)

    def _proof(self, hosts: list[str]) -> Identity | None:
        """What TLS needs; None where it is off, or can't be, which is no reason not to start.

        Args:
            hosts: our addresses; a certificate that is made now is good for them.
        """
        if not self._settings.sip.tls_port:
            return None
        try:
            return own_identity(self._settings.tls, self._folder, hosts)
        except CertificateError as error:
            log.error("%s", error.sentence)
            self._tls_why = error.sentence
            return None

    def _no_tls(self) -> str:
        """Why there is no TLS, though it is wanted; else empty."""
        listening = self._transport.addresses
        if not self._identity or not listening or any(one[:4] == "tls " for one in listening):
            return self._tls_why
        return say("tls-no-port", port=self._settings.sip.tls_port)

    def _hosts(self) -> list[str]:
        """The addresses to listen on."""
        return list(self._settings.sip.addresses) or local_addresses()

    async def _follow(self) -> None:
        while True:
            await self._moved.wait()
            self._moved.clear()
            try:
                await self._transport.follow(self._hosts())
            except OSError as error:
                log.error("the machine's addresses can't be read: %s", error)

    async def _start_api(self, stack: contextlib.AsyncExitStack) -> None:
        settings = self._settings
        http: HttpServer | None = None

        def provisioning_url(number: str) -> str:
            hosts = self._transport.hosts
            return http.provisioning_url(number, hosts[0]) if http and hosts else ""

        control = Control(
            self._store,
            self._exchange,
            self._bindings,
            Outside(
                clock=self._loop.time,
                addresses=lambda: self._transport.addresses,
                engine=lambda: (self._supervisor.pid, self._supervisor.restarts),
                provisioning_url=provisioning_url,
                changed=self._pump,
                problems=self._problems,
                lines=self._lines.after,
                counts=self._counts,
                folder=self._folder,
                board=self._board,
                certificate=self._identity.fingerprint if self._identity else "",
            ),
            settings.sip,
        )
        # systemd's RuntimeDirectory: another group than the data folder's may have a way there.
        runtime = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
        usual = Path(runtime) / "control.sock" if runtime else self._folder.control_socket
        chosen = Path(settings.control_socket or usual)
        # HTTP first: who asks the control API for `welcome` gets QR codes from the beginning.
        http = HttpServer(control, settings.http.port)
        await http.start()
        stack.push_async_callback(http.stop)
        server = ControlServer(control, chosen)
        await server.start()
        self._folder.point_to(chosen)
        stack.push_async_callback(server.stop)
        watching = self._loop.create_task(self._watch_health())
        stack.callback(watching.cancel)

    async def _watch_health(self) -> None:
        """Tell those who watch when the health checks find something else than before."""
        told: list[Problem] = []
        while True:
            found = self._problems()
            if found != told:
                told = found
                self._board.changed("health")
            await asyncio.sleep(HEALTH_S)

    def _problems(self) -> list[Problem]:
        now, database = self._loop.time(), self._store.status
        return examine(
            Facts(
                wall_s=time.time(),
                addresses=tuple(self._transport.addresses),
                engine_pid=self._supervisor.pid,
                engine_deaths=sum(now - one < DEATHS_S for one in self._engine_deaths),
                database_ok=database.ok,
                database_why=database.why,
                records_waiting=database.records_waiting,
                records_unwritten=self._ledger.waiting if self._ledger.failing else 0,
                disk_used=_disk_used(self._folder.path),
                tls_why=self._no_tls(),
                lost={number: now - since for number, since in self._bindings.lost.items()},
            )
        )

    # ---------------------------------------------------------------- SIP

    def _received(self, data: bytes, flow: Flow) -> None:
        if not self._serving:
            self._early.append((data, flow))
            return
        now = self._loop.time()
        survived(lambda: self._endpoint.receive(data, flow, now), lambda: f"{data[:300]!r}")
        self._pump()

    def _flow_failed(self, flow: Flow, why: str) -> None:
        now = self._loop.time()
        survived(lambda: self._endpoint.flow_failed(flow, why, now), lambda: f"{flow}: {why}")
        self._bindings.disconnected(flow)
        self._pump()

    def _pump(self) -> None:
        """Carry every consequence through: events, outputs, datagrams, the next timer."""
        if self._pumping:
            # A socket failed while its datagram was being sent; the loop below sees the event.
            return
        self._pumping = True
        try:
            while self._pump_once():
                pass
        finally:
            self._pumping = False
        ending = self._endpoint.pending_requests or self._exchange.saying_farewell
        if self._stopping and not ending:
            self._quiet.set()
        self._set_timer()

    def _pump_once(self) -> bool:
        now, busy = self._loop.time(), False
        while (event := self._endpoint.next_event()) is not None:
            busy = True
            self._take(event, now)
        while (output := self._exchange.next_output()) is not None:
            busy = True
            survived(partial(self._carry_out, output), partial(repr, output))
        self._outbox.extend(self._endpoint.to_send())
        while self._outbox:
            busy = True
            data, flow = self._outbox.popleft()
            survived(partial(self._transport.send, data, flow), partial(repr, flow))
        survived(self._keep_bindings, lambda: "registrations")
        return busy

    def _take(self, event: Event, now: float) -> None:
        """Pass an event to whom it concerns; a request that a fault of ours meets gets a 500."""
        if not survived(lambda: self._pass_on(event, now), lambda: about_event(event)):
            survived(lambda: self._refuse(event, 500, now), lambda: "the answer to that")

    def _pass_on(self, event: Event, now: float) -> None:
        if not isinstance(event, RequestReceived) or event.request.to.tag is not None:
            self._exchange.handle(event, now)
        elif self._stopping:
            self._refuse(event, 503, now)
        else:
            self._admission.receive(event, now)

    def _refuse(self, event: Event, status: int, now: float) -> None:
        """Answer a request that has had no final answer yet."""
        if isinstance(event, RequestReceived) and event.transaction is not None:
            response = response_to(event.request, status, to_tag=token())
            self._endpoint.respond(event.transaction, response, now)

    def _connections_in_use(self) -> set[int]:
        """The connections that a registration or a call needs."""
        now = self._loop.time()
        flows = [
            one.flow for user in self._store.snapshot.users for one in self._bindings.of(user, now)
        ]
        flows += [leg.usage.flow for call in self._exchange.calls.values() for leg in call.legs]
        return {flow.connection for flow in flows}

    def _carry_out(self, output: Output) -> None:
        match output:
            case MediaCommands():
                self._supervisor.send(output.commands)
            case CallChanged():
                self._board.changed("calls")
                facts = output.facts
                parties = facts.caller_number, facts.dialed_number
                log.info("call %s: %s to %s: %s", facts.id, *parties, facts.state)
                self._ledger.changed(facts, self._epoch(), output.state)
            case CallEnded():
                self._board.changed("calls")
                facts = output.facts
                parties = facts.caller_number, facts.dialed_number
                cause = facts.cause
                why = tag_words(cause.tag if cause else None)
                log.info("call %s: %s to %s: ended: %s; %s", facts.id, *parties, why, cause)
                self._ledger.ended(facts, self._epoch())
            case Discard():
                with contextlib.suppress(OSError):
                    Path(output.path).unlink(missing_ok=True)

    def _epoch(self) -> float:
        """When the exchange's clock was 0, in seconds since 1970."""
        return time.time() - self._loop.time()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self) -> None:
        self._stop_timer()
        sip, calls = self._endpoint.next_timer(), self._exchange.next_timer()
        due = [when for when in (sip, calls, self._bindings.next_expiry()) if when is not None]
        if due:
            self._timer = self._loop.call_at(min(due), self._timer_fired)

    def _timer_fired(self) -> None:
        now = self._loop.time()
        for part in (
            self._endpoint.handle_timer,
            self._exchange.handle_timer,
            self._bindings.expire,
        ):
            survived(partial(part, now), lambda: "a timer")
        self._pump()

    def _restore_bindings(self) -> None:
        """Take the registrations from before a restart."""
        now, offset_s = self._loop.time(), self._epoch()
        kept = [binding_of(row, offset_s) for row in self._store.bindings()]
        good = [binding for binding in kept if binding.expires > now]
        self._bindings.restore(good)
        if good:
            log.info("%d registrations are still good", len(good))

    def _keep_bindings(self) -> None:
        offset_s = self._epoch()
        for number, bindings in self._bindings.take_changed():
            self._board.changed("users")
            self._store.save_bindings(number, [row_of(one, offset_s) for one in bindings])

    async def _hang_up_all(self) -> None:
        """End every call and wait a moment for the peers to hear of it."""
        self._exchange.stop(self._loop.time())
        self._stopping = True
        self._pump()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._quiet.wait(), STOP_S)
        self._exchange.settle()
        self._pump()

    # ---------------------------------------------------------------- media

    def _engine_ready(self, ready: protocol.Ready) -> None:
        log.info("media engine %d: %d streams can run", ready.pid, len(ready.ports))
        self._exchange.pool.replace(ready.ports)
        self._resume_calls(set(ready.streams))
        self._exchange.engine_ready(ready, self._loop.time())
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
                self._exchange.resume(facts, state, self._loop.time())
                log.info("call %s goes on after a restart", each.call.id)
            except (NoPortsLeft, PeerError, TypeError, KeyError) as error:
                # The last two: another version wrote the journal.
                log.error("call %s can't go on: %s", each.call.id, error)
                self._ledger.interrupted(each)

    async def _counts(self) -> protocol.Counts | None:
        """Ask the media engine for its counts; None where it doesn't answer soon."""
        asked: asyncio.Future[protocol.Counts] = self._loop.create_future()
        self._asked.add(asked)
        self._supervisor.send([protocol.Query()])
        try:
            await asyncio.wait([asked], timeout=COUNTS_S)
        finally:
            self._asked.discard(asked)
        return asked.result() if asked.done() else None

    def _engine_lost(self) -> None:
        log.error("the media engine is gone; a new one starts")
        self._engine_deaths.append(self._loop.time())

    def _engine_report(self, report: protocol.Report) -> None:
        match report:
            case protocol.Timeout():
                self._exchange.stream_timed_out(report.port, self._loop.time())
                self._pump()
            case protocol.Digit() | protocol.Played() | protocol.Recorded():
                if not isinstance(report, protocol.Digit) and report.failure:
                    log.warning("the media engine: %s", report.failure)
                self._exchange.reported(report, self._loop.time())
                self._pump()
            case protocol.Released():
                self._exchange.released(report)
                self._pump()
            case protocol.Counts() if report.whole:
                while self._asked:
                    self._asked.pop().set_result(report)
            case protocol.Latched():
                log.debug("port %d: media comes from %s", report.port, report.source)
            case protocol.Refused():
                log.error("the media engine refused: %s", report.reason)
