"""INVITE with Replaces: a phone takes a call that rings elsewhere, or goes on there (RFC 3891)."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from pbx.call.any_call import AnyCall
from pbx.call.call import Call
from pbx.call.cause import NO_SECURE_WAY, SECURE_ONLY, CallTag, by_hang_up, not_replaced
from pbx.call.conversation import Conversation
from pbx.call.facts import CallFacts
from pbx.call.leg import Leg
from pbx.call.outputs import Output
from pbx.call.party import Party, number_of
from pbx.call.summons import Summons
from pbx.call.takeover import TakenOver
from pbx.call.time_limits import left_of, left_s, shortest
from pbx.errors import PeerError
from pbx.media.session import NoPortsLeft
from pbx.sip.headers import parse_name_addr
from pbx.sip.inspection import session_description
from pbx.sip.message import Request
from pbx.sip.replaces import Replaces
from pbx.sip.secure import is_sips
from pbx.sip.server_transaction import ServerTransaction
from pbx.sip.timers import TimerQueue

if TYPE_CHECKING:
    from pbx.call.exchange import Exchange


class Replacements:
    """Lets phones pick up calls, and take them over.

    Args:
        exchange: whose calls they are.
        timers: the exchange's timers.
        emit: takes what is to be done or published.
    """

    def __init__(
        self, exchange: "Exchange", timers: TimerQueue, emit: Callable[[Output], None]
    ) -> None:
        self._exchange = exchange
        self._timers = timers
        self._emit = emit

    def asked(
        self,
        invite: ServerTransaction,
        facts: CallFacts,
        party: Party,
        replaces: Replaces,
        now: float,
    ) -> None:
        """Take an INVITE of a known caller that names a call to replace.

        Args:
            invite: its transaction.
            facts: of the new call.
            party: who calls.
            replaces: the dialog.
            now: the time.
        """
        call, leg = self._named(replaces, party.number)
        status = 481
        if call is not None:
            status = self._refusal(invite.request, party.number, call, leg, replaces)
        if status or call is None or isinstance(call, Summons):
            self._refuse(invite, facts, status or 481, now)
            return
        kept = leg and call.partner(leg) if isinstance(call, Call) else None
        if isinstance(call, Conversation):
            self._serve(invite, facts, call, now)
            return
        secure = call.secure if kept is None else kept.secure
        if secure != is_sips(invite.request.request_uri):
            # RFC 5630 §5.1.1.3: a call by sips is not gone on with by sip
            cause = SECURE_ONLY if secure else NO_SECURE_WAY
            self._exchange.refuse(invite, facts, cause, now)
        elif leg is None or kept is None:
            self._pick_up(invite, facts, party, call, now)
        else:
            self._take_over(invite, facts, party, call, leg, kept, now)

    # ---------------------------------------------------------------- which call, and who may

    def _named(self, replaces: Replaces, number: str) -> tuple[AnyCall | None, Leg | None]:
        """The call that is named, and the party whose place is wanted; None for who still rings."""
        exchange = self._exchange
        call = exchange.calls.get(replaces.call_id)
        if call is not None:
            # As lamps name it: of its parties a user can only mean itself
            return call, next(
                (leg for leg in call.legs if not leg.ended and leg.party.is_(Party(number))), None
            )
        # The tags as the phone has them, or as its peer does
        leg = exchange.replaced(replaces) or exchange.replaced(replaces.mirrored)
        return (None, None) if leg is None else (exchange.call_of(leg), leg)

    def _refusal(
        self,
        request: Request,
        number: str,
        call: AnyCall,
        leg: Leg | None,
        replaces: Replaces,
    ) -> int:
        """Why a user may not take a call (RFC 3891 §3): the answer's status; 0 where it may."""
        if call.ended or (leg is not None and leg.ended):
            return 603
        if isinstance(call, Call) and call.callee is None:
            if leg is call.caller:
                # "If the Replaces header field matches an early dialog that was not initiated by
                # this UA, it returns a 481"
                return 481
            rung = [one.number for one in call.ringing]
            may = any(self._exchange.settings.lamps.may_pick_up(number, one) for one in rung)
            return 0 if may else 403
        if replaces.early_only:
            return 486
        if leg is None or not _authorized(request, number, leg):
            return 403
        if isinstance(call, Call) and (call.partner(leg) is None or call.successor is not None):
            # It is just being transferred
            return 491
        return 0

    # ---------------------------------------------------------------- a call that rings

    def _pick_up(
        self, invite: ServerTransaction, facts: CallFacts, party: Party, call: Call, now: float
    ) -> None:
        if not session_description(invite.request) or not call.offer:
            # Both want the other's description first
            self._refuse(invite, facts, 488, now)
            return
        try:
            leg = self._exchange.incoming(invite, call.facts, party, now)
        except PeerError as error:
            self._refuse(invite, facts, error.status, now)
            return
        self._exchange.join(leg, call)
        try:
            call.pick_up(leg, now)
        except NoPortsLeft:
            self._give_up(invite, facts, leg, 503, now)

    # ---------------------------------------------------------------- a call that goes on

    def _take_over(
        self,
        invite: ServerTransaction,
        facts: CallFacts,
        party: Party,
        call: Call,
        leg: Leg,
        kept: Leg,
        now: float,
    ) -> None:
        """Let a phone talk instead of `leg`, with `kept`."""
        exchange = self._exchange
        try:
            newcomer = exchange.incoming(
                invite, replace(facts, called_number=kept.number), party, now
            )
        except PeerError as error:
            self._refuse(invite, facts, error.status, now)
            return
        calls = leg is call.caller
        caller, callee = (newcomer, kept) if calls else (kept, newcomer)
        going_on = _facts(facts, caller, callee, leg, party)
        of_the_line = left_of(kept.max_duration_s, call.facts, now)
        going_on.max_duration_s = shortest(of_the_line, left_s(call.facts, now))
        following = TakenOver(
            going_on,
            caller,
            callee,
            newcomer,
            self._timers,
            self._emit,
            lambda: exchange.coded,
            max_duration_s=exchange.settings.calls.max_duration_s,
        )
        exchange.recordings.prepare(call, following)
        try:
            following.answer(now)
        except PeerError as error:
            # "the UA MUST return an appropriate error response and MUST leave the matched dialog
            # unchanged" (§3)
            self._give_up(invite, facts, newcomer, error.status, now)
            return
        except NoPortsLeft:
            self._give_up(invite, facts, newcomer, 503, now)
            return
        exchange.keep(following, newcomer)
        exchange.take_over(call, [kept], following, exchange.transferred(call, leg), now)
        following.begin(now)

    def _serve(
        self, invite: ServerTransaction, facts: CallFacts, call: Conversation, now: float
    ) -> None:
        """Let a phone go on with a service instead of the one that has called it."""
        service = call.dialed
        facts.called_number = facts.dialed_number = call.facts.dialed_number
        facts.max_duration_s = left_s(call.facts, now)
        self._exchange.served(invite, facts, service, now)
        if facts.cause is None:
            call.end(by_hang_up(CallTag.CALLER_TRANSFERRED, []), now)

    # ---------------------------------------------------------------- what is refused

    def _give_up(
        self, invite: ServerTransaction, facts: CallFacts, leg: Leg, status: int, now: float
    ) -> None:
        self._exchange.forget_leg(leg)
        leg.media.close()
        self._refuse(invite, facts, status, now)

    def _refuse(self, invite: ServerTransaction, facts: CallFacts, status: int, now: float) -> None:
        self._exchange.refuse(invite, facts, not_replaced(status), now)


def _authorized(request: Request, number: str, leg: Leg) -> bool:
    """Whether a user may take a party's place in a call that goes on (RFC 3891 §3, §8).

    It is the same user, or says that the party has referred it: "If the replacement request contains
    a Referred-By header that corresponds to the user being replaced, the UA SHOULD treat the
    replacement as if the replacement was authorized by the replaced party."
    """
    if leg.party.line:
        return False
    if number == leg.number:
        return True
    said = request.get("Referred-By") or ""
    try:
        return bool(said) and number_of(parse_name_addr(said)) == leg.number
    except PeerError:
        return False


def _facts(facts: CallFacts, caller: Leg, callee: Leg, leg: Leg, party: Party) -> CallFacts:
    """Return the facts of a call that goes on, in the direction that it had."""
    dialog = caller.usage.dialog
    own = party.number == leg.number
    return replace(
        facts,
        call_id=dialog.call_id if dialog is not None else facts.call_id,
        caller_number=caller.number,
        caller_addr=caller.address,
        dialed_number=callee.number,
        called_number=callee.number,
        route=f"taken over by {'another phone of ' if own else ''}{party.number}",
        transferred_by="" if own else leg.number,
    )
