"""One call: a caller, the phones that ring for it, and the one that answers."""

from collections.abc import Callable, Collection, Iterator
from contextlib import suppress

from pbx.call.call_recording import CallRecording
from pbx.call.cause import CallTag, Cause, by_hang_up, by_server
from pbx.call.changes import Reoffer, Retries, Successor
from pbx.call.early_session import EarlySession
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
    Progress,
    Ringing,
    Texted,
)
from pbx.call.facts import CallFacts
from pbx.call.fork import Fork
from pbx.call.invitation import Asking
from pbx.call.journal import CallState
from pbx.call.keys import Keys
from pbx.call.leg import Leg
from pbx.call.outputs import CallChanged, CallEnded, MediaCommands, Output
from pbx.call.party import address_of
from pbx.call.passage import Passage
from pbx.call.recording import RECORDED_PTIME_MS, Recording
from pbx.call.time_limits import NO_ANSWER, TimeLimits, shortest
from pbx.errors import PeerError
from pbx.media import protocol
from pbx.media.conversion import unclear
from pbx.media.session import NoPortsLeft
from pbx.sdp.offer_answer import fitted
from pbx.sdp.payload import audio_codec
from pbx.sip.history import concealed, failed, tried
from pbx.sip.status import REASONS
from pbx.sip.texts import Text
from pbx.sip.timers import T4, TRANSACTION_LIMIT_S, TimerQueue

LINGER_S = TRANSACTION_LIMIT_S + T4
"""How long an ended leg still answers the peer, and longer while an INVITE of ours is open."""

ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'
"""Reason for phones that lose the race, so that they show no missed call (RFC 3326 §3.1)."""


class Call:
    """The B2BUA's call: two legs once it is answered, one and a fork before.

    Args:
        facts: what is known so far; kept up to date here.
        caller: the leg that called, its description already learned.
        offer: the caller's SDP; empty for a late offer (RFC 3261 §13.2.1).
        timers: the exchange's timers.
        emit: takes what is to be done or published.
        coded: encoding names of what the media engine can code now.
        no_answer_s, max_duration_s: time limits; 0 for none.
    """

    def __init__(
        self,
        facts: CallFacts,
        caller: Leg,
        offer: bytes,
        timers: TimerQueue,
        emit: Callable[[Output], None],
        coded: Callable[[], Collection[str]],
        *,
        no_answer_s: float,
        max_duration_s: float,
    ) -> None:
        self.facts = facts
        facts.caller_line, facts.caller_was_called = caller.party.line, caller.called
        self.caller = caller
        self.offer = offer
        self.callee: Leg | None = None
        self.ended = False
        self.passage = Passage(self._tell_engine, coded)
        self.pressed: Callable[[Leg, str, float], None] = lambda leg, digit, now: None
        """Is told of each key that a party presses."""
        self._keys = Keys(
            self.passage, self._talking, lambda leg, digit, now: self.pressed(leg, digit, now)
        )
        self._fork = Fork([])
        self._timers = timers
        self._emit = emit
        self._limits = TimeLimits(
            self, facts, timers, no_answer_s=no_answer_s, max_duration_s=max_duration_s
        )
        self._early: Leg | None = None
        self._before_answer = EarlySession(caller)
        self._late_offer = False
        self._reoffer: Reoffer | None = None
        self._held: tuple[Leg, bytes] | None = None
        """Who offered a change that waits for the other party's ACK, and what."""
        self._gone: set[Leg] = set()
        self.successor: Successor | None = None
        """The call that one of the parties is being transferred to."""
        self.asked: dict[Leg, Asking] = {}
        """What each phone has been told with its INVITE."""
        self.tried: set[str] = set()
        """The numbers that forwarding has led the call to, or away from."""
        self._retries = Retries(self, timers)
        self.recorder = CallRecording(facts, self.passage, self._changed)

    @property
    def legs(self) -> Iterator[Leg]:
        """Every leg that the call has had, the caller's first; not those that another call has now."""
        every = (self.caller, *self._fork.branches)
        return (leg for leg in every if leg not in self._gone)

    def partner(self, leg: Leg) -> Leg | None:
        """Return who `leg` talks with; None for nobody."""
        if self.ended or self.callee is None or leg not in (self.caller, self.callee):
            return None
        return self.callee if leg is self.caller else self.caller

    @property
    def secure(self) -> bool:
        """True for a call by sips (RFC 5630)."""
        return self.caller.secure or any(asking.secure for asking in self.asked.values())

    @property
    def ringing(self) -> list[Leg]:
        """The phones that may still answer."""
        return [] if self.ended or self.callee is not None else self._fork.ringing

    def ring(self, branches: list[Leg], now: float) -> None:
        """Wait for an answer of any of `branches`, whose INVITEs have been sent."""
        self._fork = Fork(branches)
        self._emit(CallChanged(self.facts))
        streams = self._prepared(branches, alone=len(branches) == 1)
        self._tell_engine([*streams, *self.caller.media.ready(None, wait=True)])
        self._limits.ringing(now, branches[0].no_answer_s)

    def limit(self, max_duration_s: float) -> None:
        """Let the call last no longer than that; 0 changes nothing."""
        self.facts.max_duration_s = shortest(self.facts.max_duration_s, max_duration_s)

    def _prepared(self, branches: list[Leg], *, alone: bool) -> list[protocol.Stream]:
        """Return the streams of phones that begin to ring."""
        streams = []
        for leg in branches:
            # A phone that rings alone may be heard at once (RFC 3264 §5.1), of several, none yet. One
            # that may say what the caller doesn't understand is heard when its answer tells what.
            heard_by = self.caller.media if alone and not leg.speaks_more else None
            streams += leg.media.ready(heard_by, wait=alone and leg.speaks_more)
        return streams

    def forwarded(self, leg: Leg, branches: list[Leg], now: float) -> None:
        """Ring `branches`, whose INVITEs have been sent, instead of a phone that has named them."""
        self.instead(leg, branches, now)
        # RFC 7044 §9.3: who hasn't answered yet is no part of it
        self.caller.tell_history(list(self.asked[branches[0]].history[:-1]))
        # §21.1.3
        news = self.caller.forwarding_news(leg, branches[0])
        self.caller.progress(181, REASONS[181], b"", leg, now, news)

    def instead(
        self, leg: Leg, branches: list[Leg], now: float, cause: Cause | None = None
    ) -> None:
        """Ring `branches`, whose INVITEs have been sent, instead of a phone or line.

        Args:
            leg: what has ended.
            branches: what rings now.
            now: the time.
            cause: why it has ended, where that counts if nobody answers.
        """
        if cause is not None:
            self._fork.failed(cause)
        self._release(leg)
        self._abandon_change(leg, now)
        if leg is self._early:
            self._without_early(leg)
        alone = not self._fork.ringing and len(branches) == 1
        self._fork.branches += branches
        self._tell_engine([*self._prepared(branches, alone=alone)])
        self._limits.ringing(now, branches[0].no_answer_s)
        self._emit(CallChanged(self.facts))

    @property
    def sound_ports(self) -> tuple[int, int]:
        """The ports of the caller's and the called party's sound; 0 for none, as before the answer."""
        if self.callee is None:
            return 0, 0
        caller, callee = (
            0 if leg in self._gone else leg.media.sound_port for leg in (self.caller, self.callee)
        )
        return caller, callee

    def state(self) -> CallState | None:
        """Return what the journal keeps so that an answered call survives the exchange."""
        if self.callee is None or self._late_offer:
            return None
        caller, callee = self.caller.state(), self.callee.state()
        if caller is None or callee is None:
            return None
        recorded = self.recorder.running
        return CallState(
            caller,
            callee,
            recording=self.passage.recording,
            stereo=recorded is not None and recorded.stereo,
            recorded_by=recorded.by if recorded is not None else "",
        )

    def resume(self, callee: Leg, recording: Recording | None, now: float) -> None:
        """Go on with a call that was answered before the exchange was restarted.

        Args:
            callee: who has answered.
            recording: what runs.
            now: the time.
        """
        self.recorder.resume(recording)
        self.callee = callee
        if recording is not None:
            self.pace()
        self._fork = Fork([callee])
        self._connect(callee, answered=True)
        self._note_codecs()
        for party in (self.caller, callee):
            self._limits.shorten(party.max_duration_s)
        self._limits.talking(now, self.facts.talk)
        self._emit(CallChanged(self.facts, self.state()))

    def timer_fired(self, name: str, now: float) -> None:
        """End the call: nobody answered, or it has lasted as long as it may; or try again."""
        waiting = self._retries.take(name)
        if waiting is not None:
            self._align(waiting.other, now, plain=waiting.plain)
            return
        tag = CallTag.NO_ANSWER if name == NO_ANSWER else CallTag.MAX_DURATION
        self.end(by_server(tag), now)

    def receive(self, leg: Leg, event: LegEvent, now: float) -> None:
        """Take what a leg says."""
        if self.ended:
            return
        try:
            self._receive(leg, event, now)
        except NoPortsLeft:
            self.end(by_server(CallTag.LIMIT), now)

    def _receive(self, leg: Leg, event: LegEvent, now: float) -> None:
        match event:
            case Ringing():
                self._ringing(leg, event, now)
            case Progress():
                self._progress(leg, event, now)
            case Answered():
                self._answered(leg, event, now)
            case Confirmed():
                self._confirmed(leg, event.sdp, now)
            case EarlyConfirmed():
                self._early_confirmed(leg, event.sdp, now)
            case MediaOffered():
                self._media_offered(leg, event.sdp, now)
            case MediaWithdrawn():
                self._media_withdrawn(leg, now)
            case MediaAnswered():
                self._media_answered(leg, event.sdp, now)
            case MediaRefused():
                self._media_refused(leg, event, now)
            case MediaRenewed():
                self._agreed(event.sdp, now)
            case Dialled():
                self._keys.by_info(leg, event, now)
            case Texted():
                self._texted(leg, event.text, now)
            case Ended():
                self._leg_ended(leg, event.cause, now)

    def end(self, cause: Cause, now: float) -> None:
        """Release every leg and port, and close the facts."""
        if self.ended:
            return
        self.ended = True
        self._limits.stop()
        if self.successor is not None and not self.successor.adopted:
            decided = cause.tag.released_by == "server"
            gone = by_hang_up(CallTag.CALLER_CANCELLED, [])
            self.successor.end(cause if decided else gone, now)
        self._retries.forget()
        self.recorder.call_ended()
        ports = self.sound_ports
        if self.callee is None and self.asked:
            self._tell_history([*self.asked][-1], cause)
        released: list[int] = []
        for leg in self.legs:
            leg.hang_up(cause, now)
            released += leg.media.close()
        # All at once: a recording ends with the first stream that does, and has what waits of those
        self.passage.release(released)
        self.facts.cause = cause
        self.facts.release = now
        self._emit(CallEnded(self.facts, ports))

    def pick_up(self, leg: Leg, now: float) -> None:
        """Let a phone that has called in answer instead of those that ring (RFC 3891).

        Args:
            leg: of the phone, its offer already learned.
            now: the time.

        Raises:
            NoPortsLeft: its sound can't be had; nothing has changed.
        """
        theirs = leg.media.last_remote
        leg.media.reserve()
        self._fork.branches.append(leg)
        self.facts.route = f"{self.facts.route}; picked up by {leg.number}"
        leg.answer(fitted(self.offer, theirs), leg.fork, now, self.caller.party)
        self._answered(leg, Answered(fitted(theirs, self.offer)), now)

    def hand_over(self, kept: Collection[Leg], cause: Cause, now: float) -> None:
        """End, but for legs that go on in another call."""
        change = self._reoffer
        if change is not None and change.asker is not None and change.asker in kept:
            self._reoffer = None
            change.asker.refuse_reoffer(491, "Request Pending", now)
        if change is not None and change.other in kept:
            change.other.restore()
        if self._held is not None and self._held[0] in kept:
            self._held[0].refuse_reoffer(491, "Request Pending", now)
        self.passage.stop_recording()
        for leg in kept:
            self.passage.leave(leg.media)
        self._gone.update(kept)
        self.end(cause, now)

    # ---------------------------------------------------------------- before the answer

    def _ringing(self, leg: Leg, event: Ringing, now: float) -> None:
        if event.status == 180:
            if self.facts.alert is not None:
                return
            self.facts.alert = now
            self._emit(CallChanged(self.facts))
        self._tell_history(leg)
        self.caller.progress(event.status, event.reason, b"", leg, now, event.headers)

    def _tell_history(self, leg: Leg, failure: Cause | None = None) -> None:
        """Let what the caller hears next tell where its call has gone (RFC 7044 §9.4).

        Args:
            leg: the phone that has been reached at last.
            failure: why it hasn't answered, or can't be waited for.
        """
        asking = self.asked.get(leg)
        if asking is None:
            return
        entries = [*asking.history] or tried(address_of(leg.number, self.caller.usage.flow))
        with suppress(PeerError):
            if failure is not None:
                entries = failed(entries, failure.status, failure.reason)
            self.caller.tell_history(concealed(entries) if leg.party.hidden else entries)

    def _progress(self, leg: Leg, event: Progress, now: float) -> None:
        if event.status == 180 and self.facts.alert is None:
            self.facts.alert = now
            self._emit(CallChanged(self.facts))
        if self._early is None:
            self._early = leg
        if self._early is leg:
            # Two early media at once can't be heard; the first phone's goes through.
            self._before_answer.heard, self._before_answer.fork = event.sdp, leg.fork
            self._tell_history(leg)
            self.caller.progress(event.status, event.reason, event.sdp, leg, now, event.headers)
            if self.offer:
                self._connect(leg, answered=False)
            else:
                self._tell_engine([*self.caller.media.ready(None, wait=True)])
        elif not self.offer:
            # Who makes an offer wants an answer, though nobody can give one
            leg.answer_early(b"", now)

    def _early_confirmed(self, leg: Leg, sdp: bytes, now: float) -> None:
        """Pass the caller's answer on to the phone that has made the offer (RFC 3262 §5)."""
        phone = self.callee or self._early
        if leg is self.caller and phone is not None:
            phone.answer_early(sdp, now)
            phone.acknowledge(b"", now)
            self._late_offer = False
            self._agreed(sdp, now)

    def _early_offered(self, leg: Leg, sdp: bytes, now: float) -> bool:
        """Take an offer before the call is answered; False where the other party is to be asked."""
        other, early = self._other(leg), self._before_answer
        if leg not in (self.caller, self._early):
            # What one of several phones that ring agrees on counts if it answers
            leg.answer_reoffer_for(self.caller.media.last_remote, now)
            return True
        # A PRACK can hardly be refused (RFC 6337 §2.3), so it isn't made to wait for an answer
        asks = other is not None and other.changes_early and leg.usage.answering != "PRACK"
        if other is None or asks or self._reoffer is not None:
            return False
        if leg.answer_reoffer_for(other.media.last_remote, now):
            self._agreed(other.media.last_remote, now)
            if other.changes_early and other.reoffer(sdp, now):
                self._reoffer = Reoffer(None, other, late=False)
            else:
                early.owe(other)
        return True

    def _other(self, leg: Leg) -> Leg | None:
        """The party that `leg` has its session with; before the answer, who is heard early."""
        if self.callee is not None:
            return self.callee if leg is self.caller else self.caller
        return self._early if leg is self.caller else self.caller

    def _without_early(self, leg: Leg) -> None:
        """Let nobody be heard who has ended: its ports will be another call's."""
        self._early = None
        self._before_answer.back()
        self._connect(leg, answered=False)

    def _abandon_change(self, leg: Leg, now: float) -> None:
        """End a change before the answer that a phone takes part in which has ended."""
        change = self._reoffer
        if change is None or leg not in (change.asker, change.other):
            return
        self._reoffer = None
        if change.other is not leg:
            change.other.restore()
        elif change.asker is not None:
            change.asker.refuse_reoffer(488, "Not Acceptable Here", now)

    def _answered(self, leg: Leg, event: Answered, now: float) -> None:
        self.callee, sdp = leg, event.sdp
        self._limits.answered()
        self._drop_others(leg, now)
        settled, early = self.caller.settled_with(leg.fork), self._before_answer
        if leg.fork != early.fork:
            early.back()
        elif settled and sdp != early.heard:
            # The caller has an answer already, and this is another one
            early.owe(self.caller)
        self._late_offer = not self.offer and not settled
        self._tell_history(leg)
        self.caller.answer(sdp, leg.fork, now, leg.party, event.headers)
        if not self._late_offer:
            leg.acknowledge(b"", now)
            self._agreed(sdp, now)
        else:
            self._tell_engine([*self.caller.media.ready(None, wait=True)])
        self._begin_talk(leg, now)

    def _drop_others(self, leg: Leg, now: float) -> None:
        """End the phones that have lost the race."""
        elsewhere = by_hang_up(CallTag.CALLEE_HUNG_UP, [])
        for other in self._fork.ringing:
            if other is not leg:
                other.hang_up(elsewhere, now, ELSEWHERE)
                self._abandon_change(other, now)
                self._release(other)

    def _begin_talk(self, leg: Leg, now: float) -> None:
        self.facts.talk = now
        self.facts.called_number, self.facts.called_line = leg.number, leg.party.line
        self.facts.called_has_called = not leg.called
        self.facts.called_addr = leg.address
        for party in (self.caller, leg):
            self._limits.shorten(party.max_duration_s)
        self._limits.talking(now)
        self._emit(CallChanged(self.facts, self.state()))
        self.recorder.answered()

    # ---------------------------------------------------------------- in the call

    def _confirmed(self, leg: Leg, sdp: bytes, now: float) -> None:
        if self._late_offer and self.callee is not None and leg is self.caller:
            self._late_offer = False
            self._finish_late(self.callee, sdp, now)
        elif self._reoffer is not None and self._reoffer.asker is leg and self._reoffer.late:
            other, self._reoffer = self._reoffer.other, None
            self._finish_late(other, sdp, now)
        self._offer_held(now)
        if leg is self.caller:
            if leg.take_otherwise():
                # What the callee has answered in the end is news to the caller
                self._before_answer.owe(leg)
            for party in self._before_answer.owed():
                if party in (self.caller, self.callee):
                    self._align(party, now, plain=False)

    def _offer_held(self, now: float) -> None:
        """Go on with the change that has waited for an ACK."""
        held, self._held = self._held, None
        if held is not None and not self.ended:
            self._media_offered(*held, now)

    def _finish_late(self, other: Leg, sdp: bytes, now: float) -> None:
        if not sdp:
            # RFC 3264 §4: an offer without an answer leaves no session
            self.end(by_server(CallTag.REQUEST_UNUSABLE), now)
            return
        other.acknowledge(sdp, now)
        self._agreed(sdp, now)

    def _media_offered(self, leg: Leg, sdp: bytes, now: float) -> None:
        if self.callee is None and self._early_offered(leg, sdp, now):
            return
        other = self._other(leg)
        status, reason = 491, "Request Pending"
        if other is not None and self._reoffer is None and self._held is None:
            if other.usage.awaits_ack:
                # Its ACK is lost or late. The asker has done nothing wrong, and many a phone takes
                # a 491 for good: the change waits.
                self._held = leg, sdp
                return
            try:
                # The asker's own now, so that what the other party agrees to can be had.
                leg.media.reserve()
                if other.reoffer(sdp, now):
                    self._reoffer = Reoffer(leg, other, late=not sdp)
                    return
            except NoPortsLeft:
                # The change is refused, and the call goes on without it
                status, reason = 488, "Not Acceptable Here"
                other.restore()
        leg.refuse_reoffer(status, reason, now)

    def _media_withdrawn(self, leg: Leg, now: float) -> None:
        if self._held is not None and self._held[0] is leg:
            self._held = None
            leg.restore()
        change = self._reoffer
        if change is not None and change.asker is leg:
            self._reoffer = None
            leg.restore()
            change.other.restore()
            change.other.cancel_reoffer(now)

    def _media_answered(self, leg: Leg, sdp: bytes, now: float) -> None:
        change = self._reoffer
        if change is None:
            self._put_back(leg, now)
            return
        if change.asker is not None:
            try:
                leg.media.reserve()
                change.asker.accept_reoffer(sdp, now)
            except NoPortsLeft:
                # A late offer brought more media than there are ports for.
                self._reoffer = None
                change.asker.refuse_reoffer(488, "Not Acceptable Here", now)
                leg.restore()
                self._put_back(leg, now)
                return
        if not change.late:
            self._reoffer = None
            leg.acknowledge(b"", now)
            self._agreed(sdp, now)

    def _put_back(self, leg: Leg, now: float) -> None:
        """Undo a change that was accepted just when it was withdrawn (RFC 3261 §14.1)."""
        leg.acknowledge(b"", now)
        self._align(leg, now, plain=False)

    def _align(self, leg: Leg, now: float, *, plain: bool) -> None:
        """Offer a party what the other one has, later where that meets another change (§14.1)."""
        other = self._other(leg)
        if self.callee is None:
            self._before_answer.owe(leg)
            return
        if other is None or (plain and not unclear(leg.media, other.media)):
            return
        change = Reoffer(None, leg, late=False, plain=plain)
        if self._reoffer is None and leg.reoffer(other.media.last_remote, now, plain=plain):
            self._reoffer = change
        else:
            self._retries.wait(change, now)

    def _media_refused(self, leg: Leg, event: MediaRefused, now: float) -> None:
        change = self._reoffer
        if change is None or change.other is not leg:
            return
        self._reoffer = None
        change.other.restore()
        if change.asker is not None and change.asker.only_refreshes:
            # Each side's session expires by itself (RFC 4028), and what changes nothing needs
            # nobody's consent
            change.asker.answer_reoffer_for(leg.media.last_remote, now)
            self._changed()
        elif change.asker is not None:
            change.asker.refuse_reoffer(event.status, event.reason, now)
        elif event.status == 491:
            self._retries.wait(change, now)

    def _leg_ended(self, leg: Leg, cause: Cause, now: float) -> None:
        if leg is self.caller or leg is self.callee:
            successor = self.successor
            if successor is not None and successor.caller is not leg:
                # Who transfers a party may hang up as soon as it has said so (RFC 5589 §6)
                successor.adopt(now)
            self.end(cause, now)
            return
        self._release(leg)
        self._abandon_change(leg, now)
        self._fork.failed(cause)
        if self._fork.settled:
            self.end(self._fork.best_failure(), now)
        elif leg is self._early:
            self._without_early(leg)

    # ---------------------------------------------------------------- media

    def _agreed(self, answer: bytes, now: float) -> None:
        """Offer and answer are complete: let the media engine follow."""
        phone = self.callee or self._early
        if phone is not None:
            self._connect(phone, answered=phone is self.callee)
            self._before_answer.heard = phone.media.last_remote
            self._before_answer.changed = True
        self.facts.codec = audio_codec(answer) or self.facts.codec
        self._note_codecs()
        if self.facts.talk is not None:
            self._emit(CallChanged(self.facts, self.state()))
        self.recorder.can_be_heard()
        # Both have the same session now
        self._retries.forget()
        self._retries.tried = 0
        if self.callee is not None:
            # RFC 3264 §10.2: each is kept to codecs that the other one has, too
            self._align(self.callee, now, plain=True)
            self._align(self.caller, now, plain=True)

    def _note_codecs(self) -> None:
        """Note between what the call is converted."""
        self.facts.called_codec = ""
        if len(self.passage.codecs) == 2:
            self.facts.codec, self.facts.called_codec = self.passage.codecs

    def _connect(self, leg: Leg, *, answered: bool) -> None:
        """Join the caller's media with `leg`'s."""
        self.passage.connect(self.caller.media, leg.media, timed=answered)

    def _talking(self) -> tuple[Leg, ...]:
        """The two that hear each other, be it before the answer; nobody before there is sound."""
        callee = self.callee or self._early
        return (self.caller, callee) if callee is not None else ()

    def _texted(self, leg: Leg, text: Text, now: float) -> None:
        """Pass a text on, whose sender gets the other party's answer."""
        other = self.partner(leg)
        if other is None:
            text.answer(403, "Only In An Answered Call", now)
        else:
            other.usage.texts.send(text, now)

    def reported(self, report: protocol.SoundReport, now: float) -> bool:
        """Take what the engine says; False where it concerns another call."""
        match report:
            case protocol.Digit():
                return self._keys.by_sound(report, now)
            case protocol.DigitEnded():
                return self._keys.ended(report, now)
            case protocol.Recorded():
                return self.recorder.reported(report)
            case protocol.Played():
                return self.recorder.played(report)
            case protocol.Line():
                return False

    @property
    def recording(self) -> bool:
        """Whether it is being recorded."""
        return self.passage.recording != 0

    @property
    def expects_recording(self) -> bool:
        """Whether it is being recorded, or will be in any case."""
        return self.recorder.expected

    def pace(self) -> None:
        """Ask the parties for packets of the length that recordings have, when they are told next."""
        for leg in (self.caller, *filter(None, [self.callee])):
            leg.pace(RECORDED_PTIME_MS)

    def _changed(self) -> None:
        self._emit(CallChanged(self.facts, self.state()))

    def _release(self, leg: Leg) -> None:
        self.passage.release(leg.media.close())

    def _tell_engine(self, commands: list[protocol.Command]) -> None:
        if commands:
            self._emit(MediaCommands(commands))
