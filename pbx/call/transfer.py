"""A call that a transfer has made: a party of another call, and whom it is transferred to.

RFC 5589: the exchange is the user agent of every party, so it carries the REFER out itself. The
party that is transferred stays in its dialog and is told of its new partner by re-INVITE.
"""

from collections.abc import Callable, Collection, Iterator

from pbx.call.call import Call
from pbx.call.cause import CallTag, Cause, by_hang_up
from pbx.call.changes import Asker
from pbx.call.events import Answered, Progress, Ringing
from pbx.call.facts import CallFacts
from pbx.call.fork import Fork
from pbx.call.introduction import Introduction
from pbx.call.leg import Leg
from pbx.call.outputs import CallChanged, Output
from pbx.call.summons import Summons
from pbx.call.time_limits import at_least
from pbx.call.waiting import Waiting
from pbx.media import protocol
from pbx.sdp.payload import audio_codec
from pbx.sip.status import REASONS
from pbx.sip.timers import TimerQueue


class Transferred(Introduction):
    """A call whose caller is a party that had been talking before.

    Until the called party answers, its caller stays in the call that it is transferred out of.

    Args:
        facts, timers, emit, coded, no_answer_s, max_duration_s: as for `Call`.
        caller: the party that is transferred.
        before: the call that it is transferred out of.
        referral: who wants it, and is told what becomes of it.
        adopt: makes the caller a party of this call.
        names: gives players of the media engine names that nothing in it has.
        country: as for `Waiting`.
    """

    def __init__(
        self,
        facts: CallFacts,
        caller: Leg,
        timers: TimerQueue,
        emit: Callable[[Output], None],
        coded: Callable[[], Collection[str]],
        *,
        before: Call | Summons,
        referral: Asker,
        adopt: Callable[["Transferred", float], None],
        names: Iterator[int],
        country: str,
        no_answer_s: float,
        max_duration_s: float,
    ) -> None:
        super().__init__(
            facts,
            caller,
            caller.taken_up(),
            timers,
            emit,
            coded,
            no_answer_s=no_answer_s,
            max_duration_s=max_duration_s,
        )
        self._left_s = facts.max_duration_s
        self.before = before
        self.adopted = False
        self._referral = referral
        self._adopt = adopt
        self._waiting_tone = Waiting(self._tell_engine, names, country, coded)

    @property
    def legs(self) -> Iterator[Leg]:
        """As in `Call`; the caller only when it is a party of this call."""
        return (leg for leg in super().legs if self.adopted or leg is not self.caller)

    @property
    def sound_ports(self) -> tuple[int, int]:
        """As in `Call`."""
        return super().sound_ports if self.adopted else (0, 0)

    @property
    def expects_recording(self) -> bool:
        """As in `Call`; a recording of the call before goes on in this one."""
        return super().expects_recording or (
            isinstance(self.before, Call) and self.before.recording
        )

    def ring(self, branches: list[Leg], now: float) -> None:
        """Wait for an answer of any of `branches`; the caller's sound is none of ours yet."""
        self._fork = Fork(branches)
        self._emit(CallChanged(self.facts))
        self._tell_engine([*self._prepared(branches, alone=False)])
        self._limits.ringing(now, branches[0].no_answer_s)

    def _prepared(self, branches: list[Leg], *, alone: bool) -> list[protocol.Stream]:
        return [one for leg in branches for one in leg.media.ready(None, wait=False)]

    def adopt(self, now: float) -> None:
        """Take the caller over: who has transferred it is out, or the called party has answered."""
        if self.adopted or self.ended:
            return
        self.adopted = True
        self.caller.name = "a"
        self._adopt(self, now)
        if self.callee is not None:
            return
        # Its sound goes to nobody's port any more, which may soon be another call's
        self._tell_engine([*self.caller.media.ready(None, wait=False)])
        if self._early is not None:
            self._connect(self._early, answered=False)
        elif self.facts.alert is not None:
            self._waiting_tone.begin(self.caller.media)

    def join(self, callee: Leg, now: float) -> None:
        """Let the caller talk with a party of another call, which has answered long ago."""
        callee.name = "b1"
        self._fork = Fork([callee])
        self._talk(callee, now)
        self.introduce(callee, self.caller, now=now)

    def end(self, cause: Cause, now: float) -> None:
        """As in `Call`; who wanted the transfer hears that it has failed, if it hasn't succeeded."""
        if self.ended:
            return
        self._referral.tell(cause.status, cause.reason, now)
        self.before.successor = None
        super().end(cause, now)

    def reported(self, report: protocol.SoundReport, now: float) -> bool:
        """As in `Call`; a busy tone on the line of who waits ends the call: nobody is there any more."""
        if not isinstance(report, protocol.Line):
            return super().reported(report, now)
        if not self._waiting_tone.on(report.port):
            return False
        if report.tone:
            self.end(by_hang_up(CallTag.CALLER_HUNG_UP, []), now)
        return True

    # ---------------------------------------------------------------- before the answer

    def _ringing(self, leg: Leg, event: Ringing, now: float) -> None:
        super()._ringing(leg, event, now)
        self._referral.tell(event.status, event.reason, now)
        if self.adopted and self._early is None and self.facts.alert is not None:
            self._waiting_tone.begin(self.caller.media)

    def _progress(self, leg: Leg, event: Progress, now: float) -> None:
        if event.status == 180:
            self._ringing(leg, Ringing(event.status, event.reason), now)
        self._early = self._early or leg
        if self.adopted and self._early is leg:
            self._connect(leg, answered=False)

    def _early_offered(self, leg: Leg, sdp: bytes, now: float) -> bool:
        if leg is self.caller:
            leg.refuse_reoffer(491, "Request Pending", now)
        else:
            # The caller hears of its new partner by a re-INVITE, whatever it has said meanwhile
            leg.answer_reoffer_for(self.caller.taken_up(), now)
        return True

    def _connect(self, leg: Leg, *, answered: bool) -> None:
        self._waiting_tone.end()
        super()._connect(leg, answered=answered)

    def instead(
        self, leg: Leg, branches: list[Leg], now: float, cause: Cause | None = None
    ) -> None:
        """As in `Call`."""
        if leg is self._early and not self.adopted:
            self._early = None
        super().instead(leg, branches, now, cause)

    def forwarded(self, leg: Leg, branches: list[Leg], now: float) -> None:
        """As in `Call`; who has transferred the caller hears of it."""
        super().forwarded(leg, branches, now)
        self._referral.tell(181, REASONS[181], now)

    def _leg_ended(self, leg: Leg, cause: Cause, now: float) -> None:
        if leg is self._early and not self.adopted:
            self._early = None
        super()._leg_ended(leg, cause, now)

    def _answered(self, leg: Leg, event: Answered, now: float) -> None:
        self._drop_others(leg, now)
        leg.acknowledge(b"", now)
        self._talk(leg, now)
        self.introduce(self.caller, now=now)

    def _talk(self, callee: Leg, now: float) -> None:
        self.callee = callee
        if self._left_s:
            # It has gone on talking, or has been waiting, while the other one rang
            self.limit(at_least(self._left_s - (now - self.facts.setup)))
        self._limits.answered()
        self._referral.tell(200, "OK", now)
        self.adopt(now)
        # Neither may be sent to a port of this very call
        self.caller.media.call = callee.media.call = [self.caller.media, callee.media]
        self._connect(callee, answered=True)
        self.facts.codec = audio_codec(callee.media.last_remote) or ""
        self._note_codecs()
        self._begin_talk(callee, now)
