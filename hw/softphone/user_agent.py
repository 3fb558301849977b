"""The phone's user agent: registration and one call at a time, without I/O (RFC 3261)."""

from collections import deque
from collections.abc import Callable
from typing import cast

from hw.softphone.account import Account
from hw.softphone.call import Call, CallState
from hw.softphone.happenings import (
    Alerting,
    Answered,
    Dialled,
    Ended,
    Happening,
    Invited,
    MediaChanged,
    Reason,
    Why,
)
from hw.softphone.registration import Registration
from hw.softphone.session import Negotiation, check_offer
from pbx.errors import PeerError
from pbx.sdp.offer_answer import reject_all
from pbx.sip import usage_events as usage
from pbx.sip.authorization import CHALLENGES, Authorizer
from pbx.sip.capabilities import SDP_TYPE, Capabilities
from pbx.sip.dialog_usage import usage_key
from pbx.sip.endpoint import Endpoint
from pbx.sip.events import (
    AcceptedEnded,
    AckTimedOut,
    Event,
    RequestReceived,
    ResponseReceived,
)
from pbx.sip.flow import Flow
from pbx.sip.inspection import inspect, session_description
from pbx.sip.invite_uac import Outgoing
from pbx.sip.invite_uas import Incoming
from pbx.sip.invite_usage import Usage
from pbx.sip.message import Request, Response, response_to
from pbx.sip.server_transaction import ServerTransaction
from pbx.sip.timers import TRANSACTION_LIMIT_S, TimerQueue
from pbx.sip.uri import SipUri
from pbx.sip.usage_state import State

SERVES = Capabilities(("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS"))
"""What the phone can do."""


class UserAgent:
    """One phone. Octets and times in; octets, events and the next deadline out, as `Endpoint`.

    Args:
        account: who we are; at a server, or by our own address.
        flow: the path to the server; of a phone without one, only its local address counts.
        tokens: each call returns a fresh random string.
        name: of the program, for User-Agent.
    """

    def __init__(
        self, account: Account, flow: Flow, tokens: Callable[[], str], *, name: str
    ) -> None:
        self._account = account
        self._flow = flow
        self._tokens = tokens
        self._endpoint = Endpoint(tokens, user_agent=name, serves=SERVES, streams=False)
        self._timers = TimerQueue()
        self._happenings: deque[Happening] = deque()
        # By usage, until no message of theirs can come any more
        self._calls: dict[tuple[str, str], Call] = {}
        self.call: Call | None = None
        """The call that isn't over; None for none."""
        self._authorizer = Authorizer(account.user, account.password, tokens)
        self.registration = Registration(
            account,
            self._authorizer,
            self._endpoint,
            self._timers,
            flow,
            self.contact(flow),
            tokens,
            self._happenings.append,
        )

    def contact(self, flow: Flow) -> str:
        """Return our Contact value."""
        return f"<{SipUri('sip', self._account.user, None, flow.local.host, flow.local.port)}>"

    # ---------------------------------------------------------------- what a person does

    def dial(self, uri: str, peer: str, negotiation: Negotiation, flow: Flow, now: float) -> Call:
        """Call somebody.

        Args:
            uri: the Request-URI.
            peer: how the call is named.
            negotiation: makes its offer.
            flow: where the INVITE goes.
            now: seconds.
        """
        request = Request(
            "INVITE",
            uri,
            [
                ("From", f"<{self._account.address}>;tag={self._tokens()}"),
                ("To", f"<{uri}>"),
                ("Call-ID", self._tokens()),
                ("CSeq", "1 INVITE"),
                ("Contact", self.contact(flow)),
                ("Content-Type", SDP_TYPE),
            ],
            negotiation.offer(),
        )
        call = Call(self._outgoing(request, flow, now), peer)
        call.negotiation = negotiation
        self._keep(call)
        self._happenings.append(Dialled(call))
        return call

    def _outgoing(self, request: Request, flow: Flow, now: float) -> Outgoing:
        return Outgoing(
            self._endpoint, self._timers, self.contact, self._decline, request, flow, now
        )

    def _decline(self, offer: bytes) -> bytes:
        return reject_all(offer, self._flow.local.host)

    def _keep(self, call: Call) -> None:
        self.call = call
        self._calls[call.usage.key] = call

    def answer(self, call: Call, negotiation: Negotiation, now: float) -> None:
        """Answer a call that rings; nothing happens where it rings no more."""
        if call.state is not CallState.RINGING or not isinstance(call.usage, Incoming):
            return
        offer = session_description(call.usage.transaction.request)
        call.negotiation = negotiation
        # It was checked when the call came.
        body = negotiation.answer(offer) if offer else negotiation.offer()
        call.usage.answer(body, "", now)
        call.state = CallState.TALKING
        self._happenings.append(Answered(call))

    def refuse(self, call: Call, now: float) -> None:
        """Tell a caller that we don't want to talk (§21.4.17: it may try again later)."""
        if call.state is CallState.RINGING and isinstance(call.usage, Incoming):
            call.usage.reject(486, "Busy Here", [], now)
            self._end(call, Reason(Why.WE_HUNG_UP), now)

    def hang_up(self, call: Call, now: float) -> None:
        """End a call whatever its state."""
        if call.ended:
            return
        if call.state is CallState.RINGING:
            self.refuse(call, now)
            return
        call.usage.bye(None, now)
        self._end(call, Reason(Why.WE_HUNG_UP), now)

    @property
    def quiet(self) -> bool:
        """No request of ours waits for its response, and no BYE for an ACK: the program may end."""
        return not self._endpoint.pending_requests and not any(
            call.usage.state is State.ANSWERED for call in self._calls.values()
        )

    # ---------------------------------------------------------------- octets and time

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        """Take a datagram; see `Endpoint.receive`."""
        self._endpoint.receive(data, flow, now)
        self._take_events(now)

    def flow_failed(self, flow: Flow, why: str, now: float) -> None:
        """Take note that a path is gone; see `Endpoint.flow_failed`."""
        self._endpoint.flow_failed(flow, why, now)
        self._take_events(now)

    def to_send(self) -> list[tuple[bytes, Flow]]:
        """Return datagrams to send, in order."""
        return self._endpoint.to_send()

    def next_happening(self) -> Happening | None:
        """Return the oldest event that hasn't been taken yet."""
        return self._happenings.popleft() if self._happenings else None

    def next_timer(self) -> float | None:
        """Return when `handle_timer` is due, or None."""
        due = (self._endpoint.next_timer(), self._timers.next_timer())
        return min((when for when in due if when is not None), default=None)

    def handle_timer(self, now: float) -> None:
        """Do what is due."""
        self._endpoint.handle_timer(now)
        for key in self._timers.pop_due(now):
            owner, name = cast(tuple[Registration | Call | Usage, str], key)
            match owner:
                case Registration():
                    owner.timer_fired(now)
                case Call():
                    self._calls.pop(owner.usage.key, None)
                case Usage():
                    call = self._calls.get(owner.key)
                    events = owner.timer_fired(name, now)
                    if call is not None:
                        self._heard(call, events, now)
        self._take_events(now)

    def _take_events(self, now: float) -> None:
        while (event := self._endpoint.next_event()) is not None:
            self._take(event, now)

    # ---------------------------------------------------------------- what comes in

    def _take(self, event: Event, now: float) -> None:
        if self.registration.owns(event.transaction):
            self.registration.receive(event, now)
            return
        if isinstance(event, AckTimedOut | AcceptedEnded):
            return
        call = self._call_of(event)
        if isinstance(event, ResponseReceived) and self._authorized(event, call, now):
            return
        if call is not None:
            self._heard(call, call.usage.receive(event, now), now)
        elif isinstance(event, RequestReceived) and event.transaction is not None:
            self._asked(event.transaction, now)

    def _call_of(self, event: Event) -> Call | None:
        """The call whose own tag stands in the event's request."""
        if isinstance(event, RequestReceived):
            return self._calls.get(usage_key(event.request.call_id, event.request.to.tag))
        transaction = event.transaction
        request = transaction.request
        if not isinstance(transaction, ServerTransaction):
            return self._calls.get(usage_key(request.call_id, request.from_.tag))
        if request.to.tag is not None:
            return self._calls.get(usage_key(request.call_id, request.to.tag))
        # An INVITE that began a call names no tag of ours yet.
        calls = self._calls.values()
        return next((call for call in calls if call.usage.transaction is transaction), None)

    def _authorized(self, event: ResponseReceived, call: Call | None, now: float) -> bool:
        """Send an INVITE or BYE again with credentials; False where that is no answer."""
        transaction = event.transaction
        if call is None or event.response.status not in CHALLENGES:
            return False
        begins = transaction is call.usage.transaction
        if begins and call.ended:
            return False
        again = self._authorizer.answer(transaction.request, event.response)
        if again is None:
            return False
        if begins:
            call.usage = self._outgoing(again, transaction.flow, now)
        elif transaction.method == "BYE":
            self._endpoint.send_request(again, transaction.flow, now)
        else:
            return False
        return True

    def _asked(self, transaction: ServerTransaction, now: float) -> None:
        """Answer a request outside a dialog (§8.2), or one of a dialog that isn't there."""
        request = transaction.request
        if request.to.tag is not None:
            self._respond(transaction, 481, "Call/Transaction Does Not Exist", now)
            return
        refusal = inspect(request, SERVES, self._tokens())
        if refusal is not None:
            self._endpoint.respond(transaction, refusal, now)
        elif request.method not in ("INVITE", "OPTIONS"):
            self._respond(transaction, 481, "Call/Transaction Does Not Exist", now)
        elif self.call is not None:
            # §11.2: OPTIONS is answered as an INVITE would be
            self._respond(transaction, 486, "Busy Here", now)
        elif request.method == "OPTIONS":
            response = self._response(transaction, 200, "OK")
            response.add("Allow", ", ".join(SERVES.allow))
            response.add("Accept", SDP_TYPE)
            self._endpoint.respond(transaction, response, now)
        else:
            self._invited(transaction, now)

    def _invited(self, transaction: ServerTransaction, now: float) -> None:
        request = transaction.request
        offer = session_description(request)
        try:
            if offer:
                check_offer(offer)
            incoming = Incoming(
                self._endpoint,
                self._timers,
                self.contact,
                self._decline,
                transaction,
                self._tokens,
                now,
            )
        except PeerError as error:
            self._respond(transaction, error.status, error.reason, now)
            return
        uri = request.from_.uri
        peer = uri.user if isinstance(uri, SipUri) and uri.user else str(uri)
        call = Call(incoming, peer, request.from_.display_name, incoming=True)
        self._keep(call)
        incoming.progress(180, "Ringing", b"", "", now)
        self._happenings.append(Invited(call))

    def _response(self, transaction: ServerTransaction, status: int, reason: str) -> Response:
        return response_to(transaction.request, status, reason, to_tag=transaction.tag)

    def _respond(
        self, transaction: ServerTransaction, status: int, reason: str, now: float
    ) -> None:
        self._endpoint.respond(transaction, self._response(transaction, status, reason), now)

    # ---------------------------------------------------------------- what it means

    def _heard(self, call: Call, events: list[usage.UsageEvent], now: float) -> None:
        for event in events:
            if call.ended:
                return
            self._happened(call, event, now)

    def _happened(self, call: Call, event: usage.UsageEvent, now: float) -> None:
        match event:
            case usage.Progressed():
                self._progressed(call, event)
            case usage.Accepted():
                self._accepted(call, event.body, now)
            case usage.Rejected():
                self._end(call, _refusal(event), now)
            case usage.CallerCancelled():
                self._end(call, Reason(Why.CALLER_GAVE_UP), now)
            case usage.Confirmed():
                self._confirmed(call, event.body, now)
            case usage.Reoffered():
                self._reoffered(call, event.body, now)
            case usage.HungUp():
                self._end(call, Reason(Why.PEER_HUNG_UP), now)
            case usage.Lost():
                self._end(call, Reason(Why.LOST, phrase=event.why), now)

    def _progressed(self, call: Call, event: usage.Progressed) -> None:
        if event.body and call.negotiation is not None:
            try:
                call.negotiation.accept(event.body)
            except PeerError:
                # Only the answer in the 2xx must be one that we can use.
                pass
        call.state = CallState.ALERTING
        self._happenings.append(Alerting(call))

    def _accepted(self, call: Call, body: bytes, now: float) -> None:
        call.usage.acknowledge(b"", now)
        if not self._accept(call, body, now):
            return
        call.state = CallState.TALKING
        self._happenings.append(Answered(call))

    def _accept(self, call: Call, answer: bytes, now: float) -> bool:
        """Take the answer to our offer; a call that can have no sound is ended."""
        negotiation = call.negotiation
        try:
            if negotiation is None or not (answer or negotiation.agreed):
                raise PeerError(488, "No session description")
            # Without one in the 2xx, that of the 183 holds.
            if answer:
                negotiation.accept(answer)
        except PeerError as error:
            call.usage.bye(None, now)
            self._end(call, Reason(Why.NO_COMMON_SOUND, phrase=error.reason), now)
            return False
        return True

    def _confirmed(self, call: Call, body: bytes, now: float) -> None:
        # An answer in the ACK: the INVITE, or a re-INVITE, had no offer. An ACK without one leaves
        # what was agreed on before.
        if (body or call.agreed is None) and self._accept(call, body, now):
            self._happenings.append(MediaChanged(call))

    def _reoffered(self, call: Call, body: bytes, now: float) -> None:
        negotiation = call.negotiation
        if negotiation is None:
            call.usage.refuse_reoffer(488, "Not Acceptable Here", now)
            return
        if not body:
            # §14.2: "the 2xx [...] SHOULD [...] contain an offer"; the answer comes in the ACK
            call.usage.accept_reoffer(negotiation.offer(), now)
            return
        try:
            answer = negotiation.answer(body)
        except PeerError as error:
            call.usage.refuse_reoffer(error.status, error.reason, now)
            return
        call.usage.accept_reoffer(answer, now)
        self._happenings.append(MediaChanged(call))

    def _end(self, call: Call, reason: Reason, now: float) -> None:
        call.state = CallState.ENDED
        if self.call is call:
            self.call = None
        # Its 2xx or BYE may come once more.
        self._timers.set((call, "forget"), now + 2 * TRANSACTION_LIMIT_S)
        self._happenings.append(Ended(call, reason))


def _refusal(event: usage.Rejected) -> Reason:
    """Why our INVITE failed."""
    if event.local:
        why = Why.NO_RESPONSE if event.status == 408 else Why.UNREACHABLE
        return Reason(why, phrase=event.reason)
    why = Why.WRONG_PASSWORD if event.status in CHALLENGES else Why.REFUSED
    return Reason(why, event.status, event.reason)
