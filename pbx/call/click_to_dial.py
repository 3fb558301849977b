"""REFER outside of calls: a call in a user's name, or a transfer named by its dialog.

RFC 3515, RFC 5359 §2.18 (click to dial), RFC 4538 (Target-Dialog).
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from pbx.call.call import LINGER_S
from pbx.call.cause import CallTag, Cause, by_server
from pbx.call.facts import CallFacts
from pbx.call.invitation import Asking
from pbx.call.leg import Leg, Target
from pbx.call.outputs import Output
from pbx.call.party import Party, contact
from pbx.call.reach import by_scheme
from pbx.call.summons import Summons
from pbx.errors import PeerError
from pbx.sip.crossing import REQUEST, crossing
from pbx.sip.dialog_usage import usage_key
from pbx.sip.endpoint import Endpoint
from pbx.sip.events import Event, RequestReceived
from pbx.sip.flow import Flow
from pbx.sip.lone_referral import LoneReferral
from pbx.sip.message import Request, response_to
from pbx.sip.refer import parse_refer
from pbx.sip.replaces import target_dialog_of
from pbx.sip.secure import is_sips
from pbx.sip.server_transaction import ServerTransaction
from pbx.sip.timers import TimerQueue
from pbx.sip.uri import SipUri

if TYPE_CHECKING:
    from pbx.call.exchange import Exchange


class ClickToDial:
    """Takes REFERs outside dialogs, and owns the dialogs of their subscriptions.

    Args:
        exchange: whose calls they make.
        sip: sends and matches for us.
        timers: the exchange's timers.
        emit: takes what is to be done or published.
    """

    def __init__(
        self,
        exchange: "Exchange",
        sip: Endpoint,
        timers: TimerQueue,
        emit: Callable[[Output], None],
    ) -> None:
        self._emit = emit
        self._exchange = exchange
        self._endpoint = sip
        self._timers = timers
        self._referrals: dict[tuple[str, str], LoneReferral] = {}

    # ---------------------------------------------------------------- the REFER

    def asked(
        self, transaction: ServerTransaction, party: Party, now: float, full: Cause | None = None
    ) -> None:
        """Take a REFER of a known user.

        Args:
            transaction: the REFER's.
            party: who has sent it.
            now: the time.
            full: why it may make no more calls, but for an emergency call; None where it may.
        """
        request, tag = transaction.request, self._exchange.token()
        try:
            asked = parse_refer(request, first=True)
            leg = self._leg(request, party.number)
            if leg is None:
                self._check(request, party.number)
                if asked.replaces is not None:
                    raise PeerError(403, "Only A Number Can Be Called")
            of = partial(contact, party.number, secure=is_sips(request.request_uri))
            lone = LoneReferral(self._endpoint, self._timers, of, transaction, asked, tag)
        except PeerError as error:
            refusal = response_to(request, error.status, error.reason, to_tag=tag)
            self._endpoint.respond(transaction, refusal, now)
            return
        self._referrals[lone.key] = lone
        if leg is not None:
            self._exchange.transfers.asked(leg, lone.referral, now)
        else:
            lone.referral.accept(now)
            self._call(transaction, party, lone, now, full)
        self._tidy(lone)

    def _leg(self, request: Request, number: str) -> Leg | None:
        """The sender's part in the call that the REFER is about; None where it is about none.

        Raises:
            PeerError: 403 for another one's call.
        """
        named = target_dialog_of(request)
        leg = self._exchange.replaced(named) if named is not None else None
        if leg is not None and (leg.party.line or leg.number != number):
            raise PeerError(403, "Not Your Call")
        return leg

    @staticmethod
    def _check(request: Request, number: str) -> None:
        """See to it that it is the sender's own phones that are to call.

        Raises:
            PeerError: 403: they are another one's.
        """
        uri = request.request_uri
        user = (uri.user or "") if isinstance(uri, SipUri) else ""
        if user not in ("", number):
            raise PeerError(403, "Not Your Phone")

    def _call(
        self,
        transaction: ServerTransaction,
        party: Party,
        lone: LoneReferral,
        now: float,
        full: Cause | None,
    ) -> None:
        """Ring the user's own phones first."""
        exchange, request = self._exchange, transaction.request
        asked, secure = lone.referral.asked, is_sips(request.request_uri)
        reached = by_scheme(exchange.reach(asked.number, party, now), secure=secure)
        own = by_scheme(exchange.reach(party.number, party, now), secure=secure)
        facts = CallFacts(
            id=exchange.token(),
            call_id=request.call_id,
            caller_number=party.number,
            dialed_number=reached.dialed,
            setup=now,
            called_number=reached.number,
            caller_addr=str(transaction.flow),
            route=f"{reached.route}; asked for by REFER",
        )
        limit_s = exchange.settings.calls.no_answer_s
        summons = Summons(
            facts,
            party,
            lone.referral,
            self._timers,
            self._emit,
            self._answered,
            no_answer_s=limit_s,
        )
        exchange.calls[facts.id] = summons
        exchange.calls_total += 1
        refusal = reached.refusal or own.refusal or (None if reached.emergency else full)
        if not exchange.coded:
            # Without an engine there is nobody who could offer a session
            refusal = by_server(CallTag.LIMIT)
        if refusal is None and reached.service is not None:
            refusal = exchange.unserved(reached.service)
        if refusal is not None:
            summons.end(refusal, now)
            return
        called = next((one.name for one in reached.targets), "")
        asking = Asking(
            Party(reached.number, called),
            # Such as Answer-Mode (RFC 5373), for a phone that is to answer by itself
            crossing(request, REQUEST, hidden=True),
            secure=secure,
        )
        self._ring(summons, asking, own.targets, now)

    def _ring(
        self, summons: Summons, asking: Asking, targets: Iterable[Target], now: float
    ) -> None:
        """Ring a user's own phones, with a session of ours."""
        branches = self._exchange.invitations.summoned(summons, asking, targets, now)
        if branches:
            summons.ring(branches, now)
        else:
            summons.end(by_server(CallTag.LIMIT), now)
        self._exchange.prepare_ports()

    def _answered(self, summons: Summons, leg: Leg, now: float) -> None:
        """Go on with a phone of the user's, which has answered: now call whom it is for."""
        exchange, facts, referral = self._exchange, summons.facts, summons.referral
        assert referral is not None
        # The time of its ringing may have changed something
        number = referral.asked.number
        reached = by_scheme(exchange.reach(number, summons.party, now), secure=leg.secure)
        if reached.service is not None:
            refusal = exchange.unserved(reached.service)
            if refusal is not None:
                summons.end(refusal, now)
                return
            referral.tell(200, "OK", now)
            self.leave(summons, leg, now)
            # It is the same call
            exchange.calls_total -= 1
            exchange.new_conversation(facts, leg, reached.service).take_over(now)
            return
        try:
            call = exchange.transfers.begin(facts, leg, summons, referral)
        except PeerError:
            summons.end(by_server(CallTag.REQUEST_UNUSABLE), now)
            return
        call.adopt(now)
        if reached.refusal is not None:
            call.end(reached.refusal, now)
        else:
            exchange.ways.ring(call, Asking(summons.party, secure=leg.secure), reached, now)

    def leave(self, summons: Summons, leg: Leg, now: float) -> None:
        """Let the phone that has answered be of another call, and forget the others in time."""
        summons.hand_over(leg)
        self._timers.set((summons, "forget"), now + LINGER_S)

    # ---------------------------------------------------------------- the subscriptions

    def owns(self, event: Event) -> bool:
        """Whether the event is of a REFER's subscription."""
        return self._of(event) is not None

    def handle(self, event: Event, now: float) -> None:
        """Take an event that `owns` is true for."""
        lone = self._of(event)
        assert lone is not None
        lone.receive(event, now)
        self._tidy(lone)

    def timer_fired(self, lone: LoneReferral, now: float) -> None:
        """Do what is due."""
        lone.timer_fired(now)
        self._tidy(lone)

    def disconnected(self, flow: Flow) -> None:
        """Take note that a connection has ended."""
        for lone in self._referrals.values():
            lone.disconnected(flow)

    def _of(self, event: Event) -> LoneReferral | None:
        if not self._referrals:
            return None
        if isinstance(event, RequestReceived):
            request = event.request
            return self._referrals.get(usage_key(request.call_id, request.to.tag))
        request = event.transaction.request
        return self._referrals.get(usage_key(request.call_id, request.from_.tag))

    def _tidy(self, lone: LoneReferral) -> None:
        if lone.over:
            self._referrals.pop(lone.key, None)
