"""The composition root: every part of the exchange, put together on one event loop."""

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import ssl
import time
from collections import deque
from datetime import datetime
from functools import partial
from pathlib import Path

from pbx import __version__
from pbx.api.control import Control, Outside
from pbx.api.http import HttpServer
from pbx.api.noticeboard import Noticeboard
from pbx.api.server import ControlServer
from pbx.call.exchange import Exchange
from pbx.call.outputs import CallChanged, CallEnded, Discard, MediaCommands, Output
from pbx.call.services.directory import SoundFiles
from pbx.call.without_prack import KEPT_AS, WithoutPrack
from pbx.callback_side import CallBackSide
from pbx.cdr.ledger import Ledger
from pbx.cdr.words import tag_words
from pbx.config.data_folder import DataFolder
from pbx.config.settings import TLS_PORT, Settings
from pbx.lines.lines import Lines
from pbx.lines.outside import LinesOutside
from pbx.lines.surgery import Surgery
from pbx.lines.trial import Trials
from pbx.locale import say
from pbx.media.protocol import Command
from pbx.media_side import MediaSide
from pbx.net.certificate import CertificateError, Identity, Pair, own_identity
from pbx.net.interfaces import AddressWatch, local_addresses
from pbx.net.notify import ServiceNotice
from pbx.net.peer_identity import peer_context
from pbx.net.resolver import Resolver
from pbx.net.transport import SipTransport, StreamPort
from pbx.ops.clock_watch import ClockWatch
from pbx.ops.disk_usage import disk_used
from pbx.ops.faults import about_event, survived
from pbx.ops.health import examine
from pbx.ops.health.facts import Facts, Problem
from pbx.ops.recent_lines import RecentLines
from pbx.record_disk import RecordDisk
from pbx.recording_side import RecordingHealth, SnapshotPolicy, announcement_of
from pbx.registrar.admission import Admission, account_of
from pbx.registrar.authenticator import Authenticator
from pbx.registrar.bindings import Bindings
from pbx.registrar.lamps import Lamps
from pbx.registrar.rows import binding_of, row_of
from pbx.routing.nowhere import leading_nowhere
from pbx.routing.shadowed import no_emergency_numbers, shadowed
from pbx.sip.capabilities import EXCHANGE
from pbx.sip.dispatch import Dispatch, Ticking
from pbx.sip.endpoint import Endpoint
from pbx.sip.events import Event, RequestReceived
from pbx.sip.flow import Address, Flow
from pbx.sip.locate import Answer, Question
from pbx.sip.message import response_to
from pbx.store.repository import Store

log = logging.getLogger(__name__)

EARLY_LIMIT = 500
"""Messages that wait for the end of the start, 64 KiB each at the most."""

HEALTH_S = 5.0
"""How often the health checks look."""

STOP_S = 3.0
"""How long a stopping exchange waits for its BYEs to be answered."""


def token() -> str:
    """Return a fresh random name: 64 bits, as RFC 3261 §19.3 asks of tags (at least 32)."""
    return secrets.token_hex(8)


class App:
    """The running exchange.

    Args:
        folder: the data folder.
        settings: the settings in force.
    """

    def __init__(self, folder: Path, settings: Settings) -> None:
        self._settings = settings
        self._folder = DataFolder(folder)
        self._endpoint = Endpoint(
            token, user_agent=f"miniSIPServer/{__version__}", serves=EXCHANGE, names=True
        )
        self._resolver = Resolver(settings.sip.name_servers, self._resolved)
        files = SoundFiles(
            self._folder.music_files,
            str(self._folder.recordings.absolute()),
            str(self._folder.record.absolute()),
            announcement_of(settings.recording, folder),
        )
        self._exchange = Exchange(self._endpoint, token, settings, files)
        self._bindings = Bindings(settings.sip, self._epoch)
        self._ticking: list[Ticking] = [self._endpoint, self._exchange, self._bindings]
        self._notice = ServiceNotice(os.environ)
        self._outbox: deque[tuple[bytes, Flow]] = deque()
        self._for_engine: list[Command] = []
        self._early: deque[tuple[bytes, Flow]] = deque(maxlen=EARLY_LIMIT)
        self._serving = False
        self._configured = -1
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = 0.0
        self._pumping = False
        self._stopped = asyncio.Event()
        self._stopping = False
        self._quiet = asyncio.Event()
        self._tls_why = ""
        self._board = Noticeboard()

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

        self._log_lines = RecentLines(added)
        root = logging.getLogger()
        root.addHandler(self._log_lines)
        stack.callback(root.removeHandler, self._log_lines)

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
            changed=self._config_changed,
        )
        self._store.open()
        stack.callback(self._store.close)
        self._ledger = Ledger(folder, self._store, settings.cdr)
        unended = self._ledger.open()
        stack.callback(self._ledger.close)
        self._authenticator = Authenticator(
            settings.sip.realm,
            secrets.token_bytes(32),
            lambda number: account_of(self._store.snapshot.users.get(number)),
            self._bindings.standing,
        )
        self._admission = Admission(
            self._endpoint,
            self._exchange,
            self._bindings,
            self._authenticator,
            token,
            lambda: self._store.snapshot,
            settings.services,
            lambda: datetime.now().astimezone(),
        )
        self._lamps = Lamps(
            self._endpoint,
            self._admission,
            self._bindings,
            token,
            lambda: self._store.snapshot,
            settings,
            self._epoch,
            self._store.keep,
        )

        def own(transport: str, host: str) -> Address | None:
            return self._transport.own_address(transport, host)

        self._lines = Lines(self._endpoint, token, lambda: self._store.snapshot, own)
        self._exchange.recordings.policy = SnapshotPolicy(lambda: self._store.snapshot)
        self._exchange.outside = LinesOutside(self._lines, lambda: self._store.snapshot)
        kept = self._store.take_kept(KEPT_AS)
        self._exchange.without_prack = WithoutPrack(
            self._store.keep, self._epoch, lambda: self._store.snapshot.lines, kept
        )
        self._surgery = Surgery(
            self._endpoint, token, self._lines, own, Trials(self._exchange).call
        )
        self._callback = CallBackSide(
            self._exchange.call_backs, self._store, token, self._epoch, self._loop.time, self._pump
        )
        stack.callback(self._callback.close)
        self._ticking += [*self._lamps.ticking, self._lines, self._surgery, self._callback.service]
        owners = [self._exchange, *self._lamps.owners, self._lines, self._surgery]
        self._dispatch = Dispatch(owners, self._newcomer)
        self._restore_bindings()
        self._lamps.restore(self._store.take_kept, self._loop.time())
        self._recording = RecordingHealth(
            self._loop.time, announcement_of(settings.recording, folder.path)
        )
        self._media = MediaSide(
            folder.path / "media.sock",
            settings.media,
            self._exchange,
            self._ledger,
            unended,
            self._epoch,
            self._pump,
            self._recording.ended,
            lambda: survived(self._follow_configuration, lambda: "lines"),
        )
        # Before the engine, so that a port that is taken is told at once. What comes before the
        # engine is there waits: only with it are the calls known that go on after a restart.
        await self._listen(stack)
        stack.callback(self._stop_timer)
        await self._media.supervisor.start()
        stack.push_async_callback(self._media.supervisor.stop)
        self._record_disk = RecordDisk(
            folder.record,
            settings.recording,
            self._exchange.recordings,
            self._pump,
            ClockWatch(),
        )
        for watch in (self._record_disk.keep(), self._recording.watch()):
            stack.callback(self._loop.create_task(watch).cancel)
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
            more=self._more_ports(),
            tls=self._trust(),
        )
        stack.push_async_callback(self._transport.close)
        stack.push_async_callback(self._resolver.close)
        # The watch first, so that no change gets lost between.
        self._moved = asyncio.Event()
        watch = AddressWatch(self._moved.set)
        watch.start()
        stack.callback(watch.stop)
        await self._transport.open(self._hosts())
        following = self._loop.create_task(self._follow())
        stack.callback(following.cancel)

    def _more_ports(self) -> list[StreamPort]:
        """The ports beside UDP's and TCP's; those with TLS only where there is a certificate."""
        sip, context = self._settings.sip, self._identity.context if self._identity else None
        ports = [StreamPort("ws", sip.ws_port, None, sip.ws_origins)]
        if context is not None:
            ports.append(StreamPort("tls", self._settings.tls_port, context))
            ports.append(StreamPort("wss", sip.wss_port, context, sip.ws_origins))
        return [port for port in ports if port.number]

    def _proof(self, hosts: list[str]) -> Identity | None:
        """What TLS needs; None where it is off, or can't be, which is no reason not to start.

        Args:
            hosts: our addresses; a certificate that is made now is good for them.
        """
        if setting := self._settings.tls_yields_to:
            self._tls_why = say("tls-yields", setting=setting, port=TLS_PORT)
            log.warning("%s", self._tls_why)
        if not (self._settings.tls_port or self._settings.sip.wss_port):
            return None
        try:
            return own_identity(self._settings.tls, self._folder, hosts)
        except CertificateError as error:
            log.error("%s", error.sentence)
            self._tls_why = error.sentence
            return None

    def _trust(self) -> ssl.SSLContext | None:
        """What we connect to TLS peers with; None where a file of the settings is unusable."""
        tls, folder = self._settings.tls, self._folder.path
        # What the exchange has made for itself proves nothing to anybody.
        own = Pair(folder / tls.certificate, folder / tls.key) if tls.certificate else None
        try:
            return peer_context(folder / tls.authorities if tls.authorities else None, own)
        except CertificateError as error:
            log.error("%s", error.sentence)
            self._tls_why = self._tls_why or error.sentence
            return None

    def _no_tls(self) -> str:
        """Why there is no TLS or WebSocket, though it is wanted; else empty."""
        listening = {one.partition(" ")[0] for one in self._transport.addresses}
        for port in self._more_ports() if listening else ():
            if port.kind not in listening:
                return say("no-port", kind=port.kind.upper(), port=port.number)
        return self._tls_why

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
            survived(lambda: self._lines.addresses_changed(self._loop.time()), lambda: "addresses")
            self._pump()

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
                engine=lambda: (self._media.supervisor.pid, self._media.supervisor.restarts),
                ticks=lambda: self._media.ticks,
                provisioning_url=provisioning_url,
                changed=self._pump,
                problems=self._problems,
                lines=self._log_lines.after,
                counts=self._media.counts,
                folder=self._folder,
                board=self._board,
                surgery=self._surgery,
                certificate=self._identity.fingerprint if self._identity else "",
                line_states=self._lines.states,
                callback=self._callback.status,
                records_unwritten=lambda: self._exchange.saying_farewell + self._ledger.waiting,
            ),
            settings.sip,
            settings.services,
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
            # Whoever has had its port may be gone
            self._callback.follow()
            self._record_disk.follow()
            found = self._problems()
            if found != told:
                told = found
                self._board.changed("health")
            await asyncio.sleep(HEALTH_S)

    def _problems(self) -> list[Problem]:
        now, database = self._loop.time(), self._store.status
        prack = self._exchange.without_prack
        snapshot, services = self._store.snapshot, self._settings.services
        return examine(
            Facts(
                wall_s=time.time(),
                addresses=tuple(self._transport.addresses),
                engine_pid=self._media.supervisor.pid,
                engine_deaths=self._media.deaths,
                late_ticks_percent=self._media.late_ticks_percent,
                database_ok=database.ok,
                database_why=database.why,
                database_left=str(self._store.left_behind or ""),
                replaced={
                    number: (len(one.users), len(one.lines))
                    for number, one in self._store.replaced.items()
                },
                records_waiting=database.records_waiting,
                records_unwritten=self._ledger.waiting if self._ledger.failing else 0,
                disk_used=disk_used(self._folder.path),
                tls_why=self._no_tls(),
                lost={number: now - since for number, since in self._bindings.lost.items()},
                shadowed=shadowed(snapshot, services),
                services_refused=services.refused,
                no_emergency_numbers=no_emergency_numbers(snapshot),
                nowhere=leading_nowhere(snapshot, services, datetime.now().astimezone()),
                guessing=tuple(self._admission.guessing(now)),
                prack_refused={one: now - since for one, since in prack.contacts.items()},
                prack_lines=tuple(
                    name
                    for name in prack.lines
                    if name in snapshot.lines and snapshot.lines[name].prack != "off"
                ),
                emergency_calls=tuple(
                    (call.facts.caller_number, call.facts.dialed_number)
                    for call in self._exchange.calls.values()
                    if call.facts.emergency
                ),
                callback_open=self._callback.open_to_anybody,
                callback_failure=self._callback.failure,
                recording_failure=self._recording.failure or self._record_disk.trouble,
                announcement_failure=self._recording.announcement_failure,
                recording_stays=self._record_disk.failure,
                recordings_lack_mb=self._record_disk.lacking_mb,
                clock_moved_days=self._record_disk.clock_moved_days,
                lines={
                    state.name: state.trouble
                    for state in self._lines.states()
                    if state.trouble is not None
                },
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
        self._bindings.disconnected(flow, now)
        self._exchange.disconnected(flow)
        self._lamps.disconnected(flow)
        survived(lambda: self._lines.disconnected(flow, now), lambda: str(flow))
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
        if self._stopping and not self._ending:
            self._quiet.set()
        self._set_timer()

    @property
    def _ending(self) -> bool:
        """Whether somebody is still to be waited for at the end."""
        return self._endpoint.pending_requests > 0 or self._exchange.saying_farewell > 0

    def _pump_once(self) -> bool:
        now, busy = self._loop.time(), False
        while (event := self._endpoint.next_event()) is not None:
            busy = True
            self._take(event, now)
        while (output := self._exchange.next_output()) is not None:
            busy = True
            survived(partial(self._carry_out, output), partial(repr, output))
        self._tell_engine()
        busy |= self._flush()
        survived(self._tell_of_users, lambda: "users")
        survived(self._tell_of_lines, lambda: "lines")
        busy |= self._flush()
        survived(self._callback.flush, lambda: "call-back")
        return busy

    def _tell_engine(self) -> None:
        """Send the engine what it is to do all at once, and before phones are told to speak.

        What a call is recorded from is known then when its first packet is passed on.
        """
        if self._for_engine:
            commands, self._for_engine = self._for_engine, []
            survived(lambda: self._media.supervisor.send(commands), partial(repr, commands))

    def _flush(self) -> bool:
        """Send and ask what the endpoint has to; False where that is nothing to send."""
        for question in self._endpoint.questions():
            self._resolver.ask(question)
        self._outbox.extend(self._endpoint.to_send())
        busy = bool(self._outbox)
        while self._outbox:
            data, flow = self._outbox.popleft()
            survived(partial(self._transport.send, data, flow), partial(repr, flow))
        return busy

    def _resolved(self, question: Question, answer: Answer) -> None:
        now = self._loop.time()
        survived(partial(self._endpoint.resolved, question, answer, now), partial(repr, question))
        survived(lambda: self._lines.resolved(now), partial(repr, question))
        survived(lambda: self._surgery.resolved(now), partial(repr, question))
        self._pump()

    def _take(self, event: Event, now: float) -> None:
        """Pass an event to whom it concerns; a request that a fault of ours meets gets a 500."""
        if not survived(lambda: self._dispatch.handle(event, now), lambda: about_event(event)):
            survived(lambda: self._apologise(event, now), lambda: "the answer to that")

    def _newcomer(self, event: RequestReceived, now: float) -> None:
        if self._stopping and event.request.to.tag is None:
            self._turn_away(event, now)
        else:
            self._admission.receive(event, now)

    def _turn_away(self, event: RequestReceived, now: float) -> None:
        """Refuse what begins while the exchange stops."""
        if event.transaction is not None:
            response = response_to(event.request, 503, to_tag=event.transaction.stateless_tag)
            self._endpoint.respond_once(event.transaction, response, now)

    def _apologise(self, event: Event, now: float) -> None:
        """Answer a request that a fault of ours has met, and that has had no final answer yet."""
        if isinstance(event, RequestReceived) and event.transaction is not None:
            response = response_to(event.request, 500, to_tag=token())
            self._endpoint.respond(event.transaction, response, now)

    def _connections_in_use(self) -> set[int]:
        """The connections that a registration or a call needs."""
        phones = self._bindings.flows(self._loop.time())
        calls = (leg.usage.flow for call in self._exchange.calls.values() for leg in call.legs)
        return {flow.connection for flow in (*phones, *calls, *self._lines.flows)}

    def _carry_out(self, output: Output) -> None:
        match output:
            case MediaCommands():
                self._for_engine += output.commands
            case CallChanged():
                self._board.changed("calls")
                facts = output.facts
                parties = facts.caller_number, facts.dialed_number
                log.info("call %s: %s to %s: %s", facts.id, *parties, facts.state)
                self._ledger.changed(facts, self._epoch(), output.state)
                self._lamps.call_changed(facts)
            case CallEnded():
                self._board.changed("calls")
                facts = output.facts
                parties = facts.caller_number, facts.dialed_number
                cause = facts.cause
                why = tag_words(cause.tag, cause.q850) if cause else ""
                log.info("call %s: %s to %s: ended: %s; %s", facts.id, *parties, why, cause)
                if facts.recording_failure:
                    log.warning("call %s: not recorded: %s", facts.id, facts.recording_failure)
                    self._recording.ended(facts.recording_failure)
                self._ledger.ended(facts, self._epoch())
                self._lamps.call_changed(facts)
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
        due = [when for part in self._ticking if (when := part.next_timer()) is not None]
        first = min(due, default=None)
        if self._timer is not None and first == self._timer_due:
            return
        self._stop_timer()
        if first is not None:
            self._timer, self._timer_due = self._loop.call_at(first, self._timer_fired), first

    def _timer_fired(self) -> None:
        self._timer, now = None, self._loop.time()
        for part in self._ticking:
            survived(partial(part.handle_timer, now), lambda: "a timer")
        self._pump()

    def _restore_bindings(self) -> None:
        """Take the registrations from before a restart."""
        now, offset_s = self._loop.time(), self._epoch()
        kept = [binding_of(row, offset_s) for row in self._store.bindings()]
        good = [binding for binding in kept if binding.expires > now]
        self._bindings.restore(good)
        if good:
            log.info("%d registrations are still good", len(good))

    def _tell_of_users(self) -> None:
        """Keep the registrations that have changed, and tell those who watch."""
        offset_s, now = self._epoch(), self._loop.time()
        for number, bindings in self._bindings.take_changed():
            self._board.changed("users")
            self._store.save_bindings(number, [row_of(one, offset_s) for one in bindings])
            self._lamps.located(number, now)
        self._lamps.settle(now)

    def _config_changed(self) -> None:
        self._board.changed("users")
        self._board.changed("lines")
        if self._serving:
            self._pump()

    def _tell_of_lines(self) -> None:
        """Let the lines follow the configuration, and tell those who watch."""
        if self._serving:
            self._follow_configuration()
        if self._lines.take_changed():
            self._board.changed("lines")

    def _follow_configuration(self) -> None:
        """Let the lines and the call-back service follow the configuration."""
        version = self._store.snapshot.version
        if version != self._configured:
            self._configured = version
            self._lines.configured(self._loop.time())
            self._callback.follow()

    async def _hang_up_all(self) -> None:
        """End every call and wait a moment for the peers to hear of it."""
        self._exchange.stop(self._loop.time())
        self._lines.stop(self._loop.time())
        self._stopping = True
        self._pump()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._quiet.wait(), STOP_S)
        self._exchange.settle()
        self._pump()
