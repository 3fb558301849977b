"""The UAC side of an INVITE usage: a call that we make (RFC 3261 §13.2)."""

from collections.abc import Callable, Iterable

from pbx.errors import PeerError
from pbx.sip.client_transaction import ClientState, ClientTransaction
from pbx.sip.crossing import RESPONSE, crossing
from pbx.sip.dialog import Dialog
from pbx.sip.dialog_usage import reasons_of, usage_key
from pbx.sip.early_dialogs import MOST, EarlyDialogs
from pbx.sip.endpoint import Endpoint
from pbx.sip.events import (
    Event,
    RequestReceived,
    ResponseReceived,
    TransactionTimedOut,
)
from pbx.sip.flow import Flow
from pbx.sip.headers import STAR, NameAddr
from pbx.sip.history import diversions
from pbx.sip.identity import is_hidden
from pbx.sip.inspection import session_description
from pbx.sip.invite_usage import Usage
from pbx.sip.message import Request, Response
from pbx.sip.next_hop import Way
from pbx.sip.reliable_uac import Pracks
from pbx.sip.session_timer import SessionPolicy
from pbx.sip.timers import TimerQueue
from pbx.sip.usage_events import Accepted, Progressed, Rejected, UsageEvent
from pbx.sip.usage_state import State

RING_LIMIT_S = 190.0
"""Timer C (§16.6 step 11, "MUST be larger than 3 minutes"): how long a callee may ring without a
word. One that lives repeats its provisional response each minute (§13.3.1.1)."""

_TIMER_C = "C"

_MOST_TIMES = 5
"""How often an INVITE is sent again with a longer session interval: each proxy on the way may want
one of its own, but nobody makes us do so without end."""


class Outgoing(Usage):
    """An INVITE that we send.

    Args:
        request: the INVITE, whole but for Via.
        endpoint, timers, contact, decline, flow, behind_nat: as for `Usage`, and so
            is session.
        ways: to the same phone, for where `flow` fails.
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
        *,
        behind_nat: bool = False,
        session: SessionPolicy | None = None,
        reliable: bool = False,
        ways: Iterable[Way] = (),
    ) -> None:
        super().__init__(
            endpoint, timers, contact, flow, decline, behind_nat=behind_nat, session=session
        )
        self.state = State.CALLING
        self._cancelled = False
        self._asked_for_more = 0
        # Dialogs that nobody wants, ended with BYE, by the peer's tag
        self._unwanted: dict[str, Usage] = {}
        self._early = EarlyDialogs()
        self._pracks = Pracks(self)
        if reliable:
            self.add(self._pracks)
        # §13.2.1: "An Allow header field (Section 20.5) SHOULD be present in the INVITE."
        request.set("Allow", ", ".join(self.allow))
        self._parts.dress(request)
        self.transaction = endpoint.send_request(request, flow, now, ways=ways)
        self.set_timer(_TIMER_C, now + RING_LIMIT_S)

    owns_call_id = True

    @property
    def key(self) -> tuple[str, str]:
        """As in `Usage`, and before there is a dialog."""
        request = self.transaction.request
        return usage_key(request.call_id, request.from_.tag)

    @property
    def unheard(self) -> bool:
        """Whether the INVITE has had no answer at all yet; it may still wait for an address."""
        waiting = (ClientState.CALLING, ClientState.TERMINATED)
        return self.state is State.CALLING and self.transaction.state in waiting

    @property
    def settled(self) -> bool:
        """As in `Usage`; a CANCEL may wait for its provisional response, and 2xx may cross it."""
        return self.transaction.state is ClientState.TERMINATED and super().settled

    def bye(self, reason: str | None, now: float) -> None:
        """End the call whatever its state: CANCEL before the answer (§9.1), BYE after it."""
        if self.state is not State.CALLING:
            super().bye(reason, now)
            return
        self._give_up(reason, now)

    def _give_up(self, reason: str | None, now: float) -> None:
        self._cancelled = True
        self._drop_change(now)
        self.cancel_timer(_TIMER_C)
        self._endpoint.cancel(self.transaction, now, reason)

    def _drop_change(self, now: float) -> None:
        if self._reinvite_in is not None:
            self.refuse_reoffer(487, "Request Terminated", now)

    def timer_fired(self, name: str, now: float) -> list[UsageEvent]:
        """As in `Usage`, and Timer C (§16.8)."""
        if name != _TIMER_C:
            return super().timer_fired(name, now)
        if self.state is not State.CALLING or self._cancelled:
            return []
        # "the proxy MUST behave as if the transaction received a 408": what comes after the CANCEL
        # concerns nobody
        self._give_up(None, now)
        return [Rejected(408, "Request Timeout", [], local=True)]

    def dialog_of(self, request: Request) -> Dialog | None:
        """As in `Usage`; before the answer, any of the early dialogs."""
        if self.state is State.CALLING:
            return self._early.of(request)
        return super().dialog_of(request)

    def has_peer(self, tag: str) -> bool:
        """As in `Usage`; before the answer, any of the callees that have been heard of."""
        if self.state is State.CALLING:
            return self._early.of_peer(tag) is not None
        return super().has_peer(tag)

    def unsettled(self, request: Request) -> int:
        """As in `Usage`; the INVITE's own offer waits until a reliable answer."""
        status = super().unsettled(request)
        if status or self.state is not State.CALLING:
            return status
        tag = request.from_.tag or ""
        if self._pracks.owes(tag):
            return 500
        return 0 if tag in self._pracks.agreed else 491

    @property
    def early_dialog(self) -> Dialog | None:
        """As in `Usage`."""
        calling = self.state is State.CALLING and not self._cancelled
        return self._early.of_peer(self._pracks.latest) if calling else None

    @property
    def heard_dialog(self) -> Dialog | None:
        """As in `Usage`; before the answer, that of who has described its session last.

        None while a PRACK is open: sent again behind another request, it would be out of order.
        """
        if self.state is not State.CALLING:
            return super().heard_dialog
        waits = self._cancelled or self._pracks.waiting
        return None if waits else self._early.of_peer(self._early.described)

    def dialog_with(self, tag: str | None) -> Dialog | None:
        """As in `DialogUsage`; before the answer, any of the early dialogs."""
        if self.state is State.CALLING:
            return self._early.of_peer(tag or "")
        return super().dialog_with(tag)

    def answer_early(self, fork: str, body: bytes, now: float) -> None:
        """Answer the offer of a callee's provisional response."""
        self._pracks.answer(fork, body, now)

    def _reinvite_received(self, event: RequestReceived, now: float) -> list[UsageEvent]:
        if self.state is State.CALLING:
            # §14.2: our own INVITE is in progress
            return self._answer(event.transaction, 491, "Request Pending", now)
        return super()._reinvite_received(event, now)

    def _bye_received(self, event: RequestReceived, now: float) -> list[UsageEvent]:
        if self.state is State.CALLING:
            # §15: a callee refuses the INVITE, it "MUST NOT send a BYE on" an early dialog
            return self._answer(event.transaction, 481, "Call/Transaction Does Not Exist", now)
        return super()._bye_received(event, now)

    def sent_again(self, before: ClientTransaction, again: ClientTransaction) -> bool:
        """As in `Usage`; a dialog is begun by the INVITE that was sent last."""
        if before is not self.transaction:
            return super().sent_again(before, again)
        self._early = EarlyDialogs()
        self.transaction = again
        return True

    def _take(self, event: Event, now: float) -> list[UsageEvent]:
        """As in `Usage`, and what our INVITE is answered."""
        if isinstance(event, RequestReceived) or event.transaction is not self.transaction:
            unwanted = self._unwanted.get(_peer_tag(event))
            if unwanted is None:
                return super()._take(event, now)
            # What becomes of it is no matter of the call's
            unwanted.receive(event, now)
            return []
        match event:
            case ResponseReceived():
                return self._invite_response(event.response, event.flow, now)
            case TransactionTimedOut():
                return self._invite_failed(Rejected(408, "Request Timeout", [], local=True), now)
            case _:  # TransportFailed
                return self._invite_failed(Rejected(503, event.why, [], local=True), now)

    def _invite_response(self, response: Response, flow: Flow, now: float) -> list[UsageEvent]:
        if response.status >= 200:
            self.cancel_timer(_TIMER_C)
        if response.status == 422 and self._may_ask_for_more(response):
            self._invite_again(now)
            return []
        if response.status >= 300:
            return self._invite_failed(
                Rejected(
                    response.status,
                    response.reason,
                    reasons_of(response),
                    headers=crossing(response, RESPONSE),
                    contacts=redirection(response),
                    diversions=tuple(diversions(response)) if response.status < 400 else (),
                ),
                now,
            )
        if response.status >= 200:
            return self._invite_accepted(response, flow, now)
        if response.status == 100 or self._cancelled:
            return []
        # §16.7 step 2: each provisional response but 100 resets it
        self.set_timer(_TIMER_C, now + RING_LIMIT_S)
        dialog = self._early.learn(self.transaction.request, response)
        if not self._pracks.acknowledge(response, dialog, now):
            return []
        self._learn_allowed(response)
        tag, body = response.to.tag or "", session_description(response)
        if body and not self._early.first_description(tag):
            body = b""
        hidden = is_hidden(response)
        headers = crossing(response, RESPONSE, hidden=hidden)
        offered = bool(body) and self._pracks.owes(tag)
        return [Progressed(response.status, body, tag, response.reason, headers, hidden, offered)]

    def _may_ask_for_more(self, response: Response) -> bool:
        if self._cancelled or self.session is None or self._asked_for_more == _MOST_TIMES:
            return False
        self._asked_for_more += 1
        return self.session.raise_interval(response)

    def _invite_again(self, now: float) -> None:
        """Send the INVITE with a longer session interval (RFC 4028 §7.3)."""
        before = self.transaction.request
        again = Request("INVITE", before.uri)
        for name, value in before.headers:
            if name not in ("Via", "Content-Length"):
                again.add(name, value)
        # §8.1.3.5: the same Call-ID, To and From, and the next number
        again.set("CSeq", f"{before.cseq.number + 1} INVITE")
        again.body = before.body
        self._parts.dress(again)
        self.challenges.dress(again)
        self._early = EarlyDialogs()
        self.transaction = self._endpoint.send_again(again, self.transaction, now)
        self.set_timer(_TIMER_C, now + RING_LIMIT_S)

    def _invite_failed(self, event: Rejected, now: float) -> list[UsageEvent]:
        self.cancel_timer(_TIMER_C)
        self._drop_change(now)
        self.state = State.ENDED
        return [] if self._cancelled else [event]

    def _invite_accepted(self, response: Response, flow: Flow, now: float) -> list[UsageEvent]:
        tag = response.to.tag or ""
        if self.dialog is not None and tag == self.dialog.remote_tag:
            self.acknowledge_again(self.transaction, flow, now)
        elif tag in self._unwanted:
            self._unwanted[tag].acknowledge_again(self.transaction, flow, now)
        elif self.dialog is not None or self._cancelled:
            # §13.3.1.4: who gets no ACK ends its call by itself, and so do those beyond the limit
            if len(self._unwanted) < MOST:
                self._end_unwanted(tag, response, flow, now)
        else:
            self._confirm(self, response, flow, now)
            hidden = is_hidden(response)
            headers = crossing(response, RESPONSE, hidden=hidden)
            settled = self._begun().id in self._settled
            body = b"" if settled else session_description(response)
            return [Accepted(body, tag, headers, hidden, settled)]
        return []

    def _confirm(self, usage: Usage, response: Response, flow: Flow, now: float) -> None:
        """Make `usage` that of the dialog that a 2xx to our INVITE began (§13.2.2.4)."""
        try:
            usage.dialog = self._confirmed_dialog(response)
        except PeerError:
            # A Contact that isn't one URI counts as none; the 2xx wants its ACK all the same.
            response.remove("Contact")
            usage.dialog = self._confirmed_dialog(response)
        usage.state = State.CONFIRMED
        settled = usage.dialog.id in self._settled or self._pracks.owes(usage.dialog.remote_tag)
        usage._accepted(self.transaction, response, flow, now, settled=settled)

    def _confirmed_dialog(self, response: Response) -> Dialog:
        early = self._early.of_peer(response.to.tag or "")
        if early is None:
            return Dialog.uac(self.transaction.request, response)
        # §13.2.2.4: its numbers go on
        early.confirm(response)
        return early

    def _end_unwanted(self, tag: str, response: Response, flow: Flow, now: float) -> None:
        """ACK and BYE a 2xx that came after our CANCEL or from another fork (§13.2.2.4)."""
        other = Usage(
            self._endpoint,
            self._timers,
            self._contact,
            flow,
            self.decline,
            behind_nat=self.behind_nat,
        )
        other.challenges.authorizer, other.through = self.challenges.authorizer, self.through
        self._unwanted[tag] = other
        self._confirm(other, response, flow, now)
        other.bye(None, now)
        if self.dialog is None:
            self.state = State.ENDED


def redirection(response: Response) -> tuple[NameAddr, ...]:
    """Return whom a 3xx names, those first that it likes best (§8.1.3.4); nobody for another one."""
    if response.status >= 400:
        return ()
    contacts = response.contacts
    return () if contacts is STAR else tuple(sorted(contacts, key=_preference, reverse=True))


def _preference(contact: NameAddr) -> float:
    """The q parameter (§20.10): 0 to 1; 1 where it isn't said, or can't be read."""
    try:
        q = float(contact.param("q") or "1")
    except ValueError:
        return 1.0
    return q if 0 <= q <= 1 else 1.0


def _peer_tag(event: Event) -> str:
    """The peer's tag in the request that an event is about."""
    if isinstance(event, RequestReceived):
        return event.request.from_.tag or ""
    return event.transaction.request.to.tag or ""
