"""The UAS side of an INVITE usage: a call that came to us (RFC 3261 §13.3)."""

import hashlib
from collections.abc import Callable

from pbx.errors import PeerError
from pbx.sip.crossing import Headers
from pbx.sip.dialog import Dialog, dialog_id_of
from pbx.sip.dialog_usage import reasons_of
from pbx.sip.endpoint import Endpoint
from pbx.sip.events import Cancelled, Event, RequestReceived, TransportFailed
from pbx.sip.flow import Flow
from pbx.sip.headers import parse_delta_seconds
from pbx.sip.history import answering
from pbx.sip.inspection import session_description
from pbx.sip.invite_usage import Usage
from pbx.sip.message import Request, Response
from pbx.sip.next_hop import behind_nat
from pbx.sip.reason import TIMER_EXPIRED, build_reason
from pbx.sip.reliable_uas import ReliableResponses
from pbx.sip.server_transaction import ServerTransaction
from pbx.sip.session_timer import SessionPolicy
from pbx.sip.timers import TimerQueue
from pbx.sip.usage_events import CallerCancelled, Lost, UsageEvent
from pbx.sip.usage_state import State

PROVISIONAL_INTERVAL_S = 60.0
"""How often a provisional response is repeated (§13.3.1.1)."""


class Incoming(Usage):
    """An INVITE that came to us.

    Args:
        transaction: the INVITE's server transaction.
        tokens: makes To tags.
        endpoint, timers, contact, decline, session: as for `Usage`.

    Raises:
        PeerError: 400 if the INVITE's Contact isn't one URI.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        timers: TimerQueue,
        contact: Callable[[Flow], str],
        decline: Callable[[bytes], bytes],
        transaction: ServerTransaction,
        tokens: Callable[[], str],
        now: float,
        *,
        session: SessionPolicy | None = None,
        reliable: bool = False,
    ) -> None:
        flow = transaction.flow
        nat = behind_nat(transaction.request, flow)
        super().__init__(endpoint, timers, contact, flow, decline, behind_nat=nat, session=session)
        self.transaction = transaction
        self._learn_allowed(transaction.request)
        self.tag = tokens()
        self._early = Dialog.uas(transaction.request, self.tag)
        first = int.from_bytes(hashlib.sha256(self.tag.encode()).digest()[:4])
        self._reliable = ReliableResponses(self, transaction.request, first, wanted=reliable)
        self.add(self._reliable)
        # What `answer` was asked for while it had to wait
        self._answer_due: tuple[bytes, str, Headers] | None = None
        self.answered_otherwise = False
        """The caller's answer came with a provisional response, and now there is another one."""
        self.history = answering(transaction.request, flow.local.host)
        """The values of History-Info that our responses carry (RFC 7044 §9.4); none if unwanted."""
        self.dialog = self._early
        # The early dialogs that have a To tag of their own, by whom they are for
        self._dialogs: dict[str, Dialog] = {}
        self._described = ""  # for whom a session description was sent last
        self._provisional: Response | None = None
        self._bye_due = False
        self._bye_reason: str | None = None
        # "If the request is an INVITE that contains an Expires header field, the UAS core sets a
        # timer for the number of seconds indicated in the header field value." (§13.3.1)
        expires_s = _expires_s(transaction.request)
        if expires_s is not None:
            timers.set((self, "expires"), now + expires_s)

    def _dialog_of(self, fork: str) -> Dialog:
        """The dialog for a callee: To tag `tag` itself, or with a number for early media."""
        return self._dialogs.get(fork, self._early)

    # ---------------------------------------------------------------- what the call asks for

    def tell_history(self, history: list[str]) -> None:
        """Let the responses from now on tell where the call has gone, if the caller wants that."""
        if self.history:
            self.history = history

    def _response(
        self, transaction: ServerTransaction, status: int, reason: str, body: bytes = b""
    ) -> Response:
        response = super()._response(transaction, status, reason, body)
        if transaction is self.transaction:
            response.extend(("History-Info", value) for value in self.history)
        return response

    def progress(
        self,
        status: int,
        reason: str,
        body: bytes,
        fork: str,
        now: float,
        headers: Headers = (),
    ) -> None:
        """Send a provisional response.

        Args:
            headers: what it tells besides.
            fork: names the callee. Each one that sends a body gets a To tag, hence an early
                dialog, of its own: a caller takes the first answer of a dialog for final
                (§13.2.1), so two callees' early media must not share one.
        """
        if self.state is not State.INVITED:
            return
        if body and fork not in self._dialogs:
            tag = f"{self.tag}-{len(self._dialogs) + 1}"
            self._dialogs[fork] = Dialog.uas(self.transaction.request, tag)
        self._described = fork if body else self._described
        self.dialog = self._dialog_of(fork)
        response = self._response(self.transaction, status, reason, body)
        response.extend(headers)
        self._tell(response, now)

    def _tell(self, response: Response, now: float) -> None:
        if self._reliable.takes(response):
            self._reliable.send(response, now)
        elif not self._reliable.required:
            self.send_provisional(response, now)

    def send_provisional(self, response: Response, now: float) -> None:
        """Send a provisional response, which is repeated each minute (§13.3.1.1)."""
        self._provisional = response
        self.repeat_provisional(response, now)
        self._timers.set((self, "1xx"), now + PROVISIONAL_INTERVAL_S)

    def repeat_provisional(self, response: Response, now: float) -> None:
        """Send a provisional response again."""
        self._endpoint.respond(self.transaction, response, now)

    @property
    def takes_early_offer(self) -> bool:
        """Whether the caller can be offered a session, and answer it, before the call is answered."""
        return self._reliable.possible

    @property
    def early_dialog(self) -> Dialog | None:
        """As in `Usage`."""
        dialog = self._dialog_of(self._described)
        settled = self.state is State.INVITED and dialog.local_tag in self._reliable.agreed
        return dialog if settled else None

    @property
    def heard_dialog(self) -> Dialog | None:
        """As in `Usage`; before the answer, the one in which a session was described last."""
        if self.state is not State.INVITED:
            return super().heard_dialog
        return self._dialogs.get(self._described)

    def settled_with(self, fork: str) -> bool:
        """Whether the answer for a callee is to say nothing of the session: see `settle`."""
        return self._dialog_of(fork).id in self._settled

    @property
    def _holds_answer(self) -> bool:
        """RFC 3262 §3, RFC 6337 §2.2: the answer waits for what is open before it."""
        changing = self._reinvite_in is not None or self.updates.offering
        return changing or self._reliable.holds_answer

    def change_over(self, now: float) -> None:
        """Answer, where that had to wait for a PRACK, or for a change of the session."""
        if self._answer_due is not None and not self._holds_answer:
            due, self._answer_due = self._answer_due, None
            self.answer(due[0], due[1], now, due[2])

    def not_acknowledged(self, now: float) -> list[UsageEvent]:
        """Give a caller up that sends no PRACK (RFC 3262 §3: a 5xx)."""
        if self.state is not State.INVITED:
            return []
        self.reject(504, "Server Time-out", [("Reason", build_reason(TIMER_EXPIRED))], now)
        return [Lost("no PRACK came", timed_out=True)]

    def answer(self, body: bytes, fork: str, now: float, headers: Headers = ()) -> None:
        """Send 200 and repeat it until the ACK comes."""
        if self.state is not State.INVITED:
            return
        if self._holds_answer:
            self._answer_due = body, fork, headers
            return
        self.dialog, settled = self._dialog_of(fork), self.settled_with(fork)
        before = self._reliable.told.get(self.dialog.local_tag)
        if settled:
            body = b""
        elif before is not None:
            # RFC 3262 §5, RFC 3264 §4: that was the answer; another one would be ignored
            self.answered_otherwise, body = before != body, before
        self.dialog.confirm()
        self._leave_invited(State.ANSWERED, now)
        self._accept(self.transaction, body, now, headers, settled=settled)

    def reject(self, status: int, reason: str, headers: list[tuple[str, str]], now: float) -> None:
        """Send a final failure response."""
        if self.state is not State.INVITED:
            return
        self._leave_invited(State.ENDED, now)
        response = self._response(self.transaction, status, reason)
        response.extend(headers)
        self._endpoint.respond(self.transaction, response, now)

    def _leave_invited(self, state: State, now: float) -> None:
        self.state, self._answer_due = state, None
        if self._reinvite_in is not None:
            self.refuse_reoffer(487, "Request Terminated", now)
        self._timers.cancel((self, "expires"))
        self._timers.cancel((self, "1xx"))
        self._reliable.stop()

    def bye(self, reason: str | None, now: float) -> None:
        """End the call whatever its state.

        §15: "the callee's UA MUST NOT send a BYE on a confirmed dialog until it has received an
        ACK for its 2xx response or until the server transaction times out."
        """
        if self.state is State.INVITED:
            self.reject(487, "Request Terminated", [("Reason", reason)] if reason else [], now)
        elif self.state is State.ANSWERED:
            self._bye_due, self._bye_reason = True, reason
        else:
            super().bye(self._bye_reason if self._bye_due else reason, now)

    # ---------------------------------------------------------------- what comes in

    def _take(self, event: Event, now: float) -> list[UsageEvent]:
        """As in `Usage`, and CANCEL before the answer (§9.2)."""
        if self.state is State.INVITED:
            match event:
                case Cancelled() if event.transaction is self.transaction:
                    self.reject(487, "Request Terminated", [], now)
                    return [CallerCancelled(event.reasons)]
                case TransportFailed() if event.transaction is self.transaction:
                    self._leave_invited(State.ENDED, now)
                    return [Lost(event.why, timed_out=False)]
        events = super()._take(event, now)
        if self._bye_due and self.state is State.CONFIRMED:
            self.bye(None, now)
        # The ACK may have been what they have waited for
        self.keys.go_on(now)
        return events

    def timer_fired(self, name: str, now: float) -> list[UsageEvent]:
        """As in `Usage`, and repeat the provisional response, or let the invitation expire."""
        if name == "expires":
            # "If the invitation expires before the UAS has generated a final response, a 487
            # (Request Terminated) response SHOULD be generated." (§13.3.1)
            self.reject(487, "Request Terminated", [], now)
            return [CallerCancelled([])]
        if name != "1xx":
            return super().timer_fired(name, now)
        if self._provisional is not None:
            # "To prevent cancellation, the UAS MUST send a non-100 provisional response at every
            # minute, to handle the possibility of lost provisional responses." (§13.3.1.1)
            again, self._provisional = self._provisional, None
            self._tell(_plain(again), now)
            self._timers.set((self, "1xx"), now + PROVISIONAL_INTERVAL_S)
            self._provisional = self._provisional or again
        return []

    def dialog_of(self, request: Request) -> Dialog | None:
        """As in `Usage`; before the answer, any of the early dialogs."""
        if self.state is not State.INVITED:
            return super().dialog_of(request)
        asked = dialog_id_of(request)
        early = (self._early, *self._dialogs.values())
        return next((dialog for dialog in early if dialog.id == asked), None)

    def _bye_received(self, event: RequestReceived, now: float) -> list[UsageEvent]:
        if self.state is not State.INVITED:
            return super()._bye_received(event, now)
        # §15: "The caller's UA MAY send a BYE for either confirmed or early dialogs"; §15.1.2: the
        # INVITE is still to be answered, by 487
        self._respond(event.transaction, 200, "OK", now)
        self.reject(487, "Request Terminated", [], now)
        return [CallerCancelled(reasons_of(event.request))]

    def _reinvite_received(self, event: RequestReceived, now: float) -> list[UsageEvent]:
        if self.state is State.INVITED and event.transaction is not None:
            self.refuse_for_now(event.transaction, now)
            return []
        return super()._reinvite_received(event, now)

    def unsettled(self, request: Request) -> int:
        """As in `Usage`; the INVITE's own offer waits until a reliable answer, as ours does."""
        status = super().unsettled(request)
        if status or self.state is not State.INVITED:
            return status
        if (request.to.tag or "") in self._reliable.agreed:
            return 0
        return 500 if session_description(self.transaction.request) else 491


def _plain(response: Response) -> Response:
    """A copy of a provisional response for its repetition; a reliable one has said its session."""
    again = Response(response.status, response.reason)
    reliable = response.get("RSeq") is not None
    for name, value in response.headers:
        if not (reliable and name in ("Require", "RSeq", "Content-Type")):
            again.add(name, value)
    again.body = b"" if reliable else response.body
    return again


def _expires_s(invite: Request) -> int | None:
    """How long the invitation holds; None where it doesn't say, or nothing that can be read."""
    value = invite.get("Expires")
    try:
        return None if value is None else parse_delta_seconds(value)
    except PeerError:
        return None
