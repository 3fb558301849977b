"""Where a dialled number leads: a pure function of the snapshot, with its explanation."""

import re
from dataclasses import dataclass
from enum import Enum

from pbx.store.snapshot import Snapshot

_DIALABLE = re.compile(r"\+?[0-9*#]{1,32}\Z")
"""What a telephone can dial; anything else can't be a number of ours (RFC 3261 §21.4.22)."""


class RouteKind(Enum):
    """What kind of party a number leads to."""

    LOCAL_USER = "local user"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class RouteDecision:
    """Where a call goes.

    Args:
        kind: to what.
        number: the number after routing.
        explanation: which rule decided, a sentence a step.
    """

    kind: RouteKind
    number: str
    explanation: tuple[str, ...]


def route(snapshot: Snapshot, dialed: str) -> RouteDecision:
    """Decide where `dialed`, the Request-URI's user part, leads."""
    if not _DIALABLE.match(dialed):
        why = "not a number that a telephone can dial"
        return RouteDecision(RouteKind.UNKNOWN, dialed, (why,))
    user = snapshot.users.get(dialed)
    if user is None:
        why = "no local user has this number, and there is no line to call out by"
        return RouteDecision(RouteKind.UNKNOWN, dialed, (why,))
    return RouteDecision(RouteKind.LOCAL_USER, dialed, (f"local user {dialed}",))
