"""Which events a request is about (RFC 6665 §8.2.1), and which bodies its sender can read."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pbx.errors import PeerError
from pbx.sip.grammar import TOKEN, is_token
from pbx.sip.headers import parse_params
from pbx.sip.message import Message
from pbx.sip.uri import find_param

# Event = ( "Event" / "o" ) HCOLON event-type *( SEMI event-param )
_EVENT_RE = re.compile(rf"({TOKEN})[ \t]*+(;.*+)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class EventName:
    """The value of an Event header field.

    Args:
        package: the event package, such as ``dialog``; its templates stand in it after dots.
        id: which of several subscriptions in a dialog; empty for none.
    """

    package: str
    id: str = ""

    def __str__(self) -> str:
        return f"{self.package};id={self.id}" if self.id else self.package


def event_of(message: Message) -> EventName | None:
    """Read a message's Event header field; None where it has none.

    Raises:
        PeerError: 400 where it fits no rule.
    """
    text = message.get("Event")
    if text is None:
        return None
    match = _EVENT_RE.fullmatch(text.strip(" \t"))
    if match is None:
        raise PeerError(400, "Bad Event")
    params = parse_params(match[2]) if match[2] else ()
    name = find_param(params, "id") or ""
    if name and not is_token(name):
        raise PeerError(400, "Bad Event id")
    return EventName(match[1], name)


def accepts(values: Iterable[str], kind: str) -> bool:
    """Whether a body of this type may be sent to who says ``Accept: values`` (RFC 3261 §20.1).

    Args:
        values: of all Accept header fields; none of them at all is for the caller to judge.
        kind: a type in lower case, such as ``application/pidf+xml``.
    """
    main = kind.partition("/")[0]
    wanted = {value.partition(";")[0].strip().lower() for value in values}
    return not wanted.isdisjoint({kind, f"{main}/*", "*/*"})
