"""The UAS side of an INVITE usage: a call that came to us (RFC 3261 §13.3)."""

from collections.abc import Callable
from dataclasses import replace

from pbx.errors import PeerError
from pbx.sip.dialog import Dialog
from pbx.sip.dialog_usage import reasons_of
from pbx.sip.endpoint import Endpoint
from pbx.sip.events import Cancelled, Event, TransportFailed
from pbx.sip.flow import Flow
from pbx.sip.headers import parse_delta_seconds
from pbx.sip.invite_usage import State, Usage
from pbx.sip.message import Request, Response
from pbx.sip.server_transaction import ServerTransaction
from pbx.sip.timers import TimerQueue
from pbx.sip.usage_events import CallerCancelled, Lost, UsageEvent

PROVISIONAL_INTERVAL_S = 60.0
"""How often a provisional response is repeated (§13.3.1.1)."""


class Incoming(Usage):
    """An INVITE that came to us.

    Args:
        transaction: the INVITE's server transaction.
        tokens: makes To tags.
        endpoint, timers, contact, decline: as for `Usage`.

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
    ) -> None:
        super().__init__(endpoint, timers, contact, transaction.flow, decline)
        self.transaction = transaction
        self._learn_allowed(transaction.request)
        self.tag = tokens()
        self._early = Dialog.uas(transaction.request, self.tag)
        self.dialog = self._early
        self._forks: list[str] = []
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
        if fork not in self._forks:
            return self._early
        return replace(self._early, local_tag=f"{self.tag}-{self._forks.index(fork) + 1}")

    # ---------------------------------------------------------------- what the call asks for

    def progress(self, status: int, reason: str, body: bytes, fork: str, now: float) -> None:
        """Send a provisional response.

        Args:
            fork: names the callee. Each one that sends a body gets a To tag, hence an early
                dialog, of its own: a caller takes the first answer of a dialog for final
                (§13.2.1), so two callees' early media must not share one.
        """
        if self.state is not State.INVITED:
            return
        if body and fork not in self._forks:
            self._forks.append(fork)
        self.dialog = self._dialog_of(fork)
        self._provisional = self._response(self.transaction, status, reason, body)
        self._send_provisional(self._provisional, now)

    def _send_provisional(self, response: Response, now: float) -> None:
        self._endpoint.respond(self.transaction, response, now)
        self._timers.set((self, "1xx"), now + PROVISIONAL_INTERVAL_S)

    def answer(self, body: bytes, fork: str, now: float) -> None:
        """Send 200 and repeat it until the ACK comes."""
        if self.state is not State.INVITED:
            return
        self.dialog = self._dialog_of(fork)
        self.dialog.confirm()
        self._leave_invited(State.ANSWERED)
        self._accept(self.transaction, body, now)

    def reject(self, status: int, reason: str, headers: list[tuple[str, str]], now: float) -> None:
        """Send a final failure response."""
        if self.state is not State.INVITED:
            return
        self._leave_invited(State.ENDED)
        response = self._response(self.transaction, status, reason)
        for name, value in headers:
            response.add(name, value)
        self._endpoint.respond(self.transaction, response, now)

    def _leave_invited(self, state: State) -> None:
        self.state = state
        self._timers.cancel((self, "expires"))
        self._timers.cancel((self, "1xx"))

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

    def receive(self, event: Event, now: float) -> list[UsageEvent]:
        """As in `Usage`, and CANCEL before the answer (§9.2)."""
        if self.state is State.INVITED:
            match event:
                case Cancelled() if event.transaction is self.transaction:
                    self.reject(487, "Request Terminated", [], now)
                    return [CallerCancelled(event.reasons)]
                case TransportFailed() if event.transaction is self.transaction:
                    self._leave_invited(State.ENDED)
                    return [Lost(event.why, timed_out=False)]
        events = super().receive(event, now)
        if self._bye_due and self.state is State.CONFIRMED:
            self.bye(None, now)
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
            self._send_provisional(self._provisional, now)
        return []

    def _is_ours(self, request: Request, dialog: Dialog) -> bool:
        if self.state is not State.INVITED:
            return super()._is_ours(request, dialog)
        # Any of the early dialogs
        dialogs = [self._early, *(self._dialog_of(fork) for fork in self._forks)]
        return any(super(Incoming, self)._is_ours(request, early) for early in dialogs)

    def _bye_received(self, transaction: ServerTransaction, now: float) -> list[UsageEvent]:
        if self.state is not State.INVITED:
            return super()._bye_received(transaction, now)
        # §15: "The caller's UA MAY send a BYE for either confirmed or early dialogs"; §15.1.2: the
        # INVITE is still to be answered, by 487
        self._respond(transaction, 200, "OK", now)
        self.reject(487, "Request Terminated", [], now)
        return [CallerCancelled(reasons_of(transaction.request))]

    def _reinvite_received(
        self, dialog: Dialog, transaction: ServerTransaction, now: float
    ) -> list[UsageEvent]:
        if self.state is State.INVITED:
            return self._refuse_for_now(transaction, now)
        return super()._reinvite_received(dialog, transaction, now)


def _expires_s(invite: Request) -> int | None:
    """How long the invitation holds; None where it doesn't say, or nothing that can be read."""
    value = invite.get("Expires")
    try:
        return None if value is None else parse_delta_seconds(value)
    except PeerError:
        return None
