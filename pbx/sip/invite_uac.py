"""The UAC side of an INVITE usage: a call that we make (RFC 3261 §13.2)."""

from collections.abc import Callable

from pbx.errors import PeerError
from pbx.sip.client_transaction import ClientState
from pbx.sip.dialog import Dialog
from pbx.sip.dialog_usage import reasons_of, usage_key
from pbx.sip.endpoint import Endpoint
from pbx.sip.events import (
    Event,
    RequestReceived,
    ResponseReceived,
    TransactionTimedOut,
)
from pbx.sip.flow import Flow
from pbx.sip.inspection import session_description
from pbx.sip.invite_usage import State, Usage
from pbx.sip.message import Request, Response
from pbx.sip.timers import TimerQueue
from pbx.sip.usage_events import Accepted, Progressed, Rejected, UsageEvent


class Outgoing(Usage):
    """An INVITE that we send.

    Args:
        request: the INVITE, whole but for Via.
        endpoint, timers, contact, decline, flow: as for `Usage`.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        timers: TimerQueue,
        contact: Callable[[Flow], str],
        decline: Callable[[bytes], bytes],
        request: Request,
        flow: Flow,
        now: float,
    ) -> None:
        super().__init__(endpoint, timers, contact, flow, decline)
        self.state = State.CALLING
        self._cancelled = False
        # Dialogs that nobody wants, ended with BYE, by the peer's tag
        self._unwanted: dict[str, Usage] = {}
        # §13.2.1: "An Allow header field SHOULD be present in the INVITE"
        request.set("Allow", ", ".join(self.allow))
        self.transaction = endpoint.send_request(request, flow, now)

    @property
    def key(self) -> tuple[str, str]:
        """As in `Usage`, and before there is a dialog."""
        request = self.transaction.request
        return usage_key(request.call_id, request.from_.tag)

    @property
    def settled(self) -> bool:
        """As in `Usage`; a CANCEL may wait for its provisional response, and 2xx may cross it."""
        return self.transaction.state is ClientState.TERMINATED and super().settled

    def bye(self, reason: str | None, now: float) -> None:
        """End the call whatever its state: CANCEL before the answer (§9.1), BYE after it."""
        if self.state is not State.CALLING:
            super().bye(reason, now)
            return
        self._cancelled = True
        self._endpoint.cancel(self.transaction, now, reason)

    def receive(self, event: Event, now: float) -> list[UsageEvent]:
        """As in `Usage`, and what our INVITE is answered."""
        if isinstance(event, RequestReceived) or event.transaction is not self.transaction:
            unwanted = self._unwanted.get(_peer_tag(event))
            if unwanted is None:
                return super().receive(event, now)
            # What becomes of it is no matter of the call's
            unwanted.receive(event, now)
            return []
        match event:
            case ResponseReceived():
                return self._invite_response(event.response, event.flow, now)
            case TransactionTimedOut():
                return self._invite_failed(Rejected(408, "Request Timeout", [], local=True))
            case _:  # TransportFailed
                return self._invite_failed(Rejected(503, event.why, [], local=True))

    def _invite_response(self, response: Response, flow: Flow, now: float) -> list[UsageEvent]:
        if response.status >= 300:
            return self._invite_failed(
                Rejected(response.status, response.reason, reasons_of(response))
            )
        if response.status >= 200:
            return self._invite_accepted(response, flow, now)
        if response.status == 100 or self._cancelled:
            return []
        body = session_description(response)
        return [Progressed(response.status, body, response.to.tag or "")]

    def _invite_failed(self, event: Rejected) -> list[UsageEvent]:
        self.state = State.ENDED
        return [] if self._cancelled else [event]

    def _invite_accepted(self, response: Response, flow: Flow, now: float) -> list[UsageEvent]:
        tag = response.to.tag or ""
        if self.dialog is not None and tag == self.dialog.remote_tag:
            self.acknowledge_again(self.transaction, flow, now)
        elif tag in self._unwanted:
            self._unwanted[tag].acknowledge_again(self.transaction, flow, now)
        elif self.dialog is not None or self._cancelled:
            self._end_unwanted(tag, response, flow, now)
        else:
            self._confirm(self, response, flow)
            return [Accepted(session_description(response), tag)]
        return []

    def _confirm(self, usage: Usage, response: Response, flow: Flow) -> None:
        """Make `usage` that of the dialog that a 2xx to our INVITE began (§13.2.2.4)."""
        try:
            usage.dialog = Dialog.uac(self.transaction.request, response)
        except PeerError:
            # A Contact that isn't one URI counts as none; the 2xx wants its ACK all the same.
            response.remove("Contact")
            usage.dialog = Dialog.uac(self.transaction.request, response)
        usage.state = State.CONFIRMED
        usage._accepted(self.transaction, response, flow)

    def _end_unwanted(self, tag: str, response: Response, flow: Flow, now: float) -> None:
        """ACK and BYE a 2xx that came after our CANCEL or from another fork (§13.2.2.4)."""
        other = Usage(self._endpoint, self._timers, self._contact, flow, self._decline)
        self._unwanted[tag] = other
        self._confirm(other, response, flow)
        other.bye(None, now)
        if self.dialog is None:
            self.state = State.ENDED


def _peer_tag(event: Event) -> str:
    """The peer's tag in the request that an event is about."""
    if isinstance(event, RequestReceived):
        return event.request.from_.tag or ""
    return event.transaction.request.to.tag or ""
