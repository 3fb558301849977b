"""A leg of the B2BUA: one party's INVITE usage and its media, speaking in neutral events."""

from collections.abc import Callable
from dataclasses import dataclass

from pbx.call.cause import CallTag, Cause, by_hang_up, by_response, by_server
from pbx.call.events import (
    Answered,
    Confirmed,
    Dialled,
    Ended,
    LegEvent,
    MediaAnswered,
    MediaOffered,
    MediaRefused,
    MediaWithdrawn,
    Progress,
    Ringing,
)
from pbx.call.journal import FlowState, LegState
from pbx.errors import PeerError
from pbx.media.conversion import Interpreter
from pbx.media.session import Agreement, LegMedia
from pbx.sdp.description import parse_sdp
from pbx.sdp.offer_answer import check_answer
from pbx.sip import usage_events as usage
from pbx.sip.flow import Flow
from pbx.sip.invite_uas import Incoming
from pbx.sip.invite_usage import State, Usage
from pbx.sip.reason import build_reason, q850_of_status

_PASSED_ON = {488: "Not Acceptable Here", 491: "Request Pending", 606: "Not Acceptable"}
"""Refusals of a re-INVITE that mean the same to the other party. Any other speaks of its own hop,
and several would end the other dialog (RFC 5057 §5.1)."""


@dataclass(frozen=True, slots=True)
class Target:
    """One phone that a number leads to.

    Args:
        number: the local user's number.
        uri: the Request-URI: the registered contact.
        flow: the path that reaches it.
        route: values of the Route header (RFC 3327 Path), topmost first.
    """

    number: str
    uri: str
    flow: Flow
    route: tuple[str, ...] = ()


class Leg:
    """One party of a call.

    Args:
        name: ``a`` for the caller, ``b1`` ``b2`` ... for the phones called.
        dialog: the party's INVITE usage.
        media: its ports and descriptions.
        interpreter: tells the party what the other one says.
        number: who it is.
        offered: the party's INVITE from us carried an offer.
    """

    def __init__(
        self,
        name: str,
        dialog: Usage,
        media: LegMedia,
        interpreter: Interpreter,
        number: str,
        *,
        offered: bool = False,
    ) -> None:
        self.name = name
        self.usage = dialog
        self.media = media
        self.number = number
        self.ended = False
        self.fork = name
        self._interpreter = interpreter
        self._offered = offered
        self._offers = bool(media.last_remote)
        self._before: Agreement | None = None

    def state(self) -> LegState | None:
        """Return what the journal keeps of a party in an answered call; None for any other."""
        dialog = self.usage.dialog
        if dialog is None or not self.media.last_remote:
            return None
        flow = FlowState.of(self.usage.flow)
        return LegState(self.number, flow, dialog.to_dict(), self.media.state())

    @property
    def address(self) -> str:
        """The party's transport and address."""
        return str(self.usage.flow)

    @property
    def speaks_more(self) -> bool:
        """True where it may answer with a codec that the other party hasn't named."""
        return self._interpreter.widened

    def progress(self, status: int, reason: str, sdp: bytes, fork: str, now: float) -> None:
        """Tell a caller of ringing or early media; `sdp` is the other party's."""
        if isinstance(self.usage, Incoming):
            body = self._told(sdp) if sdp else b""
            self.usage.progress(status, reason, body, fork, now)

    def answer(self, sdp: bytes, fork: str, now: float) -> None:
        """Tell a caller that it is answered."""
        if isinstance(self.usage, Incoming):
            self.usage.answer(self._told(sdp), fork, now)

    def acknowledge(self, sdp: bytes, now: float) -> None:
        """Confirm a callee's answer, with the other party's answer to a late offer."""
        self.usage.acknowledge(self._interpreter.answer(sdp) if sdp else b"", now)

    def _told(self, sdp: bytes) -> bytes:
        """Return the other party's answer to this one's offer, or its offer where it made none."""
        return self._interpreter.answer(sdp) if self._offers else self._interpreter.offer(sdp)

    def reoffer(self, sdp: bytes, now: float, *, plain: bool = False) -> bool:
        """Offer the other party's changed session; False while that is impossible (glare).

        Args:
            sdp: the other party's offer; empty to ask for this party's.
            plain: nothing is offered that the other party hasn't named.

        Raises:
            NoPortsLeft: there is no port for a new media.
        """
        if self.usage.busy:
            return False
        self._before = self.media.checkpoint()
        self._offered = bool(sdp)
        body = self._interpreter.offer(sdp, plain=plain) if sdp else b""
        return self.usage.reoffer(body, now)

    def cancel_reoffer(self, now: float) -> None:
        """Give up what `reoffer` asked for."""
        self.usage.cancel_reoffer(now)

    def accept_reoffer(self, sdp: bytes, now: float) -> None:
        """Give the other party's agreement to this party's change."""
        self.usage.accept_reoffer(self._told(sdp), now)

    def refuse_reoffer(self, status: int, reason: str, now: float) -> None:
        """Leave the session as it was."""
        self.usage.refuse_reoffer(status, reason, now)

    def restore(self) -> None:
        """Forget a session change that was refused (RFC 3261 §14.1)."""
        if self._before is not None:
            self.media.restore(self._before)

    def hang_up(self, cause: Cause, now: float, why: str | None = None) -> None:
        """End this leg: a final response, CANCEL or BYE, whatever its state asks for.

        `why` replaces the cause's own Reason header value.
        """
        if self.ended:
            return
        self.ended = True
        dialog = self.usage
        if isinstance(dialog, Incoming) and dialog.state is State.INVITED:
            dialog.reject(cause.status, cause.reason, [("Reason", cause.header)], now)
        else:
            dialog.bye(why or cause.header, now)

    # ---------------------------------------------------------------- what the party says

    def receive(self, events: list[usage.UsageEvent], now: float) -> list[LegEvent]:
        """Translate what the usage saw; a description that can't be read is refused here."""
        translated: list[LegEvent] = []
        for event in events:
            if not self.ended:
                translated += self._translate(event, now)
        return translated

    def _translate(self, event: usage.UsageEvent, now: float) -> list[LegEvent]:
        match event:
            case usage.Progressed():
                return self._progressed(event)
            case usage.Accepted():
                self.fork = f"{self.name} {event.fork}"
                # Some leave the answer out of the 2xx that they have given in a provisional one
                early = self.media.last_remote if self._offered else b""
                return self._agreed(event.body or early, Answered, now, answer=self._offered)
            case usage.ReofferAccepted():
                return self._changed(event.body, now)
            case usage.Confirmed():
                if not event.body:
                    return [Confirmed(b"")]
                return self._agreed(event.body, Confirmed, now, answer=True)
            case usage.Reoffered():
                return self._reoffered(event.body, now)
            case usage.ReofferWithdrawn():
                return [MediaWithdrawn()]
            case usage.ReofferRefused():
                return [self._refused(event.status)]
            case usage.DigitReceived():
                return [Dialled(event.digit)]
        self.ended = True
        return [Ended(self._cause(event))]

    def _progressed(self, event: usage.Progressed) -> list[LegEvent]:
        status, reason = (180, "Ringing") if event.status == 180 else (183, "Session Progress")
        if event.body and self._offered and self._learn(event.body, answer=True):
            self.fork = f"{self.name} {event.fork}"
            return [Progress(event.body, status, reason)]
        return [Ringing(status, reason)] if status == 180 else []

    def _agreed(
        self, sdp: bytes, kind: Callable[[bytes], LegEvent], now: float, *, answer: bool
    ) -> list[LegEvent]:
        if self._learn(sdp, answer=answer):
            return [kind(sdp)]
        cause = by_server(CallTag.REQUEST_UNUSABLE)
        self.hang_up(cause, now)
        return [Ended(cause)]

    def _changed(self, sdp: bytes, now: float) -> list[LegEvent]:
        if self._learn(sdp, answer=self._offered):
            return [MediaAnswered(sdp)]
        # RFC 3264 §4: without an answer the session stays as it was
        self.usage.acknowledge(b"", now)
        return [self._refused(488)]

    def _refused(self, status: int) -> MediaRefused:
        # §14.2: 500 with Retry-After is for an INVITE that overtook another one, as 491 is
        status = 491 if status == 500 else status
        status = status if status in _PASSED_ON else 488
        return MediaRefused(status, _PASSED_ON[status])

    def _reoffered(self, sdp: bytes, now: float) -> list[LegEvent]:
        self._before = self.media.checkpoint()
        self._offers = bool(sdp)
        if sdp and not self._learn(sdp, answer=False):
            self.usage.refuse_reoffer(488, "Not Acceptable Here", now)
            return []
        return [MediaOffered(sdp)]

    def _learn(self, sdp: bytes, *, answer: bool) -> bool:
        """Take in the party's description; False where it is none, or can't answer ours."""
        told = self.media.checkpoint().told
        try:
            if answer and told is not None:
                check_answer(told, parse_sdp(sdp))
            self.media.remote(sdp)
        except PeerError:
            return False
        return True

    def _cause(self, event: usage.UsageEvent) -> Cause:
        calling = self.name == "a"
        match event:
            case usage.CallerCancelled():
                return by_hang_up(CallTag.CALLER_CANCELLED, event.reasons)
            case usage.HungUp():
                tag = CallTag.CALLER_HUNG_UP if calling else CallTag.CALLEE_HUNG_UP
                return by_hang_up(tag, event.reasons)
            case usage.Rejected() if event.local and event.status == 408:
                return by_server(CallTag.CALLEE_UNREACHABLE)
            case usage.Rejected() if event.local:
                return by_server(CallTag.TRANSPORT_FAILED)
            case usage.Rejected():
                return by_response(event.status, event.reason, event.reasons)
            case usage.Lost() if event.gone:
                tag = CallTag.CALLER_HUNG_UP if calling else CallTag.CALLEE_HUNG_UP
                return by_hang_up(tag, [build_reason(q850_of_status(481))])
            case usage.Lost() if event.timed_out:
                return by_server(CallTag.TRANSACTION_TIMED_OUT)
        return by_server(CallTag.TRANSPORT_FAILED)
