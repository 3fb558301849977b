"""UPDATE: a session, or its parameters, changed without another INVITE (RFC 3311)."""

from contextlib import suppress
from typing import TYPE_CHECKING

from pbx.errors import PeerError
from pbx.sip.client_transaction import ClientTransaction
from pbx.sip.crossing import Headers
from pbx.sip.dialog import Dialog
from pbx.sip.events import (
    RequestReceived,
    ResponseReceived,
    TransactionTimedOut,
    TransportFailed,
)
from pbx.sip.inspection import session_description
from pbx.sip.status import REASONS
from pbx.sip.timers import TRANSACTION_LIMIT_S
from pbx.sip.usage_events import (
    ReofferAccepted,
    Reoffered,
    ReofferRefused,
    ReofferWithdrawn,
    UsageEvent,
)
from pbx.sip.usage_part import Outcome, ServingPart

if TYPE_CHECKING:
    from pbx.sip.invite_usage import Usage

_TIMER = "update"
ANSWER_S = TRANSACTION_LIMIT_S / 2
"""How long a session change may take that an UPDATE asks for: the peer gives up after 64*T1 (Timer
F), and must have heard before that (§5.2)."""


class Updates(ServingPart):
    """Both sides of UPDATE in one INVITE usage.

    Args:
        usage: whose dialog it is.
    """

    methods = ("UPDATE",)

    def __init__(self, usage: "Usage") -> None:
        self._usage = usage
        self.wanted = True
        """Whether we may send one at all."""
        self._sent: ClientTransaction | None = None
        self._refused = False
        # The early dialog in which an offer of ours waits for its answer
        self._offered: Dialog | None = None

    # ---------------------------------------------------------------- what we send (§5.1)

    @property
    def possible(self) -> bool:
        """Whether the peer takes an UPDATE from us now."""
        takes = self._usage.peer_allows("UPDATE") is True and not self._refused
        return takes and self.wanted and self._sent is None

    @property
    def waiting(self) -> bool:
        """Whether an UPDATE of ours waits for its answer."""
        return self._sent is not None

    @property
    def offering(self) -> bool:
        """Whether an UPDATE of ours with an offer waits for its answer."""
        return self._offered is not None

    def offer(self, body: bytes, now: float, headers: Headers = ()) -> bool:
        """Offer another session before the call is answered; False where that can't be."""
        usage, dialog = self._usage, self._usage.early_dialog
        if dialog is None or not self.possible:
            return False
        request = usage.build("UPDATE", body, dialog)
        request.extend(headers)
        self._offered, self._sent = dialog, usage.send_in(dialog, request, now)
        return True

    def send(self, now: float, headers: Headers = ()) -> None:
        """Send an UPDATE without a session description; ask whether it is `possible` before.

        Args:
            headers: what it is to tell.
        """
        usage = self._usage
        request = usage.build("UPDATE")
        for name, value in headers:
            request.add(name, value)
        self._sent = usage.send(request, now)

    def outcome(self, event: Outcome, now: float) -> list[UsageEvent] | None:
        """Take the answer to our UPDATE; a refusal changes nothing (§5.1)."""
        if event.transaction is not self._sent or self._sent is None:
            return None
        sent = self._sent
        if self._offered is not None:
            return self._offer_answered(sent, self._offered, event, now)
        match event:
            case ResponseReceived() if event.response.status < 200:
                return []
            case ResponseReceived():
                self._sent = None
                # Whatever its Allow says
                self._refused = event.response.status in (405, 501)
                return self._usage.refreshed(sent, event.response, now)
            case TransactionTimedOut():
                self._sent = None
                # RFC 3261 §12.2.1.2: no answer at all ends the dialog, as a 408 does
                return self._usage.given_up(408, "Request Timeout", now)
        self._sent = None
        self._usage.path_lost(sent, now)
        self._usage.refresh_failed(503, None, now)
        return []

    def _offer_answered(
        self, sent: ClientTransaction, dialog: Dialog, event: Outcome, now: float
    ) -> list[UsageEvent]:
        """Take what became of an offer before the call's answer."""
        response = event.response if isinstance(event, ResponseReceived) else None
        if response is not None and response.status < 200:
            return []
        usage, self._sent, self._offered = self._usage, None, None
        told: UsageEvent = ReofferRefused(408, "Request Timeout")
        if isinstance(event, TransportFailed):
            usage.path_lost(sent, now)
            told = ReofferRefused(503, event.why)
        elif response is not None and response.status < 300:
            with suppress(PeerError):
                dialog.refresh_target(response)
            answer = session_description(response)
            usage.settle(dialog.id, session_description(sent.request), answer)
            told = ReofferAccepted(answer)
        elif response is not None:
            self._refused = response.status in (405, 501)
            told = ReofferRefused(response.status, response.reason)
        usage.change_over(now)
        return [told]

    # ---------------------------------------------------------------- what comes (§5.2)

    def request(self, event: RequestReceived, now: float) -> list[UsageEvent]:
        """Take the peer's UPDATE: a change of the session, or only a sign of life."""
        usage, transaction, request = self._usage, event.transaction, event.request
        assert transaction is not None
        offer = session_description(request)
        status = usage.unsettled(request) if offer else 0
        if status == 500:
            # Another offer of the peer's waits for its answer, or another UPDATE
            usage.refuse_for_now(transaction, now)
            return []
        if status:
            return usage.answer_request(transaction, status, REASONS[status], now)
        try:
            usage.refresh_target(request)
        except PeerError as error:
            return usage.answer_request(transaction, error.status, error.reason, now)
        if not offer:
            return usage.answer_request(transaction, 200, "OK", now)
        usage.await_answer(transaction)
        usage.set_timer(_TIMER, now + ANSWER_S)
        return [Reoffered(offer)]

    def timer_fired(self, name: str, now: float) -> list[UsageEvent] | None:
        """Give the change up that takes too long (§5.2: 504)."""
        if name != _TIMER:
            return None
        if self._usage.answering != "UPDATE":
            return []
        self._usage.refuse_reoffer(504, "Server Time-out", now)
        return [ReofferWithdrawn()]

    def ended(self, now: float) -> None:
        """Forget the timer."""
        self._usage.cancel_timer(_TIMER)
