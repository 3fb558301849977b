"""A phone that sends the call elsewhere: 3xx followed (RFC 3261 §8.1.3.4, §16.5)."""

from dataclasses import replace
from typing import TYPE_CHECKING

from pbx.call.call import Call
from pbx.call.events import Ended, Moved
from pbx.call.invitation import Asking
from pbx.call.leg import Leg
from pbx.call.party import address_of, number_of
from pbx.call.reach import Reached, by_scheme
from pbx.errors import PeerError
from pbx.sip.headers import parse_name_addr
from pbx.sip.history import diversion, forwarded

if TYPE_CHECKING:
    from pbx.call.exchange import Exchange

MOST_MOVES = 10
"""How often one call is forwarded: two phones that forward to each other are no reason to go on."""


class Retargets:
    """Follows redirections to numbers of the exchange.

    Args:
        exchange: whose calls they are of.
    """

    def __init__(self, exchange: "Exchange") -> None:
        self._exchange = exchange

    def moved(self, leg: Leg, event: Moved, now: float) -> None:
        """Ring whom a phone has named instead of itself, or take its refusal for one."""
        call = self._exchange.call_of(leg)
        asking = call.asked.get(leg) if isinstance(call, Call) else None
        if not isinstance(call, Call) or asking is None or call.callee is not None:
            call.receive(leg, Ended(event.cause), now)
            return
        call.tried.add(leg.number)
        reached = self._elsewhere(call, leg, event, now, secure=asking.secure)
        if reached is None or asking.hops < 1:
            call.receive(leg, Ended(event.cause), now)
            return
        call.tried.add(reached.number)
        call.facts.called_number = reached.number
        step = f"forwarded by {leg.number} to {reached.number} ({event.status})"
        call.facts.route = f"{call.facts.route}; {step}"
        rang = call.facts.alert is not None
        following = _following(asking, leg, event, reached, rang=rang)
        branches = self._exchange.ways.open(call, following, reached, now)
        if not branches:
            call.receive(leg, Ended(event.cause), now)
            return
        call.forwarded(leg, branches, now)

    def _elsewhere(
        self, call: Call, leg: Leg, event: Moved, now: float, *, secure: bool
    ) -> Reached | None:
        """Where the first contact leads that leads anywhere the call hasn't been yet."""
        for contact in event.contacts:
            number = number_of(contact)
            if not number or len(call.tried) > MOST_MOVES:
                continue
            reached = by_scheme(self._exchange.reach(number, leg.party, now), secure=secure)
            # §8.1.3.4: "a client processing 3xx class responses MUST NOT add any given URI to the
            # target set more than once"
            taken = reached.targets and reached.refusal is None
            if taken and reached.number not in call.tried and self._may(leg, reached):
                return reached
        return None

    def _may(self, leg: Leg, reached: Reached) -> bool:
        """Whether a phone's user may send a call there now: one that goes outside is a call of its."""
        if not reached.outside or reached.emergency or leg.party.line:
            return True
        return self._exchange.over_limit(leg.number, None) is None


def _following(asking: Asking, leg: Leg, event: Moved, reached: Reached, *, rang: bool) -> Asking:
    """Return what the next phones are told: who has sent the call to them, too."""
    flow = leg.usage.flow
    before, after = address_of(leg.number, flow), address_of(reached.number, flow)
    said, privacy = _said(leg, event)
    own = diversion(before, status=event.status, rang=rang, said=said, privacy=privacy)
    try:
        history = forwarded(asking.history, before, after, status=event.status, why=event.reason)
    except PeerError:
        history = []
    return replace(
        asking,
        hops=asking.hops - 1,
        diversions=(own, *asking.diversions),
        history=tuple(history),
        forwarder="" if leg.party.line else leg.number,
    )


def _said(leg: Leg, event: Moved) -> tuple[str, str]:
    """Why a phone says that it forwards, and what of that it hides; it speaks for its user alone."""
    for value in event.diversions:
        said = parse_name_addr(value)
        if number_of(said) == leg.number:
            return (said.param("reason") or "").lower(), (said.param("privacy") or "").lower()
    return "", ""
