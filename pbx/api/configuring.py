"""Lines, dial plan, users' rights and call-back service for the control API."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Protocol, TypeVar

import msgspec

from pbx.api import schema
from pbx.api.route_test import explain_route
from pbx.config import fields
from pbx.config.line import Line
from pbx.config.refusal import command_error
from pbx.config.settings import ServiceSettings
from pbx.errors import CommandError
from pbx.lines.profile import fill, profile_of
from pbx.lines.state import LineState, Phase
from pbx.store.repository import Store

log = logging.getLogger(__name__)

T = TypeVar("T")

_OF_ITS_OWN = ("name", "kind", "enabled", "password")
"""Fields of a line that aren't among its options for clients."""


class ConfiguringTarget(Protocol):
    """The part of the control API that changes lines, dial plan and rights."""

    def lines(self) -> list[schema.Line]:
        """Return all lines, by name."""
        ...

    async def add_line(self, name: str, options: str) -> None:
        """Add a line with options (a JSON object)."""
        ...

    async def set_line(self, name: str, options: str) -> None:
        """Give a line other options (a JSON object)."""
        ...

    async def remove_line(self, name: str) -> None:
        """Remove a line."""
        ...

    def plan(self) -> schema.Plan:
        """Return the dial plan."""
        ...

    def export(self, *, secrets: bool) -> schema.Plan:
        """Return the dial plan with the lines, their passwords only with `secrets`."""
        ...

    async def set_plan(self, tables: str, version: str) -> None:
        """Give the dial plan other tables (a JSON object), all lines perhaps among them."""
        ...

    async def set_user(self, number: str, options: str) -> None:
        """Give a user other rights (a JSON object)."""
        ...

    def configurations(self) -> list[schema.ReplacedConfiguration]:
        """Return the configurations that gave way to another one, by number."""
        ...

    async def restore_configuration(self, number: str) -> None:
        """Take one of them into use, and keep the one that is in use now."""
        ...

    async def discard_configuration(self, number: str) -> None:
        """Keep one of them no more."""
        ...

    def callback(self) -> schema.CallBack:
        """Return how the call-back service is."""
        ...

    async def set_callback(self, options: str) -> None:
        """Give the call-back service other settings (a JSON object)."""
        ...

    def route(self, caller: str, called: str, line: str, at: str) -> schema.RouteTest:
        """Return where a number would lead."""
        ...


class Configuring:
    """The `ConfiguringTarget` on a store.

    Args:
        store: what is configured.
        services: the numbers that the exchange itself answers.
        states: how the lines are now, by name.
        calls: how many calls have come in by a line, and how many have gone out, and go on.
        retried: is told of a line whose owner has said what it can do about PRACK.
        callback: how the call-back service is; None for its settings alone.
    """

    def __init__(
        self,
        store: Store,
        services: ServiceSettings,
        states: Callable[[], Mapping[str, schema.LineState]] = dict,
        calls: Callable[[str], tuple[int, int]] = lambda name: (0, 0),
        retried: Callable[[str], None] = lambda name: None,
        callback: Callable[[], schema.CallBack] | None = None,
    ) -> None:
        self._store = store
        self._services = services
        self._states = states
        self._calls = calls
        self._retried = retried
        self._callback = callback or (
            lambda: schema.CallBack(**msgspec.structs.asdict(store.callback))
        )

    def lines(self) -> list[schema.Line]:
        """Return all lines, by name."""
        states = self._states()
        return [
            describe(line, states.get(name), self._calls(name))
            for name, line in sorted(self._store.snapshot.lines.items())
        ]

    async def add_line(self, name: str, options: str) -> None:
        """Add a line with options, of which ``kind`` and ``server`` must be, or ``profile``."""
        line = new_line(name, _object(options))
        await settled(partial(self._store.set_line, line, new=True))

    async def set_line(self, name: str, options: str) -> None:
        """Give a line other options."""
        given = _object(options)
        await settled(partial(self._store.change_line, name, given))
        if "prack" in given:
            self._retried(name)

    async def remove_line(self, name: str) -> None:
        """Remove a line."""
        await settled(partial(self._store.remove_line, name))

    def plan(self) -> schema.Plan:
        """Return the dial plan."""
        snapshot = self._store.snapshot
        return schema.Plan(version=snapshot.version, tables=msgspec.to_builtins(snapshot.plan))

    def export(self, *, secrets: bool) -> schema.Plan:
        """Return the dial plan with the lines, as `set_plan` takes them."""
        snapshot = self._store.snapshot
        if secrets:
            log.info("a client of the control API was told the passwords of the lines")
        lines = [exported(line, secrets=secrets) for _, line in sorted(snapshot.lines.items())]
        tables = {"lines": lines, **msgspec.to_builtins(snapshot.plan)}
        return schema.Plan(version=snapshot.version, tables=tables)

    async def set_plan(self, tables: str, version: str) -> None:
        """Give the dial plan other tables; with a version, unless there is a later one."""
        given = _object(tables)
        if version and not (version.isascii() and version.isdigit() and len(version) < 19):
            raise command_error("bad-version")
        seen = int(version) if version else None
        await settled(partial(self._store.set_plan, given, version=seen))

    async def set_user(self, number: str, options: str) -> None:
        """Give a user other rights."""
        given = _object(options)
        await settled(partial(self._store.change_user, number, given))

    def configurations(self) -> list[schema.ReplacedConfiguration]:
        """Return the configurations that gave way to another one, by number."""
        return [
            schema.ReplacedConfiguration(
                number=number,
                replaced=datetime.fromtimestamp(one.wall_s).astimezone().isoformat("T", "seconds"),
                users=[user.number for user in one.users],
                lines=[line.name for line in one.lines],
            )
            for number, one in self._store.replaced.items()
        ]

    async def restore_configuration(self, number: str) -> None:
        """Take one of them into use, and keep the one that is in use now."""
        await settled(partial(self._store.restore_configuration, self._replaced(number)))

    async def discard_configuration(self, number: str) -> None:
        """Keep one of them no more."""
        await settled(partial(self._store.discard_configuration, self._replaced(number)))

    def _replaced(self, number: str) -> int:
        """Return the number of one of `configurations`, as the client wrote it."""
        found = {str(one): one for one in self._store.replaced}
        if number not in found:
            raise command_error("unknown-configuration", number=number)
        return found[number]

    def callback(self) -> schema.CallBack:
        """Return how the call-back service is."""
        return self._callback()

    async def set_callback(self, options: str) -> None:
        """Give the call-back service other settings."""
        given = _object(options)
        await settled(partial(self._store.set_callback, given))

    def route(self, caller: str, called: str, line: str, at: str) -> schema.RouteTest:
        """Return where a number would lead."""
        snapshot = self._store.snapshot
        states = self._states()
        return explain_route(
            snapshot, self._services, caller, called, line=line, at=at, states=states
        )


async def settled(command: Callable[[Callable[[T | CommandError], None]], object]) -> T:
    """Return what a command of the store answers.

    Raises:
        CommandError: it was refused.
    """
    done: asyncio.Future[T] = asyncio.get_running_loop().create_future()

    def settle(outcome: T | CommandError) -> None:
        # Whoever waited may have gone.
        if done.done():
            return
        if isinstance(outcome, CommandError):
            done.set_exception(outcome)
        else:
            done.set_result(outcome)

    command(settle)
    return await done


def new_line(name: str, options: Mapping[str, Any]) -> Line:
    """Return a new line; with the option ``profile``, that provider's, with what it asks for.

    Raises:
        CommandError: naming the option that is wrong.
    """
    known = str(options.get("profile", ""))
    if not known:
        return fields.build(Line, {**options, "name": name})
    profile = profile_of(known)
    asked = {ask.key for ask in profile.asks}
    answers = {key: str(value) for key, value in options.items() if key in asked}
    others = {key: value for key, value in options.items() if key not in asked}
    # The profile knows which kind it is
    others.pop("kind", None)
    return fields.changed(fill(profile, name, answers), others)


def _object(text: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        raise command_error("bad-json") from None


def states_of(
    states: Iterable[LineState], now: float, refused: Mapping[str, float]
) -> dict[str, schema.LineState]:
    """Return what clients are told of how lines are, by name.

    Args:
        states: how they are.
        now: of the exchange's clock, seconds.
        refused: the lines that have asked for PRACK and refused it, and when.
    """
    return {state.name: _state(state, now, refused.get(state.name)) for state in states}


def _state(state: LineState, now: float, refused: float | None) -> schema.LineState:
    trouble = state.trouble

    def ahead(when: float | None) -> float | None:
        return None if when is None else max(0.0, when - now)

    return schema.LineState(
        phase=state.phase.value,
        usable=state.usable,
        since_s=now - state.since if state.phase is not Phase.OFF else 0.0,
        trouble=trouble.slug if trouble is not None else "",
        values=dict(trouble.values) if trouble is not None else {},
        server=state.server,
        rtt_ms=None if state.rtt_s is None else 1000 * state.rtt_s,
        expires_s=ahead(state.expires),
        next_try_s=ahead(state.next_try),
        incoming_s=None if state.last_incoming is None else now - state.last_incoming,
        identities=list(state.identities),
        public=state.public,
        prack_refused_s=None if refused is None else now - refused,
    )


def exported(line: Line, *, secrets: bool) -> dict[str, Any]:
    """Return a line as `fields.build` reads it: what is as usual is left out.

    Args:
        line: the line.
        secrets: with its password, also an empty one; without, whoever reads it keeps theirs.
    """
    values: dict[str, Any] = msgspec.to_builtins(line)
    usual: dict[str, Any] = msgspec.to_builtins(Line(name="", kind="", server=""))
    password = values.pop("password")
    chosen = {name: value for name, value in values.items() if value != usual[name]}
    return {**chosen, "password": password} if secrets else chosen


def describe(
    line: Line, state: schema.LineState | None = None, calls: tuple[int, int] = (0, 0)
) -> schema.Line:
    """Return what clients are told of a line, all but its password; `calls` came in and went out."""
    values: dict[str, Any] = msgspec.to_builtins(line)
    usual: dict[str, Any] = msgspec.to_builtins(Line(name="", kind=line.kind, server=""))
    options = {name: value for name, value in values.items() if name not in _OF_ITS_OWN}
    return schema.Line(
        name=line.name,
        kind=line.kind,
        enabled=line.enabled,
        has_password=bool(line.password),
        options=options,
        chosen=[name for name, value in options.items() if value != usual[name]],
        state=state,
        incoming=calls[0],
        outgoing=calls[1],
    )
