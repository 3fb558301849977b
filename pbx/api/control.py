"""What the control API shows and changes of the running exchange."""

import asyncio
import datetime
import logging
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from pbx import __version__
from pbx.api import schema
from pbx.api.configuring import Configuring, settled, states_of
from pbx.api.examining import Examining
from pbx.api.noticeboard import Noticeboard
from pbx.api.provisioning import SipAccount
from pbx.api.recordings import RecordedCalls
from pbx.api.rooms import ConferenceRooms, seat_of
from pbx.call.exchange import Exchange
from pbx.call.quality import Quality, qualities
from pbx.config.data_folder import DataFolder
from pbx.config.settings import ServiceSettings, SipSettings
from pbx.errors import CommandError
from pbx.lines.state import LineState
from pbx.lines.surgery import Surgery
from pbx.locale import english
from pbx.media.protocol import Counts
from pbx.registrar.binding import Binding
from pbx.registrar.bindings import Bindings
from pbx.store.repository import Store
from pbx.store.snapshot import Account, LocalUser

log = logging.getLogger(__name__)

FRESH_S = 900.0
"""How long a password that was just given can be fetched by a softphone."""


class Finding(Protocol):
    """What a health check found."""

    @property
    def slug(self) -> str:
        """Which check."""
        ...

    @property
    def failed(self) -> bool:
        """Whether no call can be made."""
        ...

    @property
    def values(self) -> Mapping[str, str]:
        """What belongs into the sentence."""
        ...


class Logged(Protocol):
    """A line of the log."""

    @property
    def number(self) -> int:
        """Counts up from 1."""
        ...

    @property
    def when(self) -> str:
        """ISO 8601 with offset."""
        ...

    @property
    def level(self) -> str:
        """``info``, ``warning`` or ``error``."""
        ...

    @property
    def text(self) -> str:
        """Without control characters."""
        ...


@dataclass(frozen=True, slots=True)
class Outside:
    """What `Control` needs of the parts around it.

    Args:
        clock: the exchange's monotonic seconds.
        addresses: where phones can register.
        engine: the media engine's process id (0: none) and how often it was restarted.
        ticks: its ticks, and the late ones of them, as it has told lately.
        provisioning_url: what a softphone reads to become a user's; empty where HTTP is off.
        changed: called after calls or bindings were changed here.
        problems: what the health checks find, the worst first.
        lines: the log's lines after a number.
        counts: the media engine's counts of now; None where it doesn't tell them.
        folder: the data folder.
        board: where changes are told.
        surgery: where lines are examined.
        certificate: the TLS certificate's SHA-256 fingerprint; empty without TLS.
        line_states: how the lines are.
        callback: how the call-back service is.
        records_unwritten: what of call records and running calls is not in its file yet.
    """

    clock: Callable[[], float]
    addresses: Callable[[], list[str]]
    engine: Callable[[], tuple[int, int]]
    ticks: Callable[[], tuple[int, int]]
    provisioning_url: Callable[[str], str]
    changed: Callable[[], None]
    problems: Callable[[], Iterable[Finding]]
    lines: Callable[[int], Iterable[Logged]]
    counts: Callable[[], Awaitable[Counts | None]]
    folder: DataFolder
    board: Noticeboard
    surgery: Surgery
    certificate: str
    line_states: Callable[[], Iterable[LineState]]
    callback: Callable[[], schema.CallBack]
    records_unwritten: Callable[[], int]


class Control:
    """The exchange as the control API's target (`pbx.api.server.ControlTarget`).

    Args:
        store: users and the database's state.
        exchange: the running calls.
        bindings: who is registered.
        outside: everything else.
        sip: the port and realm that phones are set up with.
        services: the numbers that the exchange itself answers.
    """

    def __init__(
        self,
        store: Store,
        exchange: Exchange,
        bindings: Bindings,
        outside: Outside,
        sip: SipSettings,
        services: ServiceSettings,
    ) -> None:
        self.configuring = Configuring(
            store,
            services,
            lambda: states_of(outside.line_states(), outside.clock(), exchange.without_prack.lines),
            exchange.capacity.of_line,
            lambda name: exchange.without_prack.forget(name),
            outside.callback,
        )
        self.examining = Examining(
            outside.surgery, lambda: store.snapshot, outside.clock, outside.changed, outside.counts
        )
        self.recordings = RecordedCalls(outside.folder.record, lambda: exchange.recordings.running)
        self.rooms = ConferenceRooms(exchange, outside.clock, outside.counts, outside.changed)
        self._store = store
        self._exchange = exchange
        self._bindings = bindings
        self._outside = outside
        self._sip = sip
        self._begun = outside.clock()
        self._fresh: dict[str, tuple[str, float]] = {}

    def status(self) -> schema.Status:
        """Return how the exchange is."""
        now = self._outside.clock()
        users = self._store.snapshot.users
        database = self._store.status
        pid, restarts = self._outside.engine()
        ticks, late_ticks = self._outside.ticks()
        return schema.Status(
            version=__version__,
            pid=os.getpid(),
            uptime_s=round(now - self._begun, 1),
            addresses=self._outside.addresses(),
            database=database.database,
            database_ok=database.ok,
            records_waiting=database.records_waiting,
            users=len(users),
            users_registered=sum(bool(self._bindings.of(number, now)) for number in users),
            calls=len(self._exchange.calls),
            calls_total=self._exchange.calls_total,
            engine_pid=pid,
            engine_restarts=restarts,
            streams_free=self._exchange.pool.free,
            certificate=self._outside.certificate,
            callback=self._outside.callback(),
            engine_ticks=ticks,
            engine_late_ticks=late_ticks,
            records_unwritten=self._outside.records_unwritten(),
        )

    def users(self) -> list[schema.User]:
        """Return all local users, in the order of their numbers."""
        now = self._outside.clock()
        states = self._states()
        found = []
        for number, user in sorted(self._store.snapshot.users.items(), key=_by_number):
            contacts = [_contact(one, now) for one in self._bindings.of(number, now)]
            state = states.get(number, "idle" if contacts else "offline")
            found.append(_user(user, state, contacts))
        return found

    def _states(self) -> dict[str, str]:
        """``ringing`` or ``talking`` for everybody who is in a call."""
        states: dict[str, str] = {}
        for call in self._exchange.calls.values():
            talking = call.facts.talk is not None
            facts = call.facts
            for number, line in (
                (facts.caller_number, facts.caller_line),
                (facts.called_number, facts.called_line),
            ):
                if line:
                    continue
                if talking or states.get(number) != "talking":
                    states[number] = "talking" if talking else "ringing"
        return states

    async def calls(self) -> list[schema.RunningCall]:
        """Return the calls that have not ended, the oldest first."""
        counts = await self._outside.counts() if self._exchange.calls else None
        now = self._outside.clock()
        wall = datetime.datetime.now().astimezone()
        return [
            schema.RunningCall(
                id=facts.id,
                caller=facts.caller_number,
                called=facts.dialed_number,
                state=facts.state,
                since=(wall - datetime.timedelta(seconds=now - facts.setup)).isoformat(
                    timespec="seconds"
                ),
                talk_s=round(now - facts.talk, 1) if facts.talk is not None else 0.0,
                codec=facts.codec,
                called_codec=facts.called_codec,
                recording=call.recording,
                room="" if seat is None else seat.room,
                muted=seat is not None and seat.heard.muted,
                caller_sound=_sound(caller),
                called_sound=_sound(called),
            )
            for call, facts in ((one, one.facts) for one in self._exchange.calls.values())
            for caller, called in [qualities(facts.codecs, call.sound_ports, counts)]
            for seat in [seat_of(call)]
        ]

    def hangup(self, call_id: str) -> None:
        """End a call."""
        if not self._exchange.hang_up(call_id, self._outside.clock()):
            raise CommandError("unknown-call", english("unknown-call"))
        self._outside.changed()

    async def record(self, call_id: str, *, stereo: bool) -> schema.Recording:
        """Record a call from now on; with a track for each party also where the settings say so."""
        call = self._exchange.calls.get(call_id)
        if call is None:
            raise CommandError("unknown-call", english("unknown-call"))
        folder, facts = self._outside.folder, call.facts
        now = datetime.datetime.now().astimezone()
        try:
            # The disk may hang
            file = await asyncio.to_thread(
                folder.new_recording, now, facts.caller_number, facts.called_number, call_id
            )
        except OSError as error:
            why = error.strerror or str(error)
            raise CommandError("no-record-folder", english("no-record-folder", why=why)) from error
        stereo = stereo or self._exchange.settings.recording.stereo
        self._recorded(self._exchange.recordings.record(call_id, file, stereo=stereo))
        return schema.Recording(file=str((folder.record / file).absolute()))

    def stop_recording(self, call_id: str) -> None:
        """End the recording of a call."""
        self._recorded(self._exchange.recordings.stop(call_id))

    def _recorded(self, refusal: str) -> None:
        self._outside.changed()
        if refusal:
            raise CommandError(refusal, english(refusal))

    async def add_user(
        self, number: str, password: str | None, display_name: str
    ) -> schema.NewUser:
        """Make a user."""
        return self._new_user(
            await settled(partial(self._store.add_user, number, password, display_name))
        )

    async def set_password(self, number: str, password: str | None) -> schema.NewUser:
        """Give a user another password; its phones must register again with it."""
        account = await settled(partial(self._store.set_password, number, password))
        self._forget(number)
        return self._new_user(account)

    def _new_user(self, account: Account) -> schema.NewUser:
        self._fresh[account.number] = account.password, self._outside.clock() + FRESH_S
        return schema.NewUser(
            number=account.number,
            password=account.password,
            provisioning_url=self._outside.provisioning_url(account.number),
        )

    async def set_algorithm(self, number: str, algorithm: str) -> None:
        """Challenge a user with another algorithm from now on."""
        await settled(partial(self._store.set_algorithm, number, algorithm))

    async def remove_user(self, number: str) -> None:
        """Remove a user and what it has registered."""
        await settled(partial(self._store.remove_user, number))
        self._forget(number)

    def _forget(self, number: str) -> None:
        self._fresh.pop(number, None)
        self._bindings.forget(number)
        self._outside.changed()

    def initial_account(self, number: str) -> SipAccount | None:
        """Return what sets a phone up, while the password is known.

        That is the one of the first start until it is changed, and any other for `FRESH_S`.
        """
        fresh, until = self._fresh.get(number, ("", 0.0))
        if self._outside.clock() > until:
            self._fresh.pop(number, None)
            fresh = ""
        password = fresh or self._store.initial_passwords().get(number)
        user = self._store.snapshot.users.get(number)
        if password is None or user is None:
            return None
        return SipAccount(number, user.display_name, password, self._sip.realm, self._sip.port)

    def welcome(self) -> schema.Welcome:
        """Return what a person needs to register the first phones."""
        passwords = self._store.initial_passwords()
        return schema.Welcome(
            addresses=self._outside.addresses(),
            users=[
                schema.WelcomeUser(
                    number=number,
                    password=password,
                    provisioning_url=self._outside.provisioning_url(number),
                )
                for number, password in sorted(passwords.items(), key=_by_number)
            ],
        )

    # ---------------------------------------------------------------- watching

    def health(self) -> schema.Health:
        """Return how the exchange is, in a word, and what to look at."""
        problems = [
            schema.Problem(
                slug=one.slug,
                severity="failed" if one.failed else "attention",
                values=dict(one.values),
            )
            for one in self._outside.problems()
        ]
        return schema.Health(state=problems[0].severity if problems else "ready", problems=problems)

    def log(self, after: str) -> list[schema.LogLine]:
        """Return the log's last lines, those after line `after` only."""
        if not (after.isascii() and after.isdigit()):
            raise CommandError("bad-line", english("bad-line"))
        return [
            schema.LogLine(number=one.number, when=one.when, level=one.level, text=one.text)
            for one in self._outside.lines(int(after[:18]))
        ]

    async def watch(self, mark: str) -> schema.Changes:
        """Wait until something has changed since `mark`."""
        return await self._outside.board.watch(mark)

    def note_hardware(self, kind: str, event: str, name: str, port: str) -> None:
        """Tell the log what happened to a piece of hardware."""
        if kind not in schema.HARDWARE_KINDS or event not in schema.HARDWARE_EVENTS:
            raise CommandError("bad-hardware", english("bad-hardware"))
        level = logging.WARNING if event == "warning" else logging.INFO
        where = f" at {port[:200]}" if port else ""
        log.log(level, "hardware: %s %s: %s%s", kind, event, name[:200], where)


def _by_number(item: tuple[str, object]) -> tuple[int, str]:
    """How numbers are sorted: 99 before 100, and 0100 after both."""
    return len(item[0]), item[0]


def _user(user: LocalUser, state: str, contacts: list[schema.Contact]) -> schema.User:
    return schema.User(
        number=user.number,
        display_name=user.display_name,
        state=state,
        contacts=contacts,
        call_level=user.call_level,
        outside_number=user.outside_number,
        emergency_number=user.emergency_number,
        most_calls=user.most_calls,
        most_outgoing=user.most_outgoing,
        record=user.record,
        record_by_code=user.record_by_code,
    )


def _contact(binding: Binding, now: float) -> schema.Contact:
    return schema.Contact(
        uri=binding.uri,
        source=str(binding.flow),
        user_agent=binding.user_agent,
        expires_s=round(binding.expires - now, 1),
    )


def _sound(quality: Quality | None) -> schema.Sound | None:
    if quality is None:
        return None
    return schema.Sound(
        loss_percent=quality.loss_percent,
        jitter_ms=quality.jitter_ms,
        mos=quality.mos,
        heard_mos=quality.heard_mos,
        worst_loss_percent=quality.worst_loss_percent,
        reordered=quality.reordered,
        delay_ms=quality.delay_ms,
        round_trip_ms=quality.round_trip_ms,
        heard_loss_percent=quality.heard_loss_percent,
        level_dbov=quality.level_dbov,
        speaks=quality.speaks,
        late_ticks=quality.late_ticks,
    )
