"""REFER carried out: blind and attended transfers (RFC 3515, RFC 5589)."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from pbx.call.call import Call
from pbx.call.cause import CallTag, Cause, by_hang_up, unusable
from pbx.call.changes import Asker
from pbx.call.conversation import Conversation
from pbx.call.facts import CallFacts
from pbx.call.invitation import Asking
from pbx.call.leg import Leg
from pbx.call.outputs import Output
from pbx.call.party import address_of, number_of
from pbx.call.reach import Reached, by_scheme
from pbx.call.summons import Summons
from pbx.call.time_limits import left_of, left_s, shortest
from pbx.call.transfer import Transferred
from pbx.errors import PeerError
from pbx.media import endpoint
from pbx.routing.services import ServiceNumber
from pbx.sip.headers import NameAddr, parse_name_addr
from pbx.sip.referral import Referral
from pbx.sip.replaces import Replaces
from pbx.sip.timers import TimerQueue

if TYPE_CHECKING:
    from pbx.call.exchange import Exchange


MIXED = "One Of Them Talks By sips Only"
"""RFC 5630 §5.1.1.3: a call by sips isn't made one by sip behind its party's back."""

ENCRYPTED = "Services Have No Keys"
"""For who talks encrypted: it would be sent plain sound, which most such phones refuse, and its call be lost."""


class Transfers:
    """Begins transfers.

    Args:
        exchange: whose calls they are of.
        timers: the exchange's timers.
        emit: takes what is to be done or published.
    """

    def __init__(
        self, exchange: "Exchange", timers: TimerQueue, emit: Callable[[Output], None]
    ) -> None:
        self._exchange = exchange
        self._timers = timers
        self._emit = emit

    def asked(self, leg: Leg, referral: Referral, now: float) -> None:
        """Do what a party of a call asks for by REFER."""
        before = self._exchange.call_of(leg)
        kept = before.partner(leg) if isinstance(before, Call) else None
        if kept is None or not isinstance(before, Call):
            referral.refuse(603, "Nobody To Transfer", now)
            return
        if before.successor is not None:
            referral.refuse(491, "Request Pending", now)
            return
        if leg.manner is not None and not leg.manner.may_refer:
            # Whom our party talks with, and who pays for that, is no carrier's matter
            referral.refuse(603, "Declined", now)
            return
        try:
            kept.taken_up()
        except PeerError:
            referral.refuse(603, "No Session Yet", now)
            return
        referral.accept(now)
        if referral.asked.replaces is None:
            self._blind(before, leg, kept, referral, now)
        else:
            self._attended(before, leg, kept, referral, referral.asked.replaces, now)

    def _blind(self, before: Call, leg: Leg, kept: Leg, referral: Referral, now: float) -> None:
        """Call another number for a party (RFC 5589 §6)."""
        exchange, asked = self._exchange, referral.asked
        # RFC 5630 §5.1.1.3: who talks by sips isn't led to who doesn't
        reached = by_scheme(exchange.reach(asked.number, leg.party, now), secure=kept.secure)
        facts = self._facts(before, leg, kept, now)
        facts.dialed_number = reached.dialed
        facts.called_number = reached.number
        facts.route = reached.route
        refusal = reached.refusal or self._over_limit(before, leg, reached)
        if refusal is None and reached.service is not None:
            refusal = self._unserved(kept, reached.service)
            if refusal is None:
                # Before the BYE, after which there may be nobody who listens
                referral.tell(200, "OK", now)
                facts.max_duration_s = shortest(facts.max_duration_s, reached.max_duration_s)
                exchange.serve(facts, kept, before, reached.service, now)
                return
        call = self._new(facts, before, kept, referral)
        if refusal is not None:
            call.end(refusal, now)
            return
        asking = Asking(kept.party, _referred_by(leg, referral), secure=kept.secure)
        exchange.ways.ring(call, asking, reached, now)

    def _unserved(self, kept: Leg, dialed: ServiceNumber) -> Cause | None:
        """Why a party can't go on with a service, whatever its phone may say: there is no way back."""
        if endpoint.encrypted(kept.media.checkpoint()):
            return unusable(488, ENCRYPTED)
        return self._exchange.unserved(dialed)

    def _over_limit(self, before: Call, leg: Leg, reached: Reached) -> Cause | None:
        """Why a user may not transfer a call there now: one that goes outside is a call of its."""
        if not reached.outside or reached.emergency or leg.party.line:
            return None
        return self._exchange.over_limit(leg.number, before)

    def _attended(
        self,
        before: Call,
        leg: Leg,
        kept: Leg,
        referral: Referral,
        replaces: Replaces,
        now: float,
    ) -> None:
        """Let two parties talk who have both talked with the one that transfers (RFC 5589 §7)."""
        exchange = self._exchange
        other = exchange.replaced(replaces)
        second = exchange.call_of(other) if other is not None else None
        # RFC 3891 §4: only one's own call may be replaced
        if other is not None and other.party.is_(leg.party) and isinstance(second, Conversation):
            self._into_service(before, leg, kept, referral, second, now)
            return
        if (
            other is None
            or not other.party.is_(leg.party)
            or not isinstance(second, Call)
            or second is before
            or second.successor is not None
        ):
            referral.tell(481, "Call/Transaction Does Not Exist", now)
            return
        callee = second.partner(other)
        if callee is None:
            self._early(before, leg, kept, referral, second, other, now)
            return
        try:
            callee.taken_up()
        except PeerError:
            referral.tell(603, "No Session Yet", now)
            return
        if callee.secure != kept.secure:
            referral.tell(603, MIXED, now)
            return
        call = self._new(self._facts(before, leg, kept, now), before, kept, referral)
        call.limit(_limit_of(second, callee, now))
        call.facts.dialed_number = call.facts.called_number = callee.number
        call.facts.route = f"transferred to {callee.number} by {leg.number}"
        # Before the BYEs, after which there may be nobody who listens
        referral.tell(200, "OK", now)
        exchange.take_over(second, [callee], call, exchange.transferred(second, other), now)
        call.join(callee, now)

    def _into_service(
        self,
        before: Call,
        leg: Leg,
        kept: Leg,
        referral: Referral,
        second: Conversation,
        now: float,
    ) -> None:
        """Let a party go on with the service that who transfers it has called: in a room, say."""
        refusal = self._unserved(kept, second.dialed)
        if refusal is not None:
            referral.tell(refusal.status, refusal.reason, now)
            return
        facts = self._facts(before, leg, kept, now)
        facts.dialed_number = second.facts.dialed_number
        facts.called_number = second.facts.called_number
        facts.route = f"{second.facts.route}; transferred by {leg.number}"
        facts.max_duration_s = shortest(facts.max_duration_s, left_s(second.facts, now))
        # Before the BYEs, after which there may be nobody who listens
        referral.tell(200, "OK", now)
        self._exchange.serve(facts, kept, before, second.dialed, now)
        second.end(by_hang_up(CallTag.CALLER_TRANSFERRED, []), now)

    def _early(
        self,
        before: Call,
        leg: Leg,
        kept: Leg,
        referral: Referral,
        second: Call,
        other: Leg,
        now: float,
    ) -> None:
        """Take over a call that still rings (RFC 5589 §7.5)."""
        exchange = self._exchange
        branches = second.ringing if other is second.caller else []
        if not branches:
            referral.tell(481, "Call/Transaction Does Not Exist", now)
            return
        if second.secure != kept.secure:
            referral.tell(603, MIXED, now)
            return
        call = self._new(self._facts(before, leg, kept, now), before, kept, referral)
        facts = second.facts
        call.limit(facts.max_duration_s)
        call.facts.dialed_number, call.facts.called_number = (
            facts.dialed_number,
            facts.called_number,
        )
        call.facts.route = f"{facts.route}; transferred by {leg.number}"
        call.facts.alert = now if facts.alert is not None else None
        # What a phone is told that one of them names instead of itself
        told = _referred_by(leg, referral)
        call.asked |= {
            branch: replace(asking, caller=kept.party, headers=told)
            for branch, asking in second.asked.items()
            if branch in branches
        }
        call.tried |= second.tried
        exchange.take_over(second, branches, call, exchange.transferred(second, other), now)
        call.ring(branches, now)

    def _facts(self, before: Call, leg: Leg, kept: Leg, now: float) -> CallFacts:
        dialog = kept.usage.dialog
        return CallFacts(
            id=self._exchange.token(),
            call_id=dialog.call_id if dialog is not None else "",
            caller_number=kept.number,
            dialed_number="",
            setup=now,
            caller_addr=kept.address,
            caller_line=kept.party.line,
            caller_was_called=kept.called,
            transferred_by=leg.number,
            max_duration_s=_limit_of(before, kept, now),
        )

    def _new(self, facts: CallFacts, before: Call, kept: Leg, referral: Referral) -> Transferred:
        call = self.begin(facts, kept, before, referral)
        before.successor = call
        return call

    def begin(
        self,
        facts: CallFacts,
        kept: Leg,
        before: Call | Summons,
        referral: Asker,
        no_answer_s: float = 0.0,
    ) -> Transferred:
        """Begin the call that `kept` of the call `before` is transferred to.

        Args:
            no_answer_s: how long it may ring; 0 for as long as any call.

        Raises:
            PeerError: it has no session.
        """
        exchange = self._exchange
        limits = exchange.settings.calls
        call = Transferred(
            facts,
            kept,
            self._timers,
            self._emit,
            lambda: exchange.coded,
            before=before,
            referral=referral,
            adopt=exchange.adopt,
            names=exchange.services.names,
            country=exchange.settings.media.country,
            no_answer_s=no_answer_s or limits.no_answer_s,
            max_duration_s=limits.max_duration_s,
        )
        # What a summons has begun is the same call
        exchange.calls_total += facts.id not in exchange.calls
        exchange.calls[facts.id] = call
        exchange.recordings.attend(call)
        return call


def _limit_of(call: Call, kept: Leg, now: float) -> float:
    """Return how long a party of a call may still talk, by the dial plan and its line; 0 for no limit.

    The dial plan's limit is of the number that was called: who has called isn't bound by it elsewhere. After a
    transfer nobody knows whose it was: it holds.
    """
    bound = kept is call.callee or bool(call.facts.transferred_by)
    of_the_line = left_of(kept.max_duration_s, call.facts, now)
    return shortest(of_the_line, left_s(call.facts, now) if bound else 0.0)


def _referred_by(leg: Leg, referral: Referral) -> tuple[tuple[str, str], ...]:
    """Who has transferred the call, for whom it goes to (RFC 3892)."""
    if leg.party.hidden:
        return ()
    said = referral.asked.referred_by
    if not said or number_of(parse_name_addr(said)) != leg.number:
        # Who it is, we know; a phone's word for another one is worth nothing
        said = str(NameAddr("", address_of(leg.number, leg.usage.flow)))
    return (("Referred-By", said),)
