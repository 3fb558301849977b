"""Where a dialled number leads: a pure function of the configuration, with its explanation."""

import re
from dataclasses import dataclass
from enum import Enum

from pbx.config.settings import ServiceSettings
from pbx.routing.services import ServiceNumber, service_of, shown
from pbx.store.snapshot import Snapshot

_DIALABLE = re.compile(r"\+?[0-9*#]{1,32}\Z")
"""What a telephone can dial; anything else can't be a number of ours (RFC 3261 §21.4.22)."""


class RouteKind(Enum):
    """What kind of party a number leads to."""

    LOCAL_USER = "local user"
    SERVICE = "service"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class RouteDecision:
    """Where a call goes.

    Args:
        kind: to what.
        number: the number after routing; of one that leads nowhere, what records may show.
        explanation: which rule decided, a sentence a step.
        service: which one, where it goes to a service.
    """

    kind: RouteKind
    number: str
    explanation: tuple[str, ...]
    service: ServiceNumber | None = None


def route(snapshot: Snapshot, services: ServiceSettings, dialed: str) -> RouteDecision:
    """Decide where `dialed`, the Request-URI's user part, leads.

    A local user comes before a service of the same number.
    """
    if not _DIALABLE.match(dialed):
        why = "not a number that a telephone can dial"
        return RouteDecision(RouteKind.UNKNOWN, shown(services, dialed), (why,))
    if dialed in snapshot.users:
        return RouteDecision(RouteKind.LOCAL_USER, dialed, (f"local user {dialed}",))
    service = service_of(services, dialed)
    if service is not None:
        why = f"service {service.title}"
        return RouteDecision(RouteKind.SERVICE, service.number, (why,), service)
    why = "no local user has this number, and there is no line to call out by"
    return RouteDecision(RouteKind.UNKNOWN, shown(services, dialed), (why,))
