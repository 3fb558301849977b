"""One call: a caller, the phones that ring for it, and the one that answers."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from pbx.call.cause import CallTag, Cause, by_hang_up, by_server
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
from pbx.call.facts import CallFacts
from pbx.call.fork import Fork
from pbx.call.journal import CallState
from pbx.call.leg import Leg
from pbx.call.passage import Passage
from pbx.media import protocol
from pbx.media.conversion import unclear
from pbx.media.session import NoPortsLeft
from pbx.sdp.payload import audio_codec
from pbx.sip.timers import TimerQueue


@dataclass(frozen=True, slots=True)
class MediaCommands:
    """For the media engine."""

    commands: list[protocol.Command]


@dataclass(frozen=True, slots=True)
class CallChanged:
    """A call began, rings, was answered, or changed its session: for journal and console.

    Args:
        state: what an answered call needs to go on after a crash; else None.
    """

    facts: CallFacts
    state: CallState | None = None


@dataclass(frozen=True, slots=True)
class CallEnded:
    """A call is over; its facts are complete, but for the quality of its sound.

    Args:
        ports: of the caller's and the called party's sound, which the media engine is about to count
            for the last time; 0 for none.
    """

    facts: CallFacts
    ports: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Discard:
    """A file that the media engine has written is no longer wanted."""

    path: str


Output = MediaCommands | CallChanged | CallEnded | Discard

ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'
"""Reason for phones that lose the race, so that they show no missed call (RFC 3326 §3.1)."""


@dataclass(slots=True)
class _Reoffer:
    """A session change under way: `asker` offered, `other` is to answer.

    Without an asker it puts `other` back to the session that both had before.
    """

    asker: Leg | None
    other: Leg
    late: bool


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
        self.caller = caller
        self.offer = offer
        self.callee: Leg | None = None
        self.ended = False
        self.passage = Passage(self._tell_engine, coded)
        self._fork = Fork([])
        self._timers = timers
        self._emit = emit
        self._no_answer_s = no_answer_s
        self._max_duration_s = max_duration_s
        self._early: Leg | None = None
        self._late_offer = False
        self._reoffer: _Reoffer | None = None

    @property
    def legs(self) -> Iterator[Leg]:
        """Every leg that the call has had, the caller's first."""
        yield self.caller
        yield from self._fork.branches

    def ring(self, branches: list[Leg], now: float) -> None:
        """Wait for an answer of any of `branches`, whose INVITEs have been sent."""
        self._fork = Fork(branches)
        self._emit(CallChanged(self.facts))
        alone = len(branches) == 1
        streams = []
        for leg in branches:
            # A phone that rings alone may be heard at once (RFC 3264 §5.1), of several, none yet. One
            # that may say what the caller doesn't understand is heard when its answer tells what.
            heard_by = self.caller.media if alone and not leg.speaks_more else None
            streams += leg.media.ready(heard_by, wait=alone and leg.speaks_more)
        self._tell_engine([*streams, *self.caller.media.ready(None, wait=True)])
        if self._no_answer_s:
            self._timers.set((self, "no-answer"), now + self._no_answer_s)

    @property
    def sound_ports(self) -> tuple[int, int]:
        """The ports of the caller's and the called party's sound; 0 for none, as before the answer."""
        if self.callee is None:
            return 0, 0
        return self.caller.media.sound_port, self.callee.media.sound_port

    def state(self) -> CallState | None:
        """Return what the journal keeps so that an answered call survives the exchange."""
        if self.callee is None or self._late_offer:
            return None
        caller, callee = self.caller.state(), self.callee.state()
        if caller is None or callee is None:
            return None
        return CallState(caller, callee, recording=self.passage.recording)

    def resume(self, callee: Leg, recording: int, now: float) -> None:
        """Go on with a call that was answered before the exchange was restarted.

        Args:
            callee: who has answered.
            recording: as `CallState` has it.
            now: the time.
        """
        self.passage.resume_recording(recording)
        self.callee = callee
        self._fork = Fork([callee])
        self._connect(callee, answered=True)
        self._note_codecs()
        if self._max_duration_s and self.facts.talk is not None:
            until = max(self.facts.talk + self._max_duration_s, now)
            self._timers.set((self, "max-duration"), until)
        self._emit(CallChanged(self.facts, self.state()))

    def timer_fired(self, name: str, now: float) -> None:
        """End the call: nobody answered, or it has lasted as long as it may."""
        tag = CallTag.NO_ANSWER if name == "no-answer" else CallTag.MAX_DURATION
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
                self._answered(leg, event.sdp, now)
            case Confirmed():
                self._confirmed(leg, event.sdp, now)
            case MediaOffered():
                self._media_offered(leg, event.sdp, now)
            case MediaWithdrawn():
                self._media_withdrawn(leg, now)
            case MediaAnswered():
                self._media_answered(leg, event.sdp, now)
            case MediaRefused():
                self._media_refused(event, now)
            case Dialled():
                self._dialled(leg, event.digit, now)
            case Ended():
                self._leg_ended(leg, event.cause, now)

    def end(self, cause: Cause, now: float) -> None:
        """Release every leg and port, and close the facts."""
        if self.ended:
            return
        self.ended = True
        self._timers.cancel((self, "no-answer"))
        self._timers.cancel((self, "max-duration"))
        ports = self.sound_ports
        for leg in self.legs:
            leg.hang_up(cause, now)
            self._release(leg)
        self.facts.cause = cause
        self.facts.release = now
        self._emit(CallEnded(self.facts, ports))

    # ---------------------------------------------------------------- before the answer

    def _ringing(self, leg: Leg, event: Ringing, now: float) -> None:
        if self.facts.alert is None:
            self.facts.alert = now
            self.caller.progress(event.status, event.reason, b"", leg.fork, now)
            self._emit(CallChanged(self.facts))

    def _progress(self, leg: Leg, event: Progress, now: float) -> None:
        if event.status == 180 and self.facts.alert is None:
            self.facts.alert = now
            self._emit(CallChanged(self.facts))
        if self._early is None:
            self._early = leg
        if self._early is leg:
            # Two early media at once can't be heard; the first phone's goes through.
            self.caller.progress(event.status, event.reason, event.sdp, leg.fork, now)
            self._connect(leg, answered=False)

    def _answered(self, leg: Leg, sdp: bytes, now: float) -> None:
        self.callee = leg
        self._timers.cancel((self, "no-answer"))
        elsewhere = by_hang_up(CallTag.CALLEE_HUNG_UP, [])
        for other in self._fork.ringing:
            if other is not leg:
                other.hang_up(elsewhere, now, ELSEWHERE)
                self._release(other)
        self._late_offer = not self.offer
        self.caller.answer(sdp, leg.fork, now)
        if not self._late_offer:
            leg.acknowledge(b"", now)
            self._agreed(sdp, now)
        else:
            self._tell_engine([*self.caller.media.ready(None, wait=True)])
        self.facts.talk = now
        self.facts.called_addr = leg.address
        if self._max_duration_s:
            self._timers.set((self, "max-duration"), now + self._max_duration_s)
        self._emit(CallChanged(self.facts, self.state()))

    # ---------------------------------------------------------------- in the call

    def _confirmed(self, leg: Leg, sdp: bytes, now: float) -> None:
        if self._late_offer and self.callee is not None and leg is self.caller:
            self._late_offer = False
            self._finish_late(self.callee, sdp, now)
        elif self._reoffer is not None and self._reoffer.asker is leg and self._reoffer.late:
            other, self._reoffer = self._reoffer.other, None
            self._finish_late(other, sdp, now)

    def _finish_late(self, other: Leg, sdp: bytes, now: float) -> None:
        if not sdp:
            # RFC 3264 §4: an offer without an answer leaves no session
            self.end(by_server(CallTag.REQUEST_UNUSABLE), now)
            return
        other.acknowledge(sdp, now)
        self._agreed(sdp, now)

    def _media_offered(self, leg: Leg, sdp: bytes, now: float) -> None:
        other = self.callee if leg is self.caller else self.caller
        status, reason = 491, "Request Pending"
        if other is not None and self._reoffer is None:
            try:
                # The asker's own now, so that what the other party agrees to can be had.
                leg.media.reserve()
                if other.reoffer(sdp, now):
                    self._reoffer = _Reoffer(leg, other, late=not sdp)
                    return
            except NoPortsLeft:
                # The change is refused, and the call goes on without it
                status, reason = 488, "Not Acceptable Here"
                other.restore()
        leg.restore()
        leg.refuse_reoffer(status, reason, now)

    def _media_withdrawn(self, leg: Leg, now: float) -> None:
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
                change.asker.restore()
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
        other = self.callee if leg is self.caller else self.caller
        leg.acknowledge(b"", now)
        if other is not None and leg.reoffer(other.media.last_remote, now):
            self._reoffer = _Reoffer(None, leg, late=False)

    def _media_refused(self, event: MediaRefused, now: float) -> None:
        change, self._reoffer = self._reoffer, None
        if change is not None:
            change.other.restore()
        if change is not None and change.asker is not None:
            change.asker.restore()
            change.asker.refuse_reoffer(event.status, event.reason, now)

    def _leg_ended(self, leg: Leg, cause: Cause, now: float) -> None:
        if leg is self.caller or leg is self.callee:
            self.end(cause, now)
            return
        self._release(leg)
        self._fork.failed(cause)
        if self._fork.settled:
            self.end(self._fork.best_failure(), now)
        elif leg is self._early:
            # Its ports will be another call's: the caller's media must not go there any more.
            self._early = None
            self._connect(leg, answered=False)

    # ---------------------------------------------------------------- media

    def _agreed(self, answer: bytes, now: float) -> None:
        """Offer and answer are complete: let the media engine follow."""
        if self.callee is not None:
            self._connect(self.callee, answered=True)
        self.facts.codec = audio_codec(answer) or self.facts.codec
        self._note_codecs()
        if self.facts.talk is not None:
            self._emit(CallChanged(self.facts, self.state()))
        if self.callee is not None:
            self._narrow(self.callee, self.caller, now)
            self._narrow(self.caller, self.callee, now)

    def _note_codecs(self) -> None:
        """Note between what the call is converted."""
        self.facts.called_codec = ""
        if len(self.passage.codecs) == 2:
            self.facts.codec, self.facts.called_codec = self.passage.codecs

    def _narrow(self, leg: Leg, other: Leg, now: float) -> None:
        """Keep a party to codecs that the other one has, too (RFC 3264 §10.2)."""
        if not unclear(leg.media, other.media) or self._reoffer is not None:
            return
        if leg.reoffer(other.media.last_remote, now, plain=True):
            self._reoffer = _Reoffer(None, leg, late=False)

    def _connect(self, leg: Leg, *, answered: bool) -> None:
        """Join the caller's media with `leg`'s."""
        self.passage.connect(self.caller.media, leg.media, timed=answered)

    def _dialled(self, leg: Leg, digit: str, now: float) -> None:
        """Pass on a key that a party has told of by INFO, as the other one understands it."""
        callee = self.callee or self._early
        other = callee if leg is self.caller else self.caller
        if other is None or leg not in (self.caller, callee):
            return
        port, takes_info = leg.media.sound_port, other.usage.takes_info
        if not self.passage.is_new(port, digit, now):
            return
        # Tones are for a phone that wouldn't hear of it in any other way.
        if not self.passage.dial(port, digit, tones=takes_info is not True):
            other.usage.send_digit(digit, now)

    def reported(self, report: protocol.SoundReport, now: float) -> bool:
        """Take what the engine says; False where it concerns another call."""
        match report:
            case protocol.Digit():
                return self.passage.dialled(report, now)
            case protocol.Recorded() if self.passage.recorded(report):
                if report.failure and not report.seconds:
                    # There is no file.
                    self.facts.recordings = self.facts.recordings[:-1]
                self._emit(CallChanged(self.facts, self.state()))
                return True
        return False

    @property
    def recording(self) -> bool:
        """Whether it is being recorded."""
        return self.passage.recording != 0

    def record(self, name: int, path: str, file: str, *, stereo: bool) -> bool:
        """Record the call from now on; False where that is impossible.

        Args:
            name, path, stereo: as for `Passage.record`.
            file: how the call's record names it.
        """
        if self.ended or self.facts.talk is None:
            return False
        if not self.passage.record(name, path, stereo=stereo):
            return False
        self.facts.recordings += (file,)
        self._emit(CallChanged(self.facts, self.state()))
        return True

    def stop_recording(self) -> None:
        """End the recording that runs."""
        self.passage.stop_recording()
        self._emit(CallChanged(self.facts, self.state()))

    def _release(self, leg: Leg) -> None:
        self.passage.release(leg.media.close())

    def _tell_engine(self, commands: list[protocol.Command]) -> None:
        if commands:
            self._emit(MediaCommands(commands))
