"""A call of two parties that had been talking with others: each is told of its new partner.

They stay in their dialogs and get the other one's session by re-INVITE.
"""

from collections.abc import Callable, Collection

from pbx.call.call import Call
from pbx.call.cause import Cause
from pbx.call.changes import Reoffer
from pbx.call.events import MediaRefused
from pbx.call.facts import CallFacts
from pbx.call.leg import Leg
from pbx.call.outputs import Output
from pbx.errors import PeerError
from pbx.media.session import NoPortsLeft
from pbx.sip.timers import TimerQueue

_AGAIN_S = 0.5
"""After how long a session that couldn't be changed just now is tried again."""


class Introduction(Call):
    """A call whose parties, or one of them, come from another call; arguments as for `Call`."""

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
        super().__init__(
            facts,
            caller,
            offer,
            timers,
            emit,
            coded,
            no_answer_s=no_answer_s,
            max_duration_s=max_duration_s,
        )
        self._to_tell: list[Leg] = []

    def introduce(self, *parties: Leg, now: float) -> None:
        """Tell these parties, one after the other, of whom they talk with now."""
        self._to_tell = [*parties]
        self._tell_next(now)

    def timer_fired(self, name: str, now: float) -> None:
        """As in `Call`; and tell a party of its new partner that was busy."""
        if name != "tell":
            super().timer_fired(name, now)
        elif not self.ended:
            self._tell_next(now)

    def end(self, cause: Cause, now: float) -> None:
        """As in `Call`."""
        self._timers.cancel((self, "tell"))
        super().end(cause, now)

    def _tell_next(self, now: float) -> None:
        """Offer the next party what its new partner has said."""
        if not self._to_tell:
            return
        if self._reoffer is not None:
            self._timers.set((self, "tell"), now + _AGAIN_S)
            return
        leg = self._to_tell[0]
        other = self.caller if leg is self.callee else self.callee
        assert other is not None
        try:
            if leg.reoffer(other.taken_up(), now, party=other.party):
                self._reoffer = Reoffer(None, leg, late=False)
                return
        except (NoPortsLeft, PeerError):
            # It goes on with the session that it has
            leg.restore()
            self._told(leg, now)
            return
        self._timers.set((self, "tell"), now + _AGAIN_S)

    def _media_answered(self, leg: Leg, sdp: bytes, now: float) -> None:
        change = self._reoffer
        if change is None or (change.asker is None and change.other is not leg):
            # To what the party was offered in the call before
            leg.acknowledge(b"", now)
            self._to_tell = [*self._to_tell, *([] if leg in self._to_tell else [leg])]
            self._tell_next(now)
            return
        if change.asker is not None or leg not in self._to_tell:
            super()._media_answered(leg, sdp, now)
            return
        self._reoffer = None
        leg.acknowledge(b"", now)
        if len(self._to_tell) == 1:
            self._to_tell = []
            self._agreed(sdp, now)
        else:
            self._told(leg, now)

    def _media_refused(self, leg: Leg, event: MediaRefused, now: float) -> None:
        change = self._reoffer
        ours = change is not None and change.asker is None and change.other is leg
        if not ours or leg not in self._to_tell:
            super()._media_refused(leg, event, now)
            return
        self._reoffer = None
        leg.restore()
        if event.status == 491:
            # §14.1: both wanted a change at once
            self._timers.set((self, "tell"), now + leg.usage.glare_wait_s)
        else:
            self._told(leg, now)

    def _told(self, leg: Leg, now: float) -> None:
        self._to_tell.remove(leg)
        if self.callee is not None:
            self._connect(self.callee, answered=True)
        self._tell_next(now)
