"""A call that goes on with another phone in a party's place: Replaces of an answered one (RFC 3891)."""

from collections.abc import Callable, Collection

from pbx.call.cause import CallTag, by_server
from pbx.call.facts import CallFacts
from pbx.call.fork import Fork
from pbx.call.introduction import Introduction
from pbx.call.leg import Leg
from pbx.call.outputs import Output
from pbx.media import protocol
from pbx.sdp.description import Direction, parse_sdp
from pbx.sdp.offer_answer import fitted
from pbx.sdp.payload import audio_codec
from pbx.sip.timers import TimerQueue


class TakenOver(Introduction):
    """A call of a party that has been talking, and of who has called in to talk with it.

    Args:
        facts, caller, timers, emit, coded, max_duration_s: as for `Call`.
        callee: the other party.
        newcomer: the one of them that has called in, its description already learned.
    """

    def __init__(
        self,
        facts: CallFacts,
        caller: Leg,
        callee: Leg,
        newcomer: Leg,
        timers: TimerQueue,
        emit: Callable[[Output], None],
        coded: Callable[[], Collection[str]],
        *,
        max_duration_s: float,
    ) -> None:
        super().__init__(
            facts, caller, b"", timers, emit, coded, no_answer_s=0, max_duration_s=max_duration_s
        )
        self.callee = callee
        self._fork = Fork([callee])
        self._newcomer = newcomer
        self._kept = callee if newcomer is caller else caller
        self._told_newcomer = b""
        # Neither may be sent to a port of this very call
        caller.media.call = callee.media.call = [caller.media, callee.media]

    def answer(self, now: float) -> None:
        """Answer who has called in with the session that the other party has.

        Raises:
            NoPortsLeft, PeerError: that can't be; nothing has changed.
        """
        theirs, kept = self._newcomer.media.last_remote, self._kept.taken_up()
        self._newcomer.media.reserve()
        self._late_offer = not theirs
        self._told_newcomer = fitted(kept, theirs) if theirs else kept
        newcomer, party = self._newcomer, self._kept.party
        newcomer.answer(self._told_newcomer, newcomer.fork, now, party)

    def begin(self, now: float) -> None:
        """Begin to talk: the party that has been talking is nobody else's any more."""
        assert self.callee is not None
        self.caller.name, self.callee.name = "a", "b1"
        self._begin_talk(self.callee, now)
        if self._late_offer:
            # Nothing is known yet of who has called in
            waiting = (self.caller, self.callee)
            self._tell_engine([one for leg in waiting for one in _idle(leg)])
        else:
            self._join(now)

    def _join(self, now: float) -> None:
        assert self.callee is not None
        self._connect(self.callee, answered=True)
        self.facts.codec = audio_codec(self.callee.media.last_remote) or ""
        self._note_codecs()
        self.introduce(self._kept, now=now)

    def _agreed(self, answer: bytes, now: float) -> None:
        super()._agreed(answer, now)
        told, self._told_newcomer = self._told_newcomer, b""
        if told and _shape(told) != _shape(answer):
            # It holds, or has no video for this one: news to who was answered before it was asked
            self._align(self._newcomer, now, plain=False)

    def _confirmed(self, leg: Leg, sdp: bytes, now: float) -> None:
        if not (self._late_offer and leg is self._newcomer):
            super()._confirmed(leg, sdp, now)
            return
        self._late_offer = False
        if sdp:
            self._join(now)
            self._offer_held(now)
        else:
            # RFC 3264 §4: an offer without an answer leaves no session
            self.end(by_server(CallTag.REQUEST_UNUSABLE), now)


def _shape(sdp: bytes) -> list[tuple[bool, Direction]]:
    """Which media there are, and which way they go."""
    description = parse_sdp(sdp)
    return [(bool(one.port), description.direction(one)) for one in description.media]


def _idle(leg: Leg) -> list[protocol.Stream]:
    """A party's streams, which go to nobody."""
    return [*leg.media.ready(None, wait=False)]
