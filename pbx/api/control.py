"""What the control API shows and changes of the running exchange."""

import asyncio
import datetime
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pbx import __version__
from pbx.api import schema
from pbx.api.provisioning import SipAccount
from pbx.call.exchange import Exchange
from pbx.config.settings import SipSettings
from pbx.errors import CommandError
from pbx.locale import english
from pbx.registrar.bindings import Binding, Bindings
from pbx.store.repository import Store
from pbx.store.snapshot import Account

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outside:
    """What `Control` needs of the parts around it.

    Args:
        clock: the exchange's monotonic seconds.
        addresses: where phones can register.
        engine: the media engine's process id (0: none) and how often it was restarted.
        provisioning_url: what a softphone reads to become a user's; empty where HTTP is off.
        changed: called after calls or bindings were changed here.
    """

    clock: Callable[[], float]
    addresses: Callable[[], list[str]]
    engine: Callable[[], tuple[int, int]]
    provisioning_url: Callable[[str], str]
    changed: Callable[[], None]


class Control:
    """The exchange as the control API's target (`pbx.api.server.ControlTarget`).

    Args:
        store: users and the database's state.
        exchange: the running calls.
        bindings: who is registered.
        outside: everything else.
        sip: the port and realm that phones are set up with.
    """

    def __init__(
        self,
        store: Store,
        exchange: Exchange,
        bindings: Bindings,
        outside: Outside,
        sip: SipSettings,
    ) -> None:
        self._store = store
        self._exchange = exchange
        self._bindings = bindings
        self._outside = outside
        self._sip = sip
        self._begun = outside.clock()

    def status(self) -> schema.Status:
        """Return how the exchange is."""
        now = self._outside.clock()
        users = self._store.snapshot.users
        database = self._store.status
        pid, restarts = self._outside.engine()
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
        )

    def users(self) -> list[schema.User]:
        """Return all local users, in the order of their numbers."""
        now = self._outside.clock()
        states = self._states()
        found = []
        for number, user in sorted(self._store.snapshot.users.items(), key=_by_number):
            contacts = [_contact(one, now) for one in self._bindings.of(number, now)]
            state = states.get(number, "idle" if contacts else "offline")
            found.append(
                schema.User(
                    number=number, display_name=user.display_name, state=state, contacts=contacts
                )
            )
        return found

    def _states(self) -> dict[str, str]:
        """``ringing`` or ``talking`` for everybody who is in a call."""
        states: dict[str, str] = {}
        for call in self._exchange.calls.values():
            talking = call.facts.talk is not None
            for number in (call.facts.caller_number, call.facts.called_number):
                if talking or states.get(number) != "talking":
                    states[number] = "talking" if talking else "ringing"
        return states

    def calls(self) -> list[schema.RunningCall]:
        """Return the calls that have not ended, the oldest first."""
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
            )
            for facts in (call.facts for call in self._exchange.calls.values())
        ]

    def hangup(self, call_id: str) -> None:
        """End a call."""
        if not self._exchange.hang_up(call_id, self._outside.clock()):
            raise CommandError("unknown-call", english("unknown-call"))
        self._outside.changed()

    async def add_user(
        self, number: str, password: str | None, display_name: str
    ) -> schema.NewUser:
        """Make a user."""
        done: asyncio.Future[Account] = asyncio.get_running_loop().create_future()
        self._store.add_user(number, password, display_name, _settle(done))
        return _new_user(await done)

    async def set_password(self, number: str, password: str | None) -> schema.NewUser:
        """Give a user another password; its phones must register again with it."""
        done: asyncio.Future[Account] = asyncio.get_running_loop().create_future()
        self._store.set_password(number, password, _settle(done))
        account = await done
        self._forget(number)
        return _new_user(account)

    async def set_algorithm(self, number: str, algorithm: str) -> None:
        """Challenge a user with another algorithm from now on."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._store.set_algorithm(number, algorithm, _settle(done))
        await done

    async def remove_user(self, number: str) -> None:
        """Remove a user and what it has registered."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._store.remove_user(number, _settle(done))
        await done
        self._forget(number)

    def _forget(self, number: str) -> None:
        self._bindings.forget(number)
        self._outside.changed()

    def initial_account(self, number: str) -> SipAccount | None:
        """Return what sets a phone up, while the user has the password of the first start."""
        password = self._store.initial_passwords().get(number)
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


def _by_number(item: tuple[str, object]) -> tuple[int, str]:
    """How numbers are sorted: 99 before 100, and 0100 after both."""
    return len(item[0]), item[0]


def _contact(binding: Binding, now: float) -> schema.Contact:
    return schema.Contact(
        uri=binding.uri,
        source=str(binding.flow),
        user_agent=binding.user_agent,
        expires_s=round(binding.expires - now, 1),
    )


def _new_user(account: Account) -> schema.NewUser:
    return schema.NewUser(number=account.number, password=account.password)


def _settle(done: "asyncio.Future[T]") -> "Callable[[T | CommandError], None]":
    """Return a callback that completes `done`, unless its waiter has gone."""

    def settle(outcome: T | CommandError) -> None:
        if done.done():
            return
        if isinstance(outcome, CommandError):
            done.set_exception(outcome)
        else:
            done.set_result(outcome)

    return settle
