"""The INVITE dialog usage: one call leg as SIP sees it (RFC 3261 §12.2, §14, §15).

A usage is made by `Incoming` (we are UAS) or `Outgoing` (we are UAC); once the dialog is
confirmed both behave alike, as written here. It sends through the endpoint and returns what
happened as events; bodies pass through it as octets, so it knows no SDP.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from pbx.errors import MisuseError, PeerError
from pbx.sip.acks import Acks
from pbx.sip.client_transaction import ClientTransaction
from pbx.sip.connected_identity import ConnectedIdentity
from pbx.sip.crossing import Headers
from pbx.sip.dialog import Dialog, DialogId, dialog_id_of
from pbx.sip.dialog_usage import DialogUsage, reasons_of
from pbx.sip.endpoint import Endpoint
from pbx.sip.events import (
    Cancelled,
    Event,
    RequestReceived,
    ResponseReceived,
    TransactionTimedOut,
    TransportFailed,
)
from pbx.sip.flow import Flow
from pbx.sip.glare import glare_wait_s, retry_after_s
from pbx.sip.inspection import inspect_in_dialog, session_description
from pbx.sip.keys import Keys
from pbx.sip.message import Request, Response
from pbx.sip.next_hop import behind_nat
from pbx.sip.reason import TIMER_EXPIRED, build_reason, q850_of_status
from pbx.sip.referral import Referrals
from pbx.sip.server_transaction import ServerTransaction
from pbx.sip.session_timer import SessionPolicy, SessionTimer
from pbx.sip.texts import Texts
from pbx.sip.timers import T1, T2, TRANSACTION_LIMIT_S, TimerQueue
from pbx.sip.update import Updates
from pbx.sip.usage_events import (
    Confirmed,
    HungUp,
    Lost,
    Renewed,
    ReofferAccepted,
    Reoffered,
    ReofferRefused,
    ReofferWithdrawn,
    UsageEvent,
)
from pbx.sip.usage_part import REFRESHING, Parts, ServingPart, UsagePart
from pbx.sip.usage_state import State, Unacknowledged


class Usage(DialogUsage):
    """What an incoming and an outgoing INVITE usage share: the confirmed dialog.

    Args:
        timers: the exchange's timers; `timer_fired` is called with the names set here.
        decline: makes an SDP answer that refuses an offer, for a call that is not wanted any more.
        endpoint, contact, flow, behind_nat: as for `DialogUsage`.
        session: what is wanted of session timers; None: they aren't known here.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        timers: TimerQueue,
        contact: Callable[[Flow], str],
        flow: Flow,
        decline: Callable[[bytes], bytes],
        *,
        behind_nat: bool = False,
        session: SessionPolicy | None = None,
    ) -> None:
        super().__init__(endpoint, contact, flow, behind_nat=behind_nat)
        self._timers = timers
        self.decline = decline
        self.state = State.INVITED
        self._reinvite_in: ServerTransaction | None = None
        self._reinvite_out: ClientTransaction | None = None
        self._unacknowledged: Unacknowledged | None = None
        self._acks = Acks(self)
        self.prove: Callable[[ServerTransaction, float], bool] | None = None
        """Asked whether a request is the peer's that comes by another path than `flow`; False where
        it has been answered. None: the request is served, but the dialog stays where it was."""
        self._parts = Parts()
        self._waits = 0
        self._served: dict[str, Callable[[RequestReceived, float], list[UsageEvent]]] = {
            "BYE": self._bye_received,
            "INVITE": self._reinvite_received,
            "OPTIONS": self._options_received,
        }
        # The session descriptions that both sides last agreed on: ours, and the peer's
        self._told = self._heard = b""
        # The dialogs whose session had been agreed on anew before the call was answered
        self._settled: set[DialogId] = set()
        self._refreshing = False
        self.updates = Updates(self)
        self.session = None if session is None else SessionTimer(self, session)
        self.keys = Keys(self)
        self.identity = ConnectedIdentity(self)
        self.texts, referrals = Texts(self), Referrals(self)
        for part in (self.updates, self.texts, self.session, self.keys, referrals, self.identity):
            if part is not None:
                self.add(part)

    def add(self, part: UsagePart) -> None:
        """Let `part` hear of what happens, and serve its methods, where all of them are offered."""
        if isinstance(part, ServingPart):
            if not self._endpoint.serves.all_within(part.methods):
                return
            for method in part.methods:
                self._served[method] = part.request
        self._parts.add(part)

    @classmethod
    def resumed(
        cls,
        endpoint: Endpoint,
        timers: TimerQueue,
        contact: Callable[[Flow], str],
        flow: Flow,
        decline: Callable[[bytes], bytes],
        dialog: Dialog,
        *,
        owns_call_id: bool = False,
        behind_nat: bool = False,
        session: SessionPolicy | None = None,
        told: bytes = b"",
    ) -> "Usage":
        """Return the usage of a dialog that was confirmed before the program was restarted.

        Args:
            owns_call_id: we made the call.
            told: the session description that the peer last had of us.
        """
        usage = cls(
            endpoint, timers, contact, flow, decline, behind_nat=behind_nat, session=session
        )
        usage._told = told
        usage.dialog = dialog
        usage.state = State.CONFIRMED
        usage.owns_call_id = owns_call_id
        return usage

    # ---------------------------------------------------------------- what the call asks for

    owns_call_id = False
    """Whether we chose the dialog's Call-ID, as who called does."""

    @property
    def heard_dialog(self) -> Dialog | None:
        """The dialog whose session is heard now, be it only early media; None for none."""
        return self.dialog if self.state is State.CONFIRMED else None

    @property
    def confirmed(self) -> bool:
        """Whether a final response has answered the call."""
        return self.state in (State.ANSWERED, State.CONFIRMED)

    @property
    def glare_wait_s(self) -> float:
        """How long to wait before a change is tried again that met another one (§14.1)."""
        dialog = self._begun()
        self._waits += 1
        token = f"{dialog.local_tag} {dialog.call_id} {self._waits}"
        return glare_wait_s(token, owner=self.owns_call_id)

    @property
    def settled(self) -> bool:
        """True when no answer to an INVITE of ours can come any more."""
        return self._reinvite_out is None or not self._reinvite_out.pending

    @property
    def busy(self) -> bool:
        """True while an INVITE, either way, has no final answer or no ACK (glare, §14.1)."""
        return (
            self._reinvite_in is not None
            or self._reinvite_out is not None
            or self._unacknowledged is not None
            or self._acks.due
            or self.updates.offering
        )

    @property
    def early_dialog(self) -> Dialog | None:
        """The dialog in which an UPDATE may offer another session before the answer; None for none.

        RFC 3311 §5.1: the offer before it must have been answered, and by a reliable response.
        """
        return None

    @property
    def awaits_ack(self) -> bool:
        """Whether our 2xx to an INVITE of the peer's has no ACK yet."""
        return self._unacknowledged is not None

    def has_peer(self, tag: str) -> bool:
        """Whether this is the tag of the dialog's peer, or of one that may become it."""
        return (
            self.state is not State.ENDED
            and self.dialog is not None
            and self.dialog.remote_tag == tag
        )

    def reoffer(self, body: bytes, now: float, headers: Headers = ()) -> bool:
        """Send a re-INVITE (§14.1) with these `headers`, too; False while that is impossible.

        Before the call is answered it is an UPDATE.
        """
        if self.busy:
            return False
        if self.state is not State.CONFIRMED:
            return self.updates in self._parts and self.updates.offer(body, now, headers)
        request = self.build("INVITE", body)
        request.extend(headers)
        self._reinvite_out = self.send(request, now)
        return True

    def refresh(self, now: float) -> bool:
        """Send a session refresh that changes nothing (RFC 4028 §7.4); False while it can't be.

        An UPDATE where the peer knows it; else an INVITE with the description that the peer has.
        """
        if self.state is not State.CONFIRMED or self.updates.waiting:
            return False
        if self.updates.possible:
            self.updates.send(now)
            return True
        self._refreshing = bool(self._told) and self.reoffer(self._told, now)
        return self._refreshing

    def expired(self, now: float) -> list[UsageEvent]:
        """End a session that nobody has refreshed (RFC 4028 §10)."""
        if self.state not in (State.ANSWERED, State.CONFIRMED):
            return []
        self.bye(build_reason(TIMER_EXPIRED), now)
        return [Lost("the session has expired", timed_out=False, expired=True)]

    def cancel_reoffer(self, now: float) -> None:
        """Give our re-INVITE up (§9.1), where one is open; a 2xx may come all the same."""
        if self._reinvite_out is not None:
            self._endpoint.cancel(self._reinvite_out, now)

    def accept_reoffer(self, body: bytes, now: float) -> None:
        """Answer the peer's re-INVITE, UPDATE or PRACK with 200."""
        transaction = self._take_reinvite()
        request = transaction.request
        if request.method == "INVITE":
            self._accept(transaction, body, now)
            return
        if self.confirmed:
            self._agree(body, session_description(request))
        else:
            self.settle(dialog_id_of(request), body, session_description(request))
        response = self._response(transaction, 200, "OK", body)
        if request.method in REFRESHING:
            self._parts.dress_answer(request, response, now)
        self._endpoint.respond(transaction, response, now)
        self.change_over(now)

    def refuse_reoffer(self, status: int, reason: str, now: float) -> None:
        """Answer the peer's re-INVITE, UPDATE or PRACK with a failure; the session goes on
        unchanged."""
        self._respond(self._take_reinvite(), status, reason, now)
        self.change_over(now)

    def settle(self, dialog: DialogId, told: bytes, heard: bytes) -> None:
        """Note that a session was agreed on before the call's answer, which is to say no more of it."""
        self._settled.add(dialog)
        self._agree(told, heard)

    def change_over(self, now: float) -> None:
        """Do what has waited for the end of a change before the answer."""

    def _take_reinvite(self) -> ServerTransaction:
        if self._reinvite_in is None:
            raise MisuseError("no re-INVITE to answer")
        transaction, self._reinvite_in = self._reinvite_in, None
        return transaction

    def acknowledge(self, body: bytes, now: float) -> None:
        """Send the ACK to the peer's 2xx (§13.2.2.4); repeated by itself when the 2xx is."""
        ack = self._acks.build(body)
        if ack is not None:
            self._told = ack.body or self._told
            self._endpoint.send_ack(ack, self._next_hop(), now)
            self.keys.go_on(now)

    def acknowledge_again(self, invite: ClientTransaction, flow: Flow, now: float) -> None:
        """Repeat the ACK to `invite`'s 2xx, which the peer has repeated by `flow` (§13.2.2.4)."""
        ack = self._acks.again(invite)
        if ack is not None:
            # The connection of the first one may be gone.
            self.flow = flow
            self._endpoint.send_ack(ack, self._next_hop(), now)

    def bye(self, reason: str | None, now: float) -> None:
        """End a confirmed dialog (§15.1.1); `reason` is a Reason header value."""
        if self.state is State.ENDED:
            return
        self._end(now)
        self._send_bye(reason, now)

    def _send_bye(self, reason: str | None, now: float) -> None:
        request = self.build("BYE")
        if reason is not None:
            request.add("Reason", reason)
        self.send(request, now)

    def _end(self, now: float) -> None:
        """Leave nothing of the dialog open; no event of it concerns the call any more."""
        self._parts.ended(now)
        self.acknowledge(b"", now)
        if self._reinvite_in is not None:
            # §15.1.2: "any pending requests received for that dialog" are answered 487
            self.refuse_reoffer(487, "Request Terminated", now)
        # Without a limit of its own, it would wait for ever for a peer that has forgotten it.
        self.cancel_reoffer(now)
        self._stop_retransmission()
        self.state = State.ENDED

    # ---------------------------------------------------------------- what comes in

    def receive(self, event: Event, now: float) -> list[UsageEvent]:
        """Take an event of one of this usage's transactions; return what it means for the call."""
        if isinstance(event, ResponseReceived | TransactionTimedOut | TransportFailed):
            followed = self.challenges.follow(event, now)
            return [] if followed is None else self._take(followed, now)
        return self._take(event, now)

    def sent_again(self, before: ClientTransaction, again: ClientTransaction) -> bool:
        """As in `DialogUsage`; an INVITE's ACK and CANCEL are made of what was sent last."""
        if before is self._reinvite_out:
            self._reinvite_out = again
            return True
        return False

    def _take(self, event: Event, now: float) -> list[UsageEvent]:
        if isinstance(event, RequestReceived):
            return self._request_received(event, now)
        if isinstance(event, ResponseReceived | TransactionTimedOut | TransportFailed):
            told = self._parts.outcome(event, now)
            if told is not None:
                return told
        match event:
            case ResponseReceived():
                return self._response_received(event, now)
            case TransactionTimedOut() if event.transaction is self._reinvite_out:
                return self._reinvite_failed(408, "Request Timeout", now)
            case TransportFailed() if isinstance(event.transaction, ClientTransaction):
                self.path_lost(event.transaction, now)
                return self._without_path(event.transaction, event.why, now)
            case Cancelled() | TransportFailed() if event.transaction is self._reinvite_in:
                self.refuse_reoffer(487, "Request Terminated", now)
                return [ReofferWithdrawn()]
        return []

    def timer_fired(self, name: str, now: float) -> list[UsageEvent]:
        """Retransmit our 2xx until its ACK comes (§13.3.1.4), or give the dialog up."""
        told = self._parts.timer_fired(name, now)
        if told is not None:
            return told
        waiting = self._unacknowledged
        if waiting is None:
            return []
        # Compared with what the timer was set to: a difference of floats may fall short of it,
        # and the timer would be set to the same moment again, without end.
        if now >= waiting.deadline:
            # "the dialog is confirmed, but the session SHOULD be terminated. This is accomplished
            # with a BYE"
            self._stop_retransmission()
            self.state = State.CONFIRMED
            self.bye(build_reason(TIMER_EXPIRED), now)
            return [Lost("no ACK came", timed_out=True)]
        self._endpoint.retransmit(waiting.transaction, waiting.response, now)
        waiting.interval_s = min(2 * waiting.interval_s, T2)
        self._timers.set((self, "2xx"), min(now + waiting.interval_s, waiting.deadline))
        return []

    def _request_received(self, event: RequestReceived, now: float) -> list[UsageEvent]:
        request, transaction = event.request, event.transaction
        dialog = self.dialog_of(request)
        if dialog is None:
            return self._answer(transaction, 481, "Call/Transaction Does Not Exist", now)
        if transaction is None:
            return self._ack_received(event)
        if self.state is State.ENDED:
            if request.method == "BYE" and dialog.confirmed:
                # Both hung up at once (RFC 5407 §3.2): the peer's dialog was alive
                return self._answer(transaction, 200, "OK", now)
            return self._answer(transaction, 481, "Call/Transaction Does Not Exist", now)
        if not self._follow(event, transaction, now):
            return []
        try:
            # §12.2.2: a request with a lower CSeq than the last one is out of order
            dialog.check_remote_seq(request)
        except PeerError as error:
            return self._answer(transaction, error.status, error.reason, now)
        refusal = inspect_in_dialog(request, self._endpoint.serves) or self._parts.inspect(event)
        if refusal is not None:
            self._endpoint.respond(transaction, refusal, now)
            return []
        serve = self._served.get(request.method)
        if serve is None:
            return self._answer(transaction, 405, "Method Not Allowed", now)
        return serve(event, now)

    def _follow(self, event: RequestReceived, transaction: ServerTransaction, now: float) -> bool:
        """Go with a peer that has moved to another path; False where the request was answered.

        Who has overheard a dialog's tags could lead it away: what comes by another path has to
        prove whose it is. A BYE needn't: nothing more goes to where it comes from.
        """
        request, flow = event.request, event.flow
        known = flow.same_source(self.flow)
        if not known and self.prove is not None and request.method != "BYE":
            if not self.prove(transaction, now):
                return False
            known = True
        if known:
            self.flow = flow
            self.behind_nat = behind_nat(request, flow)
        return True

    def dialog_of(self, request: Request) -> Dialog | None:
        """The dialog that a request from the peer belongs to: §12 compares both tags."""
        dialog = self.dialog
        return dialog if dialog is not None and dialog_id_of(request) == dialog.id else None

    def _ack_received(self, event: RequestReceived) -> list[UsageEvent]:
        waiting = self._unacknowledged
        if waiting is None:
            return []
        invite = waiting.transaction.request
        if event.request.cseq.number != invite.cseq.number:
            return []
        return self._acknowledged(waiting, session_description(event.request))

    def _acknowledged(self, waiting: Unacknowledged, told: bytes) -> list[UsageEvent]:
        """The peer has our 2xx; `told` is the session description of its ACK."""
        self._stop_retransmission()
        if self.state is State.ANSWERED:
            self.state = State.CONFIRMED
        # Where the INVITE carried the offer, the 2xx was the answer, and the ACK has nothing to say
        self._heard = told if waiting.late else self._heard
        return [Confirmed(told if waiting.late else b"")]

    def _bye_received(self, event: RequestReceived, now: float) -> list[UsageEvent]:
        self._end(now)
        self._respond(event.transaction, 200, "OK", now)
        return [HungUp(reasons_of(event.request))]

    def _options_received(self, event: RequestReceived, now: float) -> list[UsageEvent]:
        # §11: a phone's keep-alive
        return self._answer(event.transaction, 200, "OK", now)

    def _reinvite_received(self, event: RequestReceived, now: float) -> list[UsageEvent]:
        transaction = _transaction(event)
        if self._reinvite_in is not None:
            self.refuse_for_now(transaction, now)
            return []
        before: list[UsageEvent] = []
        waiting = self._unacknowledged
        if waiting is not None and not waiting.late:
            # RFC 5407 §3.1.4: "This example recommends that 200 be sent instead of 491". Only the
            # ACK is lost or late: a peer that begins another INVITE has our 2xx, and its answer.
            before = self._acknowledged(waiting, b"")
        if self.busy:
            # §14.2: "while an INVITE it had sent on that dialog is in progress"; and while the ACK
            # is to bring an answer: nobody knows yet which session this one would change
            return before + self._answer(transaction, 491, "Request Pending", now)
        try:
            self.refresh_target(event.request)
        except PeerError as error:
            return before + self._answer(transaction, error.status, error.reason, now)
        self.await_answer(transaction)
        return [*before, Reoffered(session_description(event.request))]

    def _response_received(self, event: ResponseReceived, now: float) -> list[UsageEvent]:
        transaction, response = event.transaction, event.response
        if transaction is not self._reinvite_out:
            # A 2xx to an earlier re-INVITE, repeated
            self.acknowledge_again(transaction, event.flow, now)
            return []
        if response.status < 200:
            return []
        if response.status >= 300:
            return self._reinvite_failed(response.status, response.reason, now, response)
        self._reinvite_out = None
        before, refreshing, self._refreshing = self._heard, self._refreshing, False
        self._accepted(transaction, response, event.flow, now)
        if self.state is State.ENDED or refreshing:
            # It crossed our BYE, or the peer's: the 2xx wants its ACK all the same
            self.acknowledge(b"", now)
            # A peer may say something else now, though nothing was changed (RFC 3264 §8)
            another = refreshing and self._heard != before
            return [Renewed(self._heard)] if another and self.state is not State.ENDED else []
        return [ReofferAccepted(session_description(response))]

    def _accepted(
        self,
        invite: ClientTransaction,
        response: Response,
        flow: Flow,
        now: float,
        *,
        settled: bool = False,
    ) -> None:
        """Note a 2xx to an INVITE of ours: an ACK is due.

        Where the session is `settled`, neither has anything to say of it.
        """
        # §12.2.1.2; a Contact that can't be read leaves the target as it is
        with suppress(PeerError):
            self._begun().refresh_target(response)
        self.flow = flow
        self._learn_allowed(response)
        offered, told = session_description(invite.request), session_description(response)
        if not settled:
            self._agree(offered, told)
        self._acks.expect(invite, b"" if offered or settled else told)
        self._parts.accepted(invite.request, response, now)

    def _agree(self, told: bytes, heard: bytes) -> None:
        """Note the session descriptions of both sides, as far as they were said now."""
        self._told, self._heard = told or self._told, heard or self._heard

    def _reinvite_failed(
        self, status: int, why: str, now: float, response: Response | None = None
    ) -> list[UsageEvent]:
        self._reinvite_out = None
        refreshing, self._refreshing = self._refreshing, False
        if self.state is State.ENDED:
            return []
        if refreshing and status not in (408, 481):
            self.refresh_failed(status, response, now)
            return []
        if status not in (408, 481) or self.state is not State.CONFIRMED:
            return [ReofferRefused(status, why)]
        return self.given_up(status, why, now)

    def given_up(self, status: int, why: str, now: float) -> list[UsageEvent]:
        """End a dialog that is gone on the other side (§12.2.1.2): 408, 481 or no response at all."""
        if self.state is not State.CONFIRMED:
            return []
        self.bye(build_reason(q850_of_status(status)), now)
        return [Lost(f"{status} {why}", timed_out=status == 408, gone=status == 481)]

    def path_lost(self, transaction: ClientTransaction, now: float) -> None:
        """Go on without a connection that has ended: to the peer's Contact, by a new one."""
        lost = transaction.flow
        if lost.connection and self.flow.connection in (0, lost.connection):
            self.flow = replace(self.flow, connection=0)
            if transaction.method == "BYE":
                self._send_bye(transaction.request.get("Reason"), now)

    def _without_path(
        self, transaction: ClientTransaction, why: str, now: float
    ) -> list[UsageEvent]:
        if transaction is not self._reinvite_out:
            return []
        # §8.1.3.1: a transport error counts as a 503, and that one ends no dialog
        return self._reinvite_failed(503, why, now)

    # ---------------------------------------------------------------- shared parts

    def _accept(
        self,
        transaction: ServerTransaction,
        body: bytes,
        now: float,
        headers: Headers = (),
        *,
        settled: bool = False,
    ) -> None:
        offered = session_description(transaction.request)
        if not settled:
            self._agree(body, offered)
        response = self._response(transaction, 200, "OK", body)
        response.extend(headers)
        self._parts.dress_answer(transaction.request, response, now)
        deadline = now + TRANSACTION_LIMIT_S
        late = not offered and not settled
        self._unacknowledged = Unacknowledged(transaction, response, deadline, late)
        self._timers.set((self, "2xx"), now + T1)
        self._endpoint.respond(transaction, response, now)

    def _stop_retransmission(self) -> None:
        self._unacknowledged = None
        self._timers.cancel((self, "2xx"))

    def _answer(
        self, transaction: ServerTransaction | None, status: int, reason: str, now: float
    ) -> list[UsageEvent]:
        """Answer a request that the call needn't hear of."""
        self._respond(transaction, status, reason, now)
        return []

    # ---------------------------------------------------------------- what the parts ask for

    def unsettled(self, request: Request) -> int:
        """Return the status that refuses another offer of the peer's now; 0 where it may come.

        RFC 3311 §5.2: 500 while one of the peer's waits for our answer; 491 while ours waits, or
        our question for an offer.
        """
        if self._reinvite_in is not None:
            return 500
        waiting = self._unacknowledged
        late = waiting is not None and waiting.late
        asked = self._reinvite_out is not None or self._acks.due
        return 491 if late or asked or self.updates.offering else 0

    @property
    def answering(self) -> str:
        """The method of the session change that waits for `accept_reoffer`; empty for none."""
        return "" if self._reinvite_in is None else self._reinvite_in.request.method

    def await_answer(self, transaction: ServerTransaction) -> None:
        """Keep a session change until `accept_reoffer` or `refuse_reoffer`."""
        self._reinvite_in = transaction

    def refresh_target(self, request: Request) -> None:
        """Take over the Contact of a target refresh request (§12.2.2).

        Raises:
            PeerError: 400 if it isn't one URI.
        """
        dialog = self.dialog_of(request)
        if dialog is not None:
            dialog.refresh_target(request)
        self._learn_allowed(request)

    def refreshed(
        self, sent: ClientTransaction, response: Response, now: float
    ) -> list[UsageEvent]:
        """Take the final response to a target refresh request that changes no session."""
        if response.status in (408, 481):
            return self.given_up(response.status, response.reason, now)
        if response.status < 300:
            # §12.2.1.2; a Contact that can't be read leaves the target as it is
            with suppress(PeerError):
                self._begun().refresh_target(response)
            self._learn_allowed(response)
            self._parts.accepted(sent.request, response, now)
        else:
            self.refresh_failed(response.status, response, now)
        return []

    def refresh_failed(self, status: int, response: Response | None, now: float) -> None:
        """Take note that a refresh has come to nothing; the session goes on until it expires."""
        if self.session is not None:
            self.session.failed(status, response, now)

    def build(self, method: str, body: bytes = b"", dialog: Dialog | None = None) -> Request:
        """As in `DialogUsage`, with what the parts have to say."""
        request = super().build(method, body, dialog)
        self._parts.dress(request)
        return request

    def answer_request(
        self,
        transaction: ServerTransaction,
        status: int,
        reason: str,
        now: float,
        *headers: tuple[str, str],
    ) -> list[UsageEvent]:
        """Answer a request that the call needn't hear of."""
        response = self._response(transaction, status, reason)
        for name, value in headers:
            response.add(name, value)
        if status < 300 and transaction.request.method in REFRESHING:
            self._parts.dress_answer(transaction.request, response, now)
        self._endpoint.respond(transaction, response, now)
        return []

    def refuse_for_now(self, transaction: ServerTransaction, now: float) -> None:
        """Refuse a change that came before the final response to the one before it (§14.2)."""
        # "MUST include a Retry-After header field with a randomly chosen value of between 0 and 10"
        after = ("Retry-After", str(retry_after_s(transaction.fresh_tag)))
        self.answer_request(transaction, 500, "Server Internal Error", now, after)

    def set_timer(self, name: str, when: float) -> None:
        """Let the parts' `timer_fired` be called with `name`."""
        self._timers.set((self, name), when)

    def cancel_timer(self, name: str) -> None:
        """Stop a timer of `set_timer`'s."""
        self._timers.cancel((self, name))


def _transaction(event: RequestReceived) -> ServerTransaction:
    """The transaction of a request that is no ACK."""
    if event.transaction is None:
        raise MisuseError("an ACK has no transaction")
    return event.transaction
