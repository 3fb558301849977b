"""The first part of a call that we make: a user's own phones ring, for a call that the user has asked
for elsewhere (RFC 5359 §2.18), or whom a service of ours calls."""

from collections.abc import Callable, Iterator

from pbx.call.cause import CallTag, Cause, by_hang_up, by_server
from pbx.call.changes import Successor
from pbx.call.events import Answered, Ended, LegEvent, Texted
from pbx.call.facts import CallFacts
from pbx.call.fork import Fork
from pbx.call.journal import CallState
from pbx.call.leg import Leg
from pbx.call.outputs import CallChanged, CallEnded, MediaCommands, Output
from pbx.call.party import Party
from pbx.call.time_limits import NO_ANSWER, shortest
from pbx.media import protocol
from pbx.sip.referral import Referral
from pbx.sip.timers import TimerQueue


class Summons:
    """The first part of a call: nobody is rung yet but who wants it.

    Args:
        facts: of the whole call; kept up to date here.
        party: who wants it.
        referral: who wants it, and is told what becomes of it; None for a service of ours.
        timers: the exchange's timers.
        emit: takes what is to be done or published.
        answered: goes on with the phone that has answered.
        no_answer_s: how long the phones ring; 0 for ever.
    """

    def __init__(
        self,
        facts: CallFacts,
        party: Party,
        referral: Referral | None,
        timers: TimerQueue,
        emit: Callable[[Output], None],
        answered: Callable[["Summons", Leg, float], None],
        *,
        no_answer_s: float,
    ) -> None:
        self.facts = facts
        self.party = party
        self.referral = referral
        self.ended = False
        self.answer = b""
        """The description that the phone has answered with."""
        self.successor: Successor | None = None
        self._timers = timers
        self._emit = emit
        self._answered = answered
        self._no_answer_s = no_answer_s
        self._fork = Fork([])
        self._gone: Leg | None = None

    recording = False

    def state(self) -> CallState | None:
        """None: the journal keeps no call that rings."""
        return None

    @property
    def legs(self) -> Iterator[Leg]:
        """The user's phones, but for one that another call has now."""
        return (leg for leg in self._fork.branches if leg is not self._gone)

    @property
    def sound_ports(self) -> tuple[int, int]:
        """No sound is worth a count; see `CallEnded`."""
        return 0, 0

    @property
    def callee(self) -> Leg | None:
        """The phone that has answered, and that another call has now; None before that."""
        return self._gone

    @property
    def places(self) -> int:
        """How many phones have been rung."""
        return len(self._fork.branches)

    def limit(self, max_duration_s: float) -> None:
        """Let the call last no longer than that; 0 changes nothing."""
        self.facts.max_duration_s = shortest(self.facts.max_duration_s, max_duration_s)

    def ring(self, branches: list[Leg], now: float) -> None:
        """Wait for an answer of any of `branches`, whose INVITEs have been sent."""
        self._fork = Fork(branches)
        self._ring(branches, now)

    def instead(self, leg: Leg, branches: list[Leg], now: float, cause: Cause) -> None:
        """Ring `branches`, whose INVITEs have been sent, instead of a line that has failed.

        Args:
            leg: what has ended.
            branches: what rings now.
            now: the time.
            cause: why it has ended.
        """
        self._release(leg)
        self._fork.failed(cause)
        self._fork.branches += branches
        self._ring(branches, now)

    def _ring(self, branches: list[Leg], now: float) -> None:
        self._emit(CallChanged(self.facts))
        self._tell_engine([one for leg in branches for one in leg.media.ready(None, wait=False)])
        limit_s = branches[0].no_answer_s or self._no_answer_s
        if limit_s:
            self._timers.set((self, NO_ANSWER), now + limit_s)

    def receive(self, leg: Leg, event: LegEvent, now: float) -> None:
        """Take what a phone says."""
        if self.ended:
            return
        match event:
            case Answered():
                self.answer = event.sdp
                self._timers.cancel((self, NO_ANSWER))
                self._drop(now, by_hang_up(CallTag.CALLEE_HUNG_UP, []), leg)
                leg.acknowledge(b"", now)
                self._answered(self, leg, now)
            case Texted():
                event.text.answer(403, "Only In An Answered Call", now)
            case Ended():
                self._release(leg)
                self._fork.failed(event.cause)
                if self._fork.settled:
                    self.end(self._fork.best_failure(), now)

    def hand_over(self, leg: Leg) -> None:
        """Leave the rest of the call, and its record, to another one that `leg` is of now."""
        self._gone, self.ended = leg, True

    def timer_fired(self, name: str, now: float) -> None:
        """Give the phones up that nobody answers."""
        self.end(by_server(CallTag.NO_ANSWER), now)

    def end(self, cause: Cause, now: float) -> None:
        """Release every phone, and close the facts."""
        if self.ended:
            return
        self.ended = True
        self._timers.cancel((self, NO_ANSWER))
        self._drop(now, cause)
        if self.referral is not None:
            self.referral.tell(cause.status, cause.reason, now)
        self.facts.cause = cause
        self.facts.release = now
        self._emit(CallEnded(self.facts))

    def reported(self, report: protocol.SoundReport, now: float) -> bool:
        """False: nothing is heard yet."""
        return False

    def _drop(self, now: float, cause: Cause, kept: Leg | None = None) -> None:
        for leg in self._fork.ringing:
            if leg is not kept and leg is not self._gone:
                leg.hang_up(cause, now)
                self._release(leg)

    def _release(self, leg: Leg) -> None:
        ports = leg.media.close()
        if ports:
            self._tell_engine([protocol.Release(ports)])

    def _tell_engine(self, commands: list[protocol.Command]) -> None:
        if commands:
            self._emit(MediaCommands(commands))
