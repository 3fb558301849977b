"""An exchange on a fake clock, and its phones.

Nothing here opens a socket: what the exchange sends is laid into the phones' inboxes.
"""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from pbx.call.exchange import Exchange
from pbx.call.facts import CallFacts
from pbx.call.journal import CallState
from pbx.call.outputs import CallChanged, CallEnded, Discard, MediaCommands, Output
from pbx.call.services.directory import SoundFiles
from pbx.config.dial_plan import DialPlan
from pbx.config.line import Line
from pbx.config.recording import RecordingSettings
from pbx.config.settings import (
    CallSettings,
    LampSettings,
    MediaSettings,
    MessageSettings,
    ServiceSettings,
    Settings,
    SipSettings,
)
from pbx.lines.lines import Lines
from pbx.lines.outside import LinesOutside
from pbx.media.protocol import (
    Command,
    Ready,
    Release,
    Released,
    StopVoice,
    Stream,
    StreamCounts,
    Voice,
)
from pbx.recording_side import SnapshotPolicy
from pbx.registrar.admission import Admission, account_of
from pbx.registrar.authenticator import Authenticator
from pbx.registrar.bindings import Bindings
from pbx.registrar.lamps import KINDS, Lamps
from pbx.sip import digest
from pbx.sip.capabilities import EXCHANGE
from pbx.sip.dispatch import Dispatch, Ticking
from pbx.sip.endpoint import Endpoint
from pbx.sip.flow import Address, Flow
from pbx.sip.locate import Answer, Question, Record
from pbx.sip.message import Request
from pbx.store.snapshot import LocalUser, Snapshot
from tests.call.phone import HOME, Invite, Phone

__all__ = ["HOME", "Invite", "Office", "Phone", "established", "talking"]

REALM = "minisipserver"
EPOCH = 1_700_000_000.0 - 1000.0
"""When the office's clock was 0, in seconds since 1970."""

CODED = ("PCMU", "PCMA", "G722", "GSM", "G726-32", "L16", "opus", "CN", "telephone-event")
"""What the media engine can code."""


def stream_counts(
    port: int, received: int = 0, lost: int = 0, jitter_ms: float = 0
) -> StreamCounts:
    """What the media engine has counted of a stream."""
    return StreamCounts(port, received, 160 * received, 0, 0, 0, lost, 0, 0, 0, 0, jitter_ms, None)


Wire = Callable[[bytes], int]
"""How often a message arrives: 0 for lost, 2 for repeated."""


class Peer(Protocol):
    """Who hears what the exchange sends."""

    def deliver(self, data: bytes, flow: Flow) -> None: ...


class Office:
    """The exchange with users 100 to 103, whose passwords are ``pw`` and the number."""

    def __init__(
        self,
        limits: CallSettings | None = None,
        ports: int = 20,
        sip: SipSettings | None = None,
        services: ServiceSettings | None = None,
        media: MediaSettings | None = None,
        messages: MessageSettings | None = None,
        lamps: LampSettings | None = None,
        recording: RecordingSettings | None = None,
        *,
        kept: dict[tuple[str, str], bytes] | None = None,
        engine: bool = True,
    ) -> None:
        self.now = 1000.0
        self.serial = itertools.count(1)
        self.wire: Wire = lambda data: 1
        self.settings = Settings(
            calls=limits or CallSettings(),
            sip=sip or SipSettings(),
            services=services or ServiceSettings(),
            media=media or MediaSettings(),
            messages=messages or MessageSettings(),
            lamps=lamps or LampSettings(),
            recording=recording or RecordingSettings(),
        )
        self.tunes: list[str] = []
        self.discarded: list[str] = []
        tokens = (f"{number:016x}" for number in itertools.count(1))
        self.tokens = lambda: next(tokens)
        users = [self._user(str(number)) for number in range(100, 104)]
        self.snapshot = Snapshot.of(1, users)
        self.endpoint = Endpoint(
            self.tokens,
            user_agent="office",
            serves=EXCHANGE,
            names=True,
        )
        self.names: dict[Question, tuple[Record, ...]] = {}
        """What DNS knows."""
        announcement = self.settings.recording.announce
        files = SoundFiles(lambda: self.tunes, "recordings", "record", announcement)
        self.exchange = Exchange(self.endpoint, self.tokens, self.settings, files)
        self.exchange.recordings.policy = SnapshotPolicy(lambda: self.snapshot)
        self.bindings = Bindings(self.settings.sip, lambda: EPOCH)
        authenticator = Authenticator(
            REALM,
            b"key",
            lambda number: account_of(self.snapshot.users.get(number)),
            self.bindings.standing,
        )
        self.admission = Admission(
            self.endpoint,
            self.exchange,
            self.bindings,
            authenticator,
            self.tokens,
            lambda: self.snapshot,
            self.settings.services,
            lambda: datetime.fromtimestamp(EPOCH + self.now, UTC),
        )
        self.kept = {} if kept is None else kept
        self.lamps = Lamps(
            self.endpoint,
            self.admission,
            self.bindings,
            self.tokens,
            lambda: self.snapshot,
            self.settings,
            lambda: EPOCH,
            self._keep,
        )
        self.lines = Lines(self.endpoint, self.tokens, lambda: self.snapshot, self._local_for)
        self.exchange.outside = LinesOutside(self.lines, lambda: self.snapshot)
        owners = [self.exchange, *self.lamps.owners, self.lines]
        self.dispatch = Dispatch(owners, self.admission.receive)
        self.phones: dict[Address, Peer] = {}
        self.ticking: list[Ticking] = [self.endpoint, self.exchange, self.bindings]
        self.ticking += [*self.lamps.ticking, self.lines]
        self.media: list[Command] = []
        self.changed: list[str] = []
        self.journal: dict[str, CallState | None] = {}
        """What is kept of each call, by its name."""
        self.ended: list[CallFacts] = []
        self.engine_counts = True
        self.counts: dict[int, StreamCounts] = {}
        self.ports = ports if engine else 0
        if engine:
            self.engine_ready()

    def engine_ready(
        self,
        streams: Iterable[int] = (),
        codecs: Iterable[str] = CODED,
        first_port: int = 20000,
        recordings: Iterable[int] = (),
    ) -> None:
        """A media engine has come up; in it run `streams` and `recordings`."""
        ports = [first_port + 2 * number for number in range(self.ports)]
        ready = Ready(1, 1, ports, [*streams], True, [*codecs], recordings=[*recordings])
        self.exchange.engine_ready(ready, self.now)

    @staticmethod
    def _user(number: str) -> LocalUser:
        def ha1(algorithm: str) -> str:
            return digest.ha1(number, REALM, f"pw{number}", algorithm)

        return LocalUser(number, f"User {number}", ha1("MD5"), ha1("SHA-256"))

    def phone(
        self, number: str, host: str | None = None, *, register: bool = True, connection: int = 0
    ) -> Phone:
        """A phone of `number`, registered unless said otherwise."""
        address = Address(host or f"192.0.2.{int(number) - 90}", 5060)
        phone = self.phones[address] = Phone(self, number, address, connection)
        if register:
            phone.register()
        return phone

    # ---------------------------------------------------------------- over a restart

    def _keep(self, kind: str, name: str, value: bytes | None) -> None:
        assert kind in KINDS
        # As a database does: only texts.
        assert len(name.encode()) <= 128
        assert value is None or value.decode().isprintable()
        if value is None:
            self.kept.pop((kind, name), None)
        else:
            self.kept[kind, name] = value

    def of_kind(self, kind: str) -> list[bytes]:
        """What is kept of a kind."""
        return [value for key, value in self.kept.items() if key[0] == kind]

    def restore(self) -> None:
        """Begin with what was kept before a restart."""
        self.lamps.restore(self.of_kind, self.now)
        self.pump()

    def remove_user(self, number: str) -> None:
        """Remove a user, as the administrator does."""
        users = [user for user in self.snapshot.users.values() if user.number != number]
        self._configure(users)
        self.bindings.forget(number)
        self.pump()

    def set_password(self, number: str, password: str) -> None:
        """Give a user another password, as the administrator does."""
        self._change(number, ha1_md5=digest.ha1(number, REALM, password, "MD5"))
        self.bindings.forget(number)
        self.pump()

    def name_user(self, number: str, name: str) -> None:
        """Give a user another display name, as the administrator does."""
        self._change(number, display_name=name)

    def configure(self, *lines: Line, plan: DialPlan | None = None) -> None:
        """Have these lines from now on, and this dial plan, as the administrator does."""
        self._configure([*self.snapshot.users.values()], lines, plan)
        self.lines.configured(self.now)
        self.pump()

    def _configure(
        self,
        users: Iterable[LocalUser],
        lines: Iterable[Line] | None = None,
        plan: DialPlan | None = None,
    ) -> None:
        before = self.snapshot
        lines = before.lines.values() if lines is None else lines
        self.snapshot = Snapshot.of(before.version + 1, users, lines, plan or before.plan)

    def change_user(self, number: str, **changes: object) -> None:
        """Give a user other rights, as the administrator does."""
        self._change(number, **changes)

    @staticmethod
    def _local_for(transport: str, host: str) -> Address | None:
        return Address(HOME.host, 5061 if transport == "tls" else HOME.port)

    def _change(self, number: str, **changes: object) -> None:
        users = [
            replace(user, **changes) if user.number == number else user  # type: ignore[arg-type]
            for user in self.snapshot.users.values()
        ]
        self._configure(users)

    # ---------------------------------------------------------------- the network

    def hear(self, data: bytes, flow: Flow) -> None:
        """Carry a message to the exchange, as often as the wire lets it through."""
        for _ in range(self.wire(data)):
            self.endpoint.receive(data, flow, self.now)
            self.pump()

    def disconnect(self, phone: Phone) -> None:
        """End a phone's connection, as the transport tells it."""
        self.bindings.disconnected(phone.flow, self.now)
        self.exchange.disconnected(phone.flow)
        self.lamps.disconnected(phone.flow)
        self.lines.disconnected(phone.flow, self.now)
        self.endpoint.flow_failed(phone.flow, "closed", self.now)
        phone.connection = 0
        self.pump()

    def pump(self) -> None:
        """Carry every consequence through, as the application does."""
        busy = True
        while busy:
            busy = False
            while (event := self.endpoint.next_event()) is not None:
                busy = True
                self.dispatch.handle(event, self.now)
            while (output := self.exchange.next_output()) is not None:
                busy = True
                self._note(output)
            for number, _ in self.bindings.take_changed():
                self.lamps.located(number, self.now)
            self.lamps.settle(self.now)
            for question in self.endpoint.questions():
                busy = True
                answer = Answer(self.names.get(question, ()), 60)
                self.endpoint.resolved(question, answer, self.now)
                self.lines.resolved(self.now)
            for data, flow in self.endpoint.to_send():
                busy = True
                peer = self.phones.get(flow.remote)
                for _ in range(self.wire(data) if peer is not None else 0):
                    assert peer is not None
                    peer.deliver(data, flow)

    def _engine_hears(self, commands: Iterable[Command]) -> None:
        """Count released streams for the last time, as the media engine does at once."""
        for one in commands:
            for port in one.ports if isinstance(one, Release) and self.engine_counts else ():
                self.exchange.released(Released(self.counts.pop(port, stream_counts(port))))

    def released(self, counts: StreamCounts) -> None:
        """The media engine counts a released stream for the last time."""
        self.exchange.released(Released(counts))
        self.pump()

    def _note(self, output: Output) -> None:
        match output:
            case MediaCommands():
                self.media += output.commands
                self._engine_hears(output.commands)
            case CallChanged():
                self.changed.append(output.facts.state)
                self.journal[output.facts.id] = output.state
                self.lamps.call_changed(output.facts)
            case CallEnded():
                self.lamps.call_changed(output.facts)
                self.ended.append(output.facts)
                self.journal.pop(output.facts.id, None)
            case Discard():
                self.discarded.append(output.path)

    def advance(self, seconds: float) -> None:
        """Let time pass, stopping at each timer."""
        end = self.now + seconds
        while True:
            due = [
                when
                for when in (part.next_timer() for part in self.ticking)
                if when is not None and when <= end
            ]
            if not due:
                break
            self.now = max(self.now, min(due))
            for part in self.ticking:
                part.handle_timer(self.now)
            self.pump()
        self.now = end

    # ---------------------------------------------------------------- what a test looks at

    def streams(self) -> dict[int, Stream]:
        """The streams as the engine was last told, those included that have ended."""
        return {one.port: one for one in self.media if isinstance(one, Stream)}

    def running(self) -> dict[int, Stream]:
        """The streams that run."""
        streams: dict[int, Stream] = {}
        for command in self.media:
            if isinstance(command, Stream):
                streams[command.port] = command
            elif isinstance(command, Release):
                for port in command.ports:
                    del streams[port]
        return streams

    def voices(self) -> dict[int, Voice]:
        """The voices that run, by port."""
        voices: dict[int, Voice] = {}
        for command in self.media:
            match command:
                case Voice():
                    voices[command.port] = command
                case StopVoice():
                    del voices[command.port]
                case Release():
                    for port in command.ports:
                        voices.pop(port, None)
        return voices

    def cause(self) -> tuple[str, int]:
        """Tag and Q.850 cause of the one call that has ended."""
        (facts,) = self.ended
        assert facts.cause is not None
        return facts.cause.tag.name, facts.cause.q850

    def assert_private(self) -> None:
        """No stream leads out of its call."""
        running = self.running()
        for call in self.exchange.calls.values():
            ports = {port for leg in call.legs for port in leg.media.ports}
            assert {running[port].sink for port in ports & running.keys()} <= ports | {0}
            partners = {one.partner for port, one in self.voices().items() if port in ports}
            assert partners <= ports | {0}

    def assert_empty(self) -> None:
        """Nothing is left of any call: no entry, timer, transaction or port."""
        exchange = self.exchange
        assert exchange.calls == {}
        assert exchange._owners == {}
        assert exchange._by_key == {}
        assert exchange._by_invite == {}
        assert exchange.next_timer() is None
        assert self.endpoint.transaction_count == 0
        assert exchange.pool.free == self.ports
        assert len(exchange.services.rooms) == 0
        assert self.running() == {}
        assert len(self.ended) == exchange.calls_total


def talking(alice: Phone, bob: Phone) -> tuple[Invite, Request]:
    """Return alice's answered call to bob, and bob's INVITE."""
    call = alice.invite(bob.number, call_id=f"call-{alice.number}")
    invite = bob.hears("INVITE")
    bob.respond(invite, 180, "Ringing")
    alice.response(180)
    bob.respond(invite, 200, "OK", bob.sdp())
    bob.hears("ACK")
    call.answered()
    call.ack()
    return call, invite


def established(office: Office) -> tuple[Phone, Phone, Invite, Request]:
    """Return alice (100), bob (101), alice's call, and bob's INVITE, in an answered call."""
    alice, bob = office.phone("100"), office.phone("101")
    return alice, bob, *talking(alice, bob)
