"""Snapshots with a dial plan, as short as a test needs them."""

from datetime import UTC, datetime

from hypothesis import HealthCheck, settings

from pbx.config.dial_plan import DialPlan
from pbx.config.line import Line
from pbx.config.settings import ServiceSettings
from pbx.routing.decision import RouteDecision
from pbx.routing.origin import Origin
from pbx.routing.router import route
from pbx.store.snapshot import LocalUser, Snapshot

untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""What an example costs says more of the machine's other work than of us."""

MONDAY_NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


def line(name: str, **options: object) -> Line:
    given: dict[str, object] = {"kind": "sip-trunk", "server": "192.0.2.9", **options}
    return Line(name=name, **given)  # type: ignore[arg-type]


def user(number: str, **rights: object) -> LocalUser:
    return LocalUser(number, f"User {number}", "m", "s", **rights)  # type: ignore[arg-type]


class Plan:
    """An exchange's configuration: users 100 and 101 where no others are given, and lines.

    Args:
        lines: names, or lines.
        plan: the dial plan.
    """

    def __init__(
        self, *lines: str | Line, plan: DialPlan | None = None, users: tuple[LocalUser, ...] = ()
    ) -> None:
        self.snapshot = Snapshot.of(
            1,
            users or (user("100"), user("101")),
            [line(each) if isinstance(each, str) else each for each in lines],
            plan or DialPlan(),
        )
        self.services = ServiceSettings()

    def dials(
        self, dialed: str, number: str = "100", *, when: datetime = MONDAY_NOON
    ) -> RouteDecision:
        """A local user dials."""
        origin = Origin(number, self.snapshot.users[number])
        return route(self.snapshot, self.services, dialed, origin, when)

    def comes(
        self, dialed: str, caller: str = "", by: str = "", *, when: datetime = MONDAY_NOON
    ) -> RouteDecision:
        """A call comes from outside."""
        return route(self.snapshot, self.services, dialed, Origin(caller, line=by), when)


def lines_of(decision: RouteDecision) -> list[str]:
    return [way.line for way in decision.ways]


def called(decision: RouteDecision) -> list[str]:
    return [way.called for way in decision.ways]


def caller(decision: RouteDecision) -> list[str]:
    return [way.caller for way in decision.ways]
