"""Lines whose own destination is nobody's number: whoever calls by them reaches nobody."""

from datetime import datetime

from pbx.config.settings import ServiceSettings
from pbx.routing.decision import RouteKind
from pbx.routing.origin import Origin
from pbx.routing.router import route_ordered
from pbx.store.snapshot import Snapshot

_NOBODYS = (RouteKind.UNKNOWN, RouteKind.INCOMPLETE)


def leading_nowhere(
    snapshot: Snapshot, services: ServiceSettings, when: datetime
) -> dict[str, str]:
    """Return the destinations that are nobody's, by line; lines that are off have no calls.

    Args:
        snapshot: users, lines and the dial plan.
        services: the numbers that the exchange itself answers.
        when: local time, with its offset.
    """

    def nobodys(number: str, line: str) -> bool:
        found = route_ordered(snapshot, services, number, Origin("", line=line), when)
        return found.kind in _NOBODYS

    return {
        line.name: line.destination
        for line in snapshot.lines.values()
        if line.enabled and line.destination and nobodys(line.destination, line.name)
    }
