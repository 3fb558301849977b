"""A leg of the B2BUA: one party's INVITE usage and its media, speaking in neutral events."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from pbx.call.cause import CallTag, Cause, by_hang_up, by_response, by_server, forgotten
from pbx.call.events import (
    Answered,
    Confirmed,
    Dialled,
    EarlyConfirmed,
    Ended,
    LegEvent,
    MediaAnswered,
    MediaOffered,
    MediaRefused,
    MediaRenewed,
    MediaWithdrawn,
    Moved,
    Progress,
    Ringing,
    Texted,
    TransferAsked,
)
from pbx.call.journal import FlowState, LegState
from pbx.call.manner import Manner
from pbx.call.party import Party, forwarding_news
from pbx.errors import PeerError
from pbx.media.conversion import Interpreter
from pbx.media.session import Agreement, KeyForm, LegMedia, NoPortsLeft
from pbx.sdp.description import parse_sdp
from pbx.sdp.offer_answer import answered_for, check_answer, same_session, taken_up
from pbx.sip import usage_events as usage
from pbx.sip.crossing import Headers
from pbx.sip.flow import Flow
from pbx.sip.invite_uac import Outgoing
from pbx.sip.invite_uas import Incoming
from pbx.sip.invite_usage import Usage
from pbx.sip.message import REASONS
from pbx.sip.next_hop import Way
from pbx.sip.octet_text import octets_of
from pbx.sip.usage_state import State

_WAITING = frozenset({180, 181, 182})
"""Provisional responses that say of the called party what 183 doesn't: §21.1.2 to §21.1.4."""

_PASSED_ON = {488: "Not Acceptable Here", 491: "Request Pending", 606: "Not Acceptable"}
"""Refusals of a re-INVITE that mean the same to the other party. Any other speaks of its own hop,
and several would end the other dialog (RFC 5057 §5.1)."""


_DESCRIBING = (
    usage.Progressed
    | usage.Accepted
    | usage.ReofferAccepted
    | usage.Confirmed
    | usage.EarlyAnswered
    | usage.Reoffered
    | usage.Renewed
)
"""Events with a session description."""


@dataclass(frozen=True, slots=True)
class Target:
    """One phone that a number leads to.

    Args:
        number: the local user's number.
        name: the user's display name.
        uri: the Request-URI: the registered contact.
        flow: the path that reaches it.
        route: values of the Route header (RFC 3327 Path), topmost first.
        behind_nat: only its packets' source reaches it.
        sips: it has registered to be reached by sips, too (RFC 5630 §5.1.1.1).
        ways: its other flows, tried one after the other where this one fails (RFC 5626 §7).
        manner: of the line that it is, in truth; None for a phone of ours.
    """

    number: str
    uri: str
    flow: Flow
    route: tuple[str, ...] = ()
    behind_nat: bool = False
    name: str = ""
    sips: bool = False
    ways: tuple[Way, ...] = ()
    manner: Manner | None = None


def keys_of(manner: Manner | None) -> KeyForm:
    """Return how a party with this manner is told of keys."""
    return KeyForm.EVENTS if manner is None else manner.keys


def behave(dialog: Usage, manner: Manner) -> None:
    """Let a dialog with a line go on as that wants it."""
    dialog.challenges.authorizer = manner.authorizer
    dialog.through = manner.through
    dialog.updates.wanted = manner.update


class Leg:
    """One party of a call.

    Args:
        name: ``a`` for the caller, ``b1`` ``b2`` ... for the phones called.
        dialog: the party's INVITE usage.
        media: its ports and descriptions.
        interpreter: tells the party what the other one says.
        party: who it is.
        offered: the party's INVITE from us carried an offer.
        manner: of the line that it is reached by; None for a phone of ours.
    """

    def __init__(
        self,
        name: str,
        dialog: Usage,
        media: LegMedia,
        interpreter: Interpreter,
        party: Party,
        *,
        offered: bool = False,
        manner: Manner | None = None,
    ) -> None:
        self.name = name
        self.manner = manner
        self.usage = dialog
        self.media = media
        self.party = party
        self.ended = False
        self.fork = name
        self.forwarder = ""
        """The local user whose phone has sent the call on to it; empty for none."""
        self._interpreter = interpreter
        self._offered = offered
        self._offers = bool(media.last_remote)
        self._before: Agreement | None = None
        self._early_offer = ""  # the tag of a callee that has made an offer before its answer

    def state(self) -> LegState | None:
        """Return what the journal keeps of a party in an answered call; None for any other."""
        dialog = self.usage.dialog
        if dialog is None or not self.media.last_remote:
            return None
        flow, who = FlowState.of(self.usage.flow), self.party
        timer = self.usage.session.interval if self.usage.session is not None else None
        through = self.usage.through
        seen = self.manner.seen(self.usage.flow) if self.manner is not None else None
        return LegState(
            who.number,
            flow,
            dialog.to_dict(),
            self.media.state(),
            self.usage.behind_nat,
            octets_of(who.name),
            who.hidden,
            timer.seconds if timer else 0,
            timer.ours if timer else False,
            who.line,
            who.poses,
            self.forwarder,
            self.called,
            None if through is None else FlowState.of(through),
            None if seen is None else (seen.host, seen.port),
        )

    @property
    def called(self) -> bool:
        """True where we have called the party, false where it has called us; a transfer changes nothing."""
        return self.usage.owns_call_id

    @property
    def number(self) -> str:
        """Who it is."""
        return self.party.number

    @property
    def no_answer_s(self) -> float:
        """How long the party may be rung; 0 for as long as any."""
        return self.manner.no_answer_s if self.manner is not None else 0.0

    @property
    def max_duration_s(self) -> float:
        """How long a call with the party may last; 0 for as long as any."""
        return self.manner.max_duration_s if self.manner is not None else 0.0

    @property
    def secure(self) -> bool:
        """True where it talks by sips (RFC 5630)."""
        dialog = self.usage.dialog
        return dialog is not None and dialog.secure

    @property
    def address(self) -> str:
        """The party's transport and address."""
        return str(self.usage.flow)

    @property
    def speaks_more(self) -> bool:
        """True where it may answer with a codec that the other party hasn't named."""
        return self._interpreter.widened

    def pace(self, ptime_ms: int) -> None:
        """Ask the party for packets of this length from now on (`a=ptime`, RFC 8866 §6.4)."""
        self._interpreter.ptime_ms = ptime_ms

    def progress(
        self, status: int, reason: str, sdp: bytes, other: "Leg", now: float, headers: Headers = ()
    ) -> None:
        """Tell a caller of ringing or early media of `other`; `sdp` is its description."""
        if isinstance(self.usage, Incoming):
            body = self._told(sdp) if sdp else b""
            told = (*self._who(other.party), *headers)
            self.usage.progress(status, reason, body, other.fork, now, told)

    def answer(
        self, sdp: bytes, fork: str, now: float, party: Party | None, headers: Headers = ()
    ) -> None:
        """Tell a caller that it is answered.

        Args:
            sdp: the other party's description.
            fork: names the other party's phone.
            now: the time.
            party: the other one; None for the exchange itself.
            headers: what it has said besides.
        """
        if isinstance(self.usage, Incoming):
            told = (*(self._who(party) if party else ()), *headers)
            body = b"" if self.usage.settled_with(fork) else self._told(sdp)
            self.usage.answer(body, fork, now, told)

    def _who(self, other: Party) -> Headers:
        """What the party is told of who the other one is."""
        if self.manner is None:
            return other.asserted(self.usage.flow)
        return self.manner.asserted(other)

    def forwarding_news(self, by: "Leg", to: "Leg") -> Headers:
        """What a caller hears of its call's being forwarded."""
        if self.manner is not None and not self.manner.forwarding_news:
            return ()
        return forwarding_news(by.party, to.party, self.usage.flow)

    @property
    def takes_early_offer(self) -> bool:
        """Whether a caller can be offered a session, and answer it, before the call is answered."""
        return isinstance(self.usage, Incoming) and self.usage.takes_early_offer

    def settled_with(self, fork: str) -> bool:
        """Whether a caller has agreed on its session before the answer that `fork` now gives."""
        return isinstance(self.usage, Incoming) and self.usage.settled_with(fork)

    def answer_early(self, sdp: bytes, now: float) -> None:
        """Give a callee that has made an offer before its answer the caller's one.

        Args:
            sdp: empty to refuse every media.
            now: the time.
        """
        if isinstance(self.usage, Outgoing):
            offer = self.media.last_remote
            body = self._interpreter.answer(sdp) if sdp else self.usage.decline(offer)
            self.usage.answer_early(self._early_offer, body, now)

    @property
    def changes_early(self) -> bool:
        """Whether the party can be offered another session now, before the call is answered."""
        usage = self.usage
        return usage.early_dialog is not None and usage.updates.possible and not usage.busy

    def tell_history(self, history: list[str]) -> None:
        """Let a caller's responses tell where its call has gone (RFC 7044)."""
        if isinstance(self.usage, Incoming):
            self.usage.tell_history(history)

    def take_otherwise(self) -> bool:
        """Return, once, whether a caller had an answer before the call's, and it was another one."""
        usage = self.usage
        if not isinstance(usage, Incoming) or not usage.answered_otherwise:
            return False
        usage.answered_otherwise = False
        return True

    def acknowledge(self, sdp: bytes, now: float) -> None:
        """Confirm a callee's answer, with the other party's answer to a late offer."""
        self.usage.acknowledge(self._interpreter.answer(sdp) if sdp else b"", now)

    def _told(self, sdp: bytes) -> bytes:
        """Return the other party's answer to this one's offer, or its offer where it made none."""
        return self._interpreter.answer(sdp) if self._offers else self._interpreter.offer(sdp)

    def reoffer(
        self, sdp: bytes, now: float, *, plain: bool = False, party: Party | None = None
    ) -> bool:
        """Offer the other party's changed session; False while that is impossible (glare).

        Args:
            sdp: the other party's offer; empty to ask for this party's.
            plain: nothing is offered that the other party hasn't named.
            party: who the other party is, where that has changed.

        Raises:
            NoPortsLeft: there is no port for a new media.
        """
        if self.usage.busy:
            return False
        self._before = self.media.checkpoint()
        self._offered = bool(sdp)
        body = self._interpreter.offer(sdp, plain=plain) if sdp else b""
        if party is None or self.manner is not None:
            # A line has been told the number that is ours there, whoever of us talks
            return self.usage.reoffer(body, now)
        flow = self.usage.flow
        self.usage.identity.rename(party.address(flow))
        return self.usage.reoffer(body, now, party.asserted(flow))

    def taken_up(self) -> bytes:
        """Return the party's description without the hold that the other one has put on it.

        Raises:
            PeerError: it has none.
        """
        return taken_up(self.media.last_remote, self.media.checkpoint().told)

    def cancel_reoffer(self, now: float) -> None:
        """Give up what `reoffer` asked for."""
        self.usage.cancel_reoffer(now)

    def accept_reoffer(self, sdp: bytes, now: float) -> None:
        """Give the other party's agreement to this party's change."""
        self.usage.accept_reoffer(self._told(sdp), now)

    def answer_reoffer_for(self, said: bytes, now: float) -> bool:
        """Answer this party's change in the other one's name; False where it had to be refused.

        Args:
            said: what the other party has said last.
            now: the time.
        """
        try:
            answer = answered_for(said, self.media.last_remote)
            self.media.reserve()
            self.accept_reoffer(answer, now)
        except (PeerError, NoPortsLeft):
            self.refuse_reoffer(488, "Not Acceptable Here", now)
            return False
        return True

    @property
    def only_refreshes(self) -> bool:
        """Whether the change that the party offers is none: it says what it has said before."""
        before = self._before.sdp if self._before is not None else b""
        return self._offers and bool(before) and same_session(before, self.media.last_remote)

    def refuse_reoffer(self, status: int, reason: str, now: float) -> None:
        """Leave the session as it was (RFC 3261 §14.1)."""
        self.restore()
        self.usage.refuse_reoffer(status, reason, now)

    def restore(self) -> None:
        """Forget a session change that has come to nothing."""
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
            headers = [("Reason", cause.header), *cause.headers]
            dialog.reject(cause.status, cause.reason, headers, now)
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
        if self.manner is not None and isinstance(event, _DESCRIBING) and event.body:
            event = replace(event, body=self._interpreter.heard(self.manner.heard(event.body)))
        match event:
            case usage.Progressed():
                return self._progressed(event, now)
            case usage.Accepted():
                self.fork = f"{self.name} {event.fork}"
                self._note_party(event.hidden)
                if event.settled:
                    return [Answered(self.media.last_remote, event.headers)]
                # Some leave the answer out of the 2xx that they have given in a provisional one
                told_before = self._offered or self._early_offer == event.fork
                early = self.media.last_remote if told_before else b""
                kind = partial(Answered, headers=event.headers)
                return self._agreed(event.body or early, kind, now, answer=self._offered)
            case usage.ReofferAccepted():
                return self._changed(event.body, now)
            case usage.Confirmed():
                if not event.body:
                    return [Confirmed(b"")]
                return self._agreed(event.body, Confirmed, now, answer=True)
            case usage.EarlyAnswered():
                return self._agreed(event.body, EarlyConfirmed, now, answer=True)
            case usage.Reoffered():
                return self._reoffered(event.body, now)
            case usage.ReofferWithdrawn():
                return [MediaWithdrawn()]
            case usage.ReofferRefused():
                return [self._refused(event.status)]
            case usage.PrackRefused():
                return []
            case usage.Renewed():
                return [MediaRenewed(event.body)] if self._learn(event.body, answer=True) else []
            case usage.DigitReceived():
                return [Dialled(event.digit, event.duration_ms)]
            case usage.Referred():
                return [TransferAsked(event.referral)]
            case usage.TextReceived():
                return [Texted(event.text)]
        self.ended = True
        cause = self._cause(event)
        if isinstance(event, usage.Rejected) and event.contacts:
            contacts, diversions = event.contacts, event.diversions
            return [Moved(contacts, diversions, event.status, event.reason, cause)]
        return [Ended(cause)]

    def _progressed(self, event: usage.Progressed, now: float) -> list[LegEvent]:
        self._note_party(event.hidden)
        passed_on = event.status in _WAITING
        status = event.status if passed_on else 183
        plain = event.reason.isascii() and event.reason.isprintable()
        reason = (passed_on and plain and event.reason) or REASONS[status]
        if event.offered:
            self._early_offer, self._offers = event.fork, True
        says = bool(event.body) and (self._offered or event.offered)
        if says and self._learn(event.body, answer=self._offered):
            self.fork = f"{self.name} {event.fork}"
            return [Progress(event.body, status, reason, event.headers)]
        if event.offered and isinstance(self.usage, Outgoing):
            self.usage.answer_early(event.fork, self.usage.decline(event.body), now)
        return [Ringing(status, reason, event.headers)] if passed_on else []

    def _note_party(self, hidden: bool) -> None:
        if hidden:
            self.party = self.party.hide()

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
            self.media.remote(sdp, self.usage.flow.remote.host)
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
                return by_response(event.status, event.reason, event.reasons, event.headers)
            case usage.Lost() if event.gone:
                tag = CallTag.CALLER_HUNG_UP if calling else CallTag.CALLEE_HUNG_UP
                return forgotten(tag)
            case usage.Lost() if event.expired:
                return by_server(CallTag.SESSION_EXPIRED)
            case usage.Lost() if event.timed_out:
                return by_server(CallTag.TRANSACTION_TIMED_OUT)
        return by_server(CallTag.TRANSPORT_FAILED)
