"""The INVITE dialog usage: one call leg as SIP sees it (RFC 3261 §12.2, §14, §15).

A usage is made by `Incoming` (we are UAS) or `Outgoing` (we are UAC); once the dialog is
confirmed both behave alike, as written here. It sends through the endpoint and returns what
happened as events; bodies pass through it as octets, so it knows no SDP.
"""

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum, auto

from pbx.errors import MisuseError, PeerError
from pbx.sip.client_transaction import ClientState, ClientTransaction
from pbx.sip.dialog import Dialog, dialog_id_of
from pbx.sip.dialog_usage import DialogUsage, reasons_of
from pbx.sip.digit_info import DIGIT_TYPES, INFO_REFUSED, digit_body, digit_of
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
from pbx.sip.inspection import inspect_in_dialog, session_description
from pbx.sip.message import Message, Request, Response
from pbx.sip.server_transaction import ServerTransaction
from pbx.sip.timers import T1, T2, TRANSACTION_LIMIT_S, TimerQueue
from pbx.sip.usage_events import (
    Confirmed,
    DigitReceived,
    HungUp,
    Lost,
    ReofferAccepted,
    Reoffered,
    ReofferRefused,
    ReofferWithdrawn,
    UsageEvent,
)

_MOST_WAITING = 32
"""Digits that wait for the INFO of the one before them; who is asked for more gets no more."""


class State(Enum):
    """Where a usage is in its life."""

    INVITED = auto()
    """UAS: no final response sent."""
    ANSWERED = auto()
    """UAS: 2xx sent, ACK not seen."""
    CALLING = auto()
    """UAC: no final response received."""
    CONFIRMED = auto()
    ENDED = auto()


@dataclass(slots=True)
class _Unacknowledged:
    """Our 2xx, which is repeated until its ACK comes (§13.3.1.4)."""

    transaction: ServerTransaction
    response: Response
    deadline: float
    interval_s: float = T1


class Usage(DialogUsage):
    """What an incoming and an outgoing INVITE usage share: the confirmed dialog.

    Args:
        timers: the exchange's timers; `timer_fired` is called with the names set here.
        decline: makes an SDP answer that refuses an offer, for a call that is not wanted any more.
        endpoint, contact, flow: as for `DialogUsage`.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        timers: TimerQueue,
        contact: Callable[[Flow], str],
        flow: Flow,
        decline: Callable[[bytes], bytes],
    ) -> None:
        super().__init__(endpoint, contact, flow)
        self._timers = timers
        self._decline = decline
        self.state = State.INVITED
        self._reinvite_in: ServerTransaction | None = None
        self._reinvite_out: ClientTransaction | None = None
        self._unacknowledged: _Unacknowledged | None = None
        # An INVITE of ours whose 2xx waits for `acknowledge`, and the offer in that 2xx
        self._to_acknowledge: tuple[ClientTransaction, bytes] | None = None
        # The ACKs of INVITEs whose 2xx may be repeated: each wants the ACK with its own CSeq
        self._acks: dict[ClientTransaction, Request] = {}
        self.takes_info: bool | None = None
        """Whether the peer takes INFO; None where it hasn't said (§20.5)."""
        self._info: ClientTransaction | None = None
        self._digits: deque[str] = deque()

    @classmethod
    def resumed(
        cls,
        endpoint: Endpoint,
        timers: TimerQueue,
        contact: Callable[[Flow], str],
        flow: Flow,
        decline: Callable[[bytes], bytes],
        dialog: Dialog,
    ) -> "Usage":
        """Return the usage of a dialog that was confirmed before the program was restarted."""
        usage = cls(endpoint, timers, contact, flow, decline)
        usage.dialog = dialog
        usage.state = State.CONFIRMED
        return usage

    # ---------------------------------------------------------------- what the call asks for

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
            or self._to_acknowledge is not None
        )

    def reoffer(self, body: bytes, now: float) -> bool:
        """Send a re-INVITE (§14.1); False while that is impossible."""
        if self.state is not State.CONFIRMED or self.busy:
            return False
        request = self._request("INVITE", body)
        self._reinvite_out = self._endpoint.send_request(request, self._next_hop(), now)
        return True

    def cancel_reoffer(self, now: float) -> None:
        """Give our re-INVITE up (§9.1), where one is open; a 2xx may come all the same."""
        if self._reinvite_out is not None:
            self._endpoint.cancel(self._reinvite_out, now)

    def accept_reoffer(self, body: bytes, now: float) -> None:
        """Answer the peer's re-INVITE with 200."""
        self._accept(self._take_reinvite(), body, now)

    def refuse_reoffer(self, status: int, reason: str, now: float) -> None:
        """Answer the peer's re-INVITE with a failure; the session goes on unchanged."""
        self._respond(self._take_reinvite(), status, reason, now)

    def _take_reinvite(self) -> ServerTransaction:
        if self._reinvite_in is None:
            raise MisuseError("no re-INVITE to answer")
        transaction, self._reinvite_in = self._reinvite_in, None
        return transaction

    def acknowledge(self, body: bytes, now: float) -> None:
        """Send the ACK to the peer's 2xx (§13.2.2.4); repeated by itself when the 2xx is."""
        if self._to_acknowledge is None:
            return
        (transaction, offer), self._to_acknowledge = self._to_acknowledge, None
        if offer and not body:
            # "If the offer in the 2xx response is not acceptable, the UAC core MUST generate a
            # valid answer in the ACK"
            body = self._decline(offer)
        ack = self._request("ACK", body)
        # "The sequence number of the CSeq header field MUST be the same as the INVITE being
        # acknowledged"
        ack.set("CSeq", f"{transaction.request.cseq.number} ACK")
        # "The ACK MUST contain the same credentials as the INVITE."
        for name in ("Authorization", "Proxy-Authorization"):
            for value in transaction.request.all(name):
                ack.add(name, value)
        self._acks = {
            invite: old
            for invite, old in self._acks.items()
            if invite.state is not ClientState.TERMINATED
        }
        self._acks[transaction] = ack
        self._endpoint.send_ack(ack, self._next_hop(), now)

    def acknowledge_again(self, invite: ClientTransaction, flow: Flow, now: float) -> None:
        """Repeat the ACK to `invite`'s 2xx, which the peer has repeated by `flow` (§13.2.2.4)."""
        if invite in self._acks:
            # The connection of the first one may be gone.
            self.flow = flow
            self._endpoint.send_ack(self._acks[invite], self._next_hop(), now)

    def bye(self, reason: str | None, now: float) -> None:
        """End a confirmed dialog (§15.1.1); `reason` is a Reason header value."""
        if self.state is State.ENDED:
            return
        self._end(now)
        self._send_bye(reason, now)

    def send_digit(self, digit: str, now: float) -> None:
        """Tell the peer of a key, by INFO; nothing comes of it where it doesn't take that.

        One at a time: a lost INFO that is sent again after the next one would be out of order
        (§12.2.2), and the peer refuse it.

        Args:
            digit: one of `digit_info.DIGITS`.
        """
        if self.takes_info is not False and len(self._digits) < _MOST_WAITING:
            self._digits.append(digit)
            self._send_next_digit(now)

    def _send_next_digit(self, now: float) -> None:
        if self._info is not None or not self._digits or self.state is not State.CONFIRMED:
            return
        request = self._request("INFO", digit_body(self._digits.popleft()))
        request.set("Content-Type", DIGIT_TYPES[0])
        self._info = self._endpoint.send_request(request, self._next_hop(), now)

    def _info_ended(self, now: float, *, refused: bool = False) -> None:
        """Go on with the next digit; whatever became of this one, it ends no call."""
        if refused:
            self.takes_info = False
            self._digits.clear()
        self._info = None
        self._send_next_digit(now)

    def _learn_allowed(self, message: Message) -> None:
        """Take note of the methods that the peer says it serves (§20.5)."""
        allowed = message.all("Allow")
        if allowed:
            self.takes_info = "INFO" in allowed

    def _send_bye(self, reason: str | None, now: float) -> None:
        request = self._request("BYE")
        if reason is not None:
            request.add("Reason", reason)
        self._endpoint.send_request(request, self._next_hop(), now)

    def _end(self, now: float) -> None:
        """Leave nothing of the dialog open; no event of it concerns the call any more."""
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
        match event:
            case RequestReceived():
                return self._request_received(event, now)
            case ResponseReceived() if event.transaction is self._info:
                if event.response.status >= 200:
                    self._info_ended(now, refused=event.response.status in INFO_REFUSED)
                return []
            case TransactionTimedOut() if event.transaction is self._info:
                self._info_ended(now)
            case ResponseReceived():
                return self._response_received(event, now)
            case TransactionTimedOut() if event.transaction is self._reinvite_out:
                return self._reinvite_failed(408, "Request Timeout", now)
            case TransportFailed() if isinstance(event.transaction, ClientTransaction):
                return self._path_lost(event.transaction, event.why, now)
            case Cancelled() | TransportFailed() if event.transaction is self._reinvite_in:
                self.refuse_reoffer(487, "Request Terminated", now)
                return [ReofferWithdrawn()]
        return []

    def timer_fired(self, name: str, now: float) -> list[UsageEvent]:
        """Retransmit our 2xx until its ACK comes (§13.3.1.4), or give the dialog up."""
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
            self.bye(None, now)
            return [Lost("no ACK came", timed_out=True)]
        self._endpoint.retransmit(waiting.transaction, waiting.response, now)
        waiting.interval_s = min(2 * waiting.interval_s, T2)
        self._timers.set((self, "2xx"), min(now + waiting.interval_s, waiting.deadline))
        return []

    def _request_received(self, event: RequestReceived, now: float) -> list[UsageEvent]:
        request, transaction, dialog = event.request, event.transaction, self.dialog
        if dialog is None or not self._is_ours(request, dialog):
            return self._answer(transaction, 481, "Call/Transaction Does Not Exist", now)
        if transaction is None:
            return self._ack_received(event)
        if self.state is State.ENDED:
            if request.method == "BYE" and dialog.confirmed:
                # Both hung up at once (RFC 5407 §3.2): the peer's dialog was alive
                return self._answer(transaction, 200, "OK", now)
            return self._answer(transaction, 481, "Call/Transaction Does Not Exist", now)
        try:
            # §12.2.2: a request with a lower CSeq than the last one is out of order
            dialog.check_remote_seq(request)
        except PeerError as error:
            return self._answer(transaction, error.status, error.reason, now)
        self.flow = event.flow
        refusal = inspect_in_dialog(request, self.allow)
        if refusal is not None:
            self._endpoint.respond(transaction, refusal, now)
            return []
        match request.method:
            case "BYE":
                return self._bye_received(transaction, now)
            case "INVITE":
                return self._reinvite_received(dialog, transaction, now)
            case "OPTIONS":
                # §11: a phone's keep-alive
                return self._answer(transaction, 200, "OK", now)
            case "INFO":
                return self._info_received(transaction, now)
        return self._answer(transaction, 405, "Method Not Allowed", now)

    def _is_ours(self, request: Request, dialog: Dialog) -> bool:
        """Whether the request is of this dialog: §12 compares both tags."""
        return dialog_id_of(request) == dialog.id

    def _ack_received(self, event: RequestReceived) -> list[UsageEvent]:
        waiting = self._unacknowledged
        if waiting is None:
            return []
        invite = waiting.transaction.request
        if event.request.cseq.number != invite.cseq.number:
            return []
        self.flow = event.flow
        self._stop_retransmission()
        if self.state is State.ANSWERED:
            self.state = State.CONFIRMED
        # Where the INVITE carried the offer, the 2xx was the answer, and the ACK has nothing to say
        offered = session_description(invite)
        return [Confirmed(b"" if offered else session_description(event.request))]

    def _bye_received(self, transaction: ServerTransaction, now: float) -> list[UsageEvent]:
        self._end(now)
        self._respond(transaction, 200, "OK", now)
        return [HungUp(reasons_of(transaction.request))]

    def _info_received(self, transaction: ServerTransaction, now: float) -> list[UsageEvent]:
        try:
            digit = digit_of(transaction.request)
        except PeerError as error:
            response = self._response(transaction, error.status, error.reason)
            if error.status == 469:
                # RFC 6086 §4.2.2: the packages that we take
                response.add("Recv-Info", "")
            else:
                # §8.2.3: what would have been read
                response.add("Accept", ", ".join(DIGIT_TYPES))
            self._endpoint.respond(transaction, response, now)
            return []
        self._respond(transaction, 200, "OK", now)
        return [DigitReceived(digit)] if digit else []

    def _reinvite_received(
        self, dialog: Dialog, transaction: ServerTransaction, now: float
    ) -> list[UsageEvent]:
        if self._reinvite_in is not None:
            return self._refuse_for_now(transaction, now)
        if self.busy:
            # §14.2: "while an INVITE it had sent on that dialog is in progress"; and while our 2xx
            # has no ACK: nobody knows yet which session this one would change
            return self._answer(transaction, 491, "Request Pending", now)
        try:
            dialog.refresh_target(transaction.request)
        except PeerError as error:
            return self._answer(transaction, error.status, error.reason, now)
        self._reinvite_in = transaction
        return [Reoffered(session_description(transaction.request))]

    def _response_received(self, event: ResponseReceived, now: float) -> list[UsageEvent]:
        transaction, response = event.transaction, event.response
        if transaction is not self._reinvite_out:
            # A 2xx to an earlier re-INVITE, repeated
            self.acknowledge_again(transaction, event.flow, now)
            return []
        if response.status < 200:
            return []
        if response.status >= 300:
            return self._reinvite_failed(response.status, response.reason, now)
        self._reinvite_out = None
        self._accepted(transaction, response, event.flow)
        if self.state is State.ENDED:
            # It crossed our BYE, or the peer's: the 2xx wants its ACK all the same
            self.acknowledge(b"", now)
            return []
        return [ReofferAccepted(session_description(response))]

    def _accepted(self, invite: ClientTransaction, response: Response, flow: Flow) -> None:
        """Note a 2xx to an INVITE of ours: an ACK is due."""
        # §12.2.1.2; a Contact that can't be read leaves the target as it is
        with suppress(PeerError):
            self._begun().refresh_target(response)
        self.flow = flow
        self._learn_allowed(response)
        offered = session_description(invite.request)
        self._to_acknowledge = (invite, b"" if offered else session_description(response))

    def _reinvite_failed(self, status: int, why: str, now: float) -> list[UsageEvent]:
        self._reinvite_out = None
        if self.state is State.ENDED:
            return []
        if status not in (408, 481):
            return [ReofferRefused(status, why)]
        # §12.2.1.2: with 408, 481 or no response at all the dialog is gone on the other side
        self.bye(None, now)
        return [Lost(f"{status} {why}", timed_out=status == 408, gone=status == 481)]

    def _path_lost(self, transaction: ClientTransaction, why: str, now: float) -> list[UsageEvent]:
        """Go on without a connection that has ended: to the peer's Contact, by a new one."""
        lost = transaction.flow
        if lost.connection and lost.connection == self.flow.connection:
            self.flow = replace(self.flow, connection=0)
            if transaction.method == "BYE":
                self._send_bye(transaction.request.get("Reason"), now)
        if transaction is self._info:
            self._info_ended(now)
        if transaction is not self._reinvite_out:
            return []
        # §8.1.3.1: a transport error counts as a 503, and that one ends no dialog
        return self._reinvite_failed(503, why, now)

    # ---------------------------------------------------------------- shared parts

    def _accept(self, transaction: ServerTransaction, body: bytes, now: float) -> None:
        response = self._response(transaction, 200, "OK", body)
        deadline = now + TRANSACTION_LIMIT_S
        self._unacknowledged = _Unacknowledged(transaction, response, deadline)
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

    def _refuse_for_now(self, transaction: ServerTransaction, now: float) -> list[UsageEvent]:
        """Answer an INVITE that came before the final response to the one before it (§14.2)."""
        response = self._response(transaction, 500, "Server Internal Error")
        # "MUST include a Retry-After header field with a randomly chosen value of between 0 and 10"
        response.add("Retry-After", str(sum(transaction.fresh_tag.encode()) % 11))
        self._endpoint.respond(transaction, response, now)
        return []
