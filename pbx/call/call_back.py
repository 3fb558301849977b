"""Call-back: an application server has two parties called, one after the other, and joined.

The first party is called; when it has answered, the second one; when that has, both talk. Each is a
call with a record of its own: the second one's caller is the first party.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pbx.call.cause import CallTag, Cause, by_server
from pbx.call.events import LegEvent, Progress, Ringing
from pbx.call.facts import CallFacts
from pbx.call.invitation import Asking
from pbx.call.leg import Leg
from pbx.call.outputs import CallChanged, Output
from pbx.call.party import Party
from pbx.call.summons import Summons
from pbx.call.time_limits import MAX_DURATION, shortest
from pbx.errors import PeerError
from pbx.sdp.payload import audio_codec
from pbx.sip.timers import TimerQueue

if TYPE_CHECKING:
    from pbx.call.exchange import Exchange

LINE = "call-back"
"""What stands in the place of the line by which the first call's caller is reached: it is nobody
here, though its number may be a local user's."""

NOBODY = "anonymous"
"""Of `Wish.callers`: the party is shown no number."""

_SEEN_FROM_THE_FIRST_CALL = {
    CallTag.CALLER_CANCELLED: CallTag.CALLEE_HUNG_UP,
    CallTag.CALLER_HUNG_UP: CallTag.CALLEE_HUNG_UP,
    CallTag.CALLER_TRANSFERRED: CallTag.CALLEE_TRANSFERRED,
    CallTag.CALLEE_REJECTED: CallTag.CALLER_HUNG_UP,
    CallTag.CALLEE_HUNG_UP: CallTag.CALLER_HUNG_UP,
    CallTag.CALLEE_UNREACHABLE: CallTag.CALLER_HUNG_UP,
    CallTag.CALLEE_TRANSFERRED: CallTag.CALLER_TRANSFERRED,
}
"""Who is the second call's caller is the first one's callee; its own caller is the second party."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What an application server wants.

    Args:
        id: its name for it.
        called: the numbers of both parties, as a local user would dial them.
        callers: what each is shown as the caller's number, or `NOBODY`; empty: the first party sees
            nobody's, the second one the first one's.
        call_level: which numbers it may call, as a local user's.
        max_duration_s: the longest time from the first party's answer; 0 for no limit of its own.
        timeout_s: how long each party may ring; 0 for as long as any call.
    """

    id: str
    called: tuple[str, str]
    callers: tuple[str, str] = ("", "")
    call_level: int = 0
    max_duration_s: float = 0.0
    timeout_s: float = 0.0


@dataclass(slots=True, eq=False)
class CallBack:
    """One call-back.

    Args:
        wish: what is wanted.
        first: the first party's call.
        second: the second party's; None while there is none.
        cause: why it is over: the second call's end, or the first one's where there was no other.
    """

    wish: Wish
    first: "FirstCall" = field(repr=False)
    second: CallFacts | None = None
    cause: Cause | None = None

    @property
    def over(self) -> bool:
        """Whether both calls have ended."""
        return self.first.ended

    @property
    def talked(self) -> bool:
        """Whether both parties have answered."""
        return self.second is not None and self.second.talk is not None

    @property
    def released_by(self) -> str:
        """``caller`` (the first party), ``callee`` (the second), ``as``, ``server`` or ``network``."""
        if self.cause is None:
            return ""
        if self.cause.tag is CallTag.APPLICATION_SERVER:
            return "as"
        who = self.cause.tag.released_by
        return "caller" if who == "callee" and self.second is None else who

    def tell(self, status: int, reason: str, now: float) -> None:
        """Hear what becomes of the second call: its end is told by `CallBacks.ended`."""


class FirstCall(Summons):
    """The first party's call, which lasts as long as the second one; arguments as for `Summons`.

    Args:
        end_second: ends the second call.
    """

    def __init__(
        self,
        facts: CallFacts,
        party: Party,
        timers: TimerQueue,
        emit: Callable[[Output], None],
        answered: Callable[[Summons, Leg, float], None],
        end_second: Callable[[Cause, float], None],
        *,
        no_answer_s: float,
    ) -> None:
        super().__init__(facts, party, None, timers, emit, answered, no_answer_s=no_answer_s)
        self._end_second = end_second

    def receive(self, leg: Leg, event: LegEvent, now: float) -> None:
        """As in `Summons`; the record tells when the party's phone rang."""
        if self.callee is not None:
            # What the phones say that have lost
            return
        match event:
            case Ringing(status=180) | Progress(status=180) if self.facts.alert is None:
                self.facts.alert = now
                self._emit(CallChanged(self.facts))
        super().receive(leg, event, now)

    def hand_over(self, leg: Leg) -> None:
        """Leave the phone to the second call, but go on."""
        self._gone = leg

    def timer_fired(self, name: str, now: float) -> None:
        """As in `Summons`; or the time that it may last has run out."""
        if name == MAX_DURATION:
            self.end(by_server(CallTag.MAX_DURATION), now)
        else:
            super().timer_fired(name, now)

    def last(self, until: float) -> None:
        """End it at that time at the latest."""
        self._timers.set((self, MAX_DURATION), until)

    def end(self, cause: Cause, now: float) -> None:
        """End both calls."""
        if self.ended:
            return
        if self.callee is not None:
            # Whose end is this one's, too
            self._end_second(cause, now)
        if not self.ended:
            self.close(cause, now)

    def close(self, cause: Cause, now: float) -> None:
        """End this call, for what has ended the second one."""
        self._timers.cancel((self, MAX_DURATION))
        super().end(cause, now)


class CallBacks:
    """Makes them.

    Args:
        exchange: whose calls they are.
        timers: the exchange's timers.
        emit: takes what is to be done or published.
    """

    def __init__(
        self, exchange: "Exchange", timers: TimerQueue, emit: Callable[[Output], None]
    ) -> None:
        self._exchange = exchange
        self._timers = timers
        self._emit = emit
        self._by_call: dict[str, CallBack] = {}
        self.over: Callable[[CallBack, float], None] = lambda back, now: None
        """Told of each that has begun, and is over; set by whoever asks for them."""

    def begin(self, wish: Wish, now: float) -> CallBack:
        """Call the first party.

        Returns:
            The call-back; it is over already where its number leads nowhere.
        """
        exchange, dialed = self._exchange, wish.called[0]
        caller = _party(wish, wish.callers[0])
        reached = exchange.reach(dialed, caller, now)
        facts = CallFacts(
            id=exchange.token(),
            call_id="",
            caller_number=caller.number or NOBODY,
            dialed_number=reached.dialed,
            setup=now,
            called_number=reached.number,
            route=f"call-back {wish.id}, first call; {reached.route}",
            caller_line=LINE,
        )
        first = FirstCall(
            facts,
            caller,
            self._timers,
            self._emit,
            lambda summons, leg, now: self._answered(back, leg, now),
            lambda cause, now: self._end_second(back, cause, now),
            no_answer_s=wish.timeout_s or exchange.settings.calls.no_answer_s,
        )
        back = CallBack(wish, first)
        exchange.calls[facts.id] = first
        exchange.calls_total += 1
        refusal = reached.refusal
        if reached.service is not None:
            # Nobody would answer who can be called
            refusal = by_server(CallTag.NO_ROUTE)
        elif not exchange.coded:
            # Without an engine there is nobody who could offer a session
            refusal = by_server(CallTag.LIMIT)
        if refusal is not None:
            first.end(refusal, now)
        else:
            exchange.ways.ring(first, Asking(caller), reached, now)
            facts.call_id = next((leg.usage.key[0] for leg in first.legs), "")
        if first.ended:
            back.cause = facts.cause
        else:
            self._by_call[facts.id] = back
        return back

    def cancel(self, back: CallBack, now: float) -> None:
        """End it for who has asked for it."""
        back.first.end(by_server(CallTag.APPLICATION_SERVER), now)

    def _answered(self, back: CallBack, leg: Leg, now: float) -> None:
        """Go on with the first party, which has answered: call the second one."""
        exchange, first, wish = self._exchange, back.first, back.wish
        facts = first.facts
        facts.talk = now
        facts.called_number, facts.called_line = leg.number, leg.party.line
        facts.called_addr = leg.address
        facts.codec = audio_codec(first.answer) or ""
        self._emit(CallChanged(facts))
        limit_s = shortest(wish.max_duration_s, facts.max_duration_s, leg.max_duration_s)
        if limit_s and not facts.emergency:
            first.last(now + limit_s)
        # The first leg's line has done what it had to
        exchange.ways.forget(leg)
        caller = _party(wish, wish.callers[1] or leg.number, leg.party.name)
        reached = exchange.reach(wish.called[1], caller, now)
        dialog = leg.usage.dialog
        second = back.second = CallFacts(
            id=exchange.token(),
            call_id=dialog.call_id if dialog is not None else "",
            caller_number=leg.number,
            dialed_number=reached.dialed,
            setup=now,
            called_number=reached.number,
            caller_addr=leg.address,
            route=f"call-back {wish.id}, second call; {reached.route}",
            caller_line=leg.party.line,
        )
        self._by_call[second.id] = back
        refusal = reached.refusal
        if refusal is None and reached.service is not None:
            refusal = exchange.unserved(reached.service)
            if refusal is None:
                second.max_duration_s = reached.max_duration_s
                exchange.click_to_dial.leave(first, leg, now)
                exchange.new_conversation(second, leg, reached.service).take_over(now)
                return
        try:
            call = exchange.transfers.begin(second, leg, first, back, wish.timeout_s)
        except PeerError:
            back.second = None
            del self._by_call[second.id]
            first.end(by_server(CallTag.REQUEST_UNUSABLE), now)
            return
        call.adopt(now)
        if refusal is not None:
            call.end(refusal, now)
        else:
            exchange.ways.ring(call, Asking(caller), reached, now)

    def _end_second(self, back: CallBack, cause: Cause, now: float) -> None:
        call = self._exchange.calls.get(back.second.id) if back.second is not None else None
        if call is not None:
            call.end(cause, now)

    def ended(self, facts: CallFacts) -> None:
        """Take note that a call has ended: of a call-back, perhaps."""
        back = self._by_call.pop(facts.id, None)
        if back is None or facts.release is None or facts.cause is None:
            return
        if back.cause is None:
            back.cause = facts.cause
        if facts is back.second:
            back.first.close(_seen_from_the_first(facts.cause), facts.release)
        else:
            self.over(back, facts.release)


def _party(wish: Wish, number: str, name: str = "") -> Party:
    """Who calls; nobody that is shown where there is no number."""
    if number in ("", NOBODY):
        return Party("", hidden=True, call_level=wish.call_level)
    return Party(number, name, call_level=wish.call_level)


def _seen_from_the_first(cause: Cause) -> Cause:
    tag = _SEEN_FROM_THE_FIRST_CALL.get(cause.tag, cause.tag)
    return cause if tag is cause.tag else replace(cause, tag=tag, heard=0, told=None, said="")
