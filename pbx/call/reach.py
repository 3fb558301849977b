"""Where a number leads: what call control has to know of routing and registrations."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from pbx.call.cause import NO_SECURE_WAY, CallTag, Cause, by_server
from pbx.call.leg import Target
from pbx.call.party import Party
from pbx.routing.services import ServiceNumber
from pbx.sip.secure import with_scheme


@dataclass(frozen=True, slots=True)
class Reached:
    """Where a number leads.

    Args:
        dialed: the number as records may show it.
        number: after routing.
        route: which rule decided, for people.
        targets: the phones to ring, or the line to go out by.
        service: what the exchange itself is to answer as; None for no service.
        refusal: why it leads nowhere; None where it leads somewhere.
        otherwise: what is rung instead where the lines before can't take the call, in turn.
        emergency: an emergency call: no limit and no full line may stop it.
        max_duration_s: the longest call; 0 for no limit of the number's own.
        caller: the caller's number as a party of ours is shown it.
    """

    dialed: str
    number: str
    route: str
    targets: tuple[Target, ...] = ()
    service: ServiceNumber | None = None
    refusal: Cause | None = None
    otherwise: tuple[tuple[Target, ...], ...] = ()
    emergency: bool = False
    max_duration_s: float = 0.0
    caller: str = ""

    @property
    def outside(self) -> bool:
        """True where a line is what it is reached by."""
        return bool(self.targets) and self.targets[0].manner is not None


def by_scheme(reached: Reached, *, secure: bool) -> Reached:
    """Return what is left of it for a call by sips, or by sip.

    By sips only a phone is called that has registered by sips, and only by TLS (RFC 5630 §5.3). For
    a call by sip the targets are as they should be. An emergency call goes by what there is.
    """
    if not secure or not reached.targets or reached.emergency:
        return reached
    targets = by_sips(reached.targets)
    return replace(
        reached, targets=targets, otherwise=(), refusal=None if targets else NO_SECURE_WAY
    )


def by_sips(targets: Iterable[Target]) -> tuple[Target, ...]:
    """Return the phones that may be asked by sips (RFC 5630 §5.3), as they are asked then."""
    return tuple(
        replace(each, uri=with_scheme(each.uri, secure=True))
        for each in targets
        if each.sips and each.flow.is_secure
    )


class Reach(Protocol):
    """Finds where a number leads."""

    def __call__(self, dialed: str, by: Party, now: float) -> Reached:
        """Return where `dialed` leads now.

        Args:
            dialed: the number.
            by: in whose name it is called: who calls, transfers or forwards.
            now: the time.
        """


def nowhere(dialed: str, by: Party, now: float) -> Reached:
    """Return that there is no such number: for an exchange without users."""
    return Reached(dialed, dialed, "", refusal=by_server(CallTag.NO_ROUTE))
