"""The route test: where a number would lead, and why, without a call."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

import msgspec

from pbx.api import schema
from pbx.config.refusal import command_error
from pbx.config.settings import ServiceSettings
from pbx.routing.origin import Origin, Way
from pbx.routing.router import route
from pbx.store.snapshot import Snapshot


def explain_route(
    snapshot: Snapshot,
    services: ServiceSettings,
    caller: str,
    called: str,
    *,
    line: str = "",
    at: str = "",
    states: Mapping[str, schema.LineState] = MappingProxyType({}),
) -> schema.RouteTest:
    """Return where `called` would lead.

    Args:
        snapshot: the configuration.
        services: the numbers that the exchange itself answers.
        caller: a local user's number; with `line`, the number of whoever calls from outside.
        called: what is dialled.
        line: the line by which the call comes; empty for a local user's call.
        at: local time: ``HH:MM``, or ISO 8601; empty for now.
        states: how the lines are now, by name; it is told of ways that would be taken now.

    Raises:
        CommandError: there is no such user or line, or no such time.
    """
    when = _time(at)
    user = None if line else snapshot.users.get(caller)
    if line and line not in snapshot.lines:
        raise command_error("unknown-line", name=line)
    if not line and user is None:
        raise command_error("unknown-user", number=caller)
    decision = route(snapshot, services, called, Origin(caller, user, line), when)
    return schema.RouteTest(
        kind=decision.kind.value.replace(" ", "-"),
        number=decision.number,
        at=when.isoformat(timespec="minutes"),
        caller=decision.caller,
        emergency=decision.emergency,
        max_duration_s=decision.max_duration_s,
        ways=[_way(way, None if at else states.get(way.line)) for way in decision.ways],
        steps=[
            schema.RouteStep(key=step.key, values=dict(step.values), text=str(step))
            for step in decision.explanation
        ],
    )


def _way(way: Way, state: schema.LineState | None) -> schema.RouteWay:
    told = schema.RouteWay(line=way.line, called=way.called, caller=way.caller)
    if state is None or state.usable:
        return told
    return msgspec.structs.replace(
        told, usable=False, trouble=state.trouble, values=dict(state.values)
    )


def _time(text: str) -> datetime:
    now = datetime.now().astimezone()
    if not text:
        return now
    try:
        # Without a date it is today; without an offset, this machine's local time
        found = datetime.fromisoformat(text if "-" in text else f"{now:%Y-%m-%d}T{text}")
        return found.astimezone()
    except (ValueError, OverflowError):
        raise command_error("bad-time") from None
