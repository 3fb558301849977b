"""The ways to a number outside, tried in turn: a line that can't take a call isn't its end."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pbx.call.call import Call
from pbx.call.cause import LINES_FULL, CallTag, Cause, by_server
from pbx.call.conversation import Conversation
from pbx.call.events import Ended
from pbx.call.invitation import Asking
from pbx.call.leg import Leg, Target
from pbx.call.reach import Reached
from pbx.call.summons import Summons
from pbx.sip.invite_uac import Outgoing
from pbx.sip.timers import TimerQueue

if TYPE_CHECKING:
    from pbx.call.exchange import Exchange

PATIENCE_S = 3.0
"""How long an INVITE by a line may be without any answer before the next line has its turn."""

_OF_THE_LINE = frozenset({401, 403, 407, 408})
"""Refusals below 500 that say something of the line: it doesn't take our password or our calls, or
nothing came of it."""

_OF_THE_CALLEE = frozenset({1, 16, 17, 18, 19, 20, 21, 22, 28, 31})
"""Q.850 causes that say of the called party what another line wouldn't change, whatever status they
come with."""

_OF_THE_NETWORK = frozenset({27, 34, 38, 41, 42, 44, 47, 58})
"""Q.850 causes that say that the network can't do it now."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """What is left for a leg that comes to nothing.

    Args:
        asking: what each INVITE says.
        groups: what is still to be tried, in turn.
    """

    asking: Asking
    groups: tuple[tuple[Target, ...], ...]


class Ways:
    """Sends calls by the first line that takes them.

    Args:
        exchange: whose calls they are.
        timers: the exchange's timers.
    """

    def __init__(self, exchange: "Exchange", timers: TimerQueue) -> None:
        self._exchange = exchange
        self._timers = timers
        self._silent: dict[str, Leg] = {}
        self._ahead: dict[Leg, Ahead] = {}
        # Why nothing could be opened the last time
        self._refusal = LINES_FULL

    def ring(self, call: Call | Summons, asking: Asking, reached: Reached, now: float) -> None:
        """Send a call's first INVITEs.

        Args:
            call: which has none yet.
            asking: what they say beside the offer.
            reached: where the number leads: somewhere.
            now: the time.
        """
        branches = self.open(call, asking, reached, now)
        if branches:
            call.ring(branches, now)
        else:
            call.end(self._refusal, now)
        self._exchange.prepare_ports()

    def open(self, call: Call | Summons, asking: Asking, reached: Reached, now: float) -> list[Leg]:
        """Send the INVITEs for the first of `reached` that can be tried now; arguments as `ring`."""
        call.facts.emergency = call.facts.emergency or reached.emergency
        call.limit(reached.max_duration_s)
        return self._open(call, asking, (reached.targets, *reached.otherwise), now)

    def _open(
        self,
        call: Call | Summons,
        asking: Asking,
        groups: tuple[tuple[Target, ...], ...],
        now: float,
    ) -> list[Leg]:
        self._refusal = LINES_FULL
        for place, group in enumerate(groups, start=1):
            manner = group[0].manner if group else None
            if manner is not None and not self._room(call, manner.line, now):
                call.facts.route += f"; line {manner.line} is full"
                continue
            branches = self._invited(call, asking, group, now)
            if not branches:
                self._refusal = by_server(CallTag.LIMIT)
                break
            if manner is not None:
                self._begin(call, branches[0], Ahead(asking, groups[place:]), now)
            return branches
        return []

    def _invited(
        self, call: Call | Summons, asking: Asking, group: tuple[Target, ...], now: float
    ) -> list[Leg]:
        branches = self._sent(call, asking, group, now)
        if not branches and call.facts.emergency and self._give_way("", now):
            # There was no port left
            branches = self._sent(call, asking, group, now)
        return branches

    def _sent(
        self, call: Call | Summons, asking: Asking, group: tuple[Target, ...], now: float
    ) -> list[Leg]:
        if isinstance(call, Summons):
            return self._exchange.invitations.summoned(call, asking, group, now)
        return self._exchange.invitations.branches(call, asking, group, now)

    def _room(self, call: Call | Summons, line: str, now: float) -> bool:
        """Whether a line takes one more call; an emergency call is made room for."""
        exchange = self._exchange
        room = exchange.outside.room(line)
        if exchange.capacity.takes(line, most=room.most, most_outgoing=room.most_outgoing):
            return True
        if call.facts.emergency:
            self._give_way(line, now)
        return call.facts.emergency

    def _give_way(self, line: str, now: float) -> bool:
        """End a call for an emergency call; False where there is none to end."""
        other = self._exchange.capacity.to_end_for(line)
        if other is not None:
            other.end(by_server(CallTag.PREEMPTED), now)
        return other is not None

    def _begin(self, call: Call | Summons, leg: Leg, ahead: Ahead, now: float) -> None:
        self._ahead[leg] = ahead
        line = leg.party.line
        call.facts.called_line = line
        call.facts.route += f"; by line {line}"
        name = f"{call.facts.id} {leg.name}"
        self._silent[name] = leg
        self._timers.set((self, name), now + PATIENCE_S)

    # ---------------------------------------------------------------- what becomes of it

    def timer_fired(self, name: str, now: float) -> None:
        """Go on to the next line where nobody has said anything."""
        leg = self._silent.pop(name)
        usage, ahead = leg.usage, self._ahead.get(leg)
        if leg.ended or not isinstance(usage, Outgoing) or not usage.unheard:
            return
        self._exchange.outside.unanswered(leg.party.line, now)
        if ahead is not None and ahead.groups:
            call = self._exchange.call_of(leg)
            cause = by_server(CallTag.CALLEE_UNREACHABLE)
            leg.hang_up(cause, now)
            if not self.ended(leg, cause, now):
                call.receive(leg, Ended(cause), now)

    def ended(self, leg: Leg, cause: Cause, now: float) -> bool:
        """Go on to the next line, where a leg has ended for what is no matter of the called party.

        Returns:
            False where the call is to hear of the end.
        """
        ahead = self._ahead.pop(leg, None)
        call = self._exchange.call_of(leg)
        if ahead is None or isinstance(call, Conversation) or call.callee is not None or call.ended:
            return False
        if call.facts.alert is not None or not of_the_line(cause):
            return False
        call.facts.route += f"; {why(cause)}"
        if not ahead.groups:
            return False
        branches = self._open(call, ahead.asking, ahead.groups, now)
        if not branches:
            return False
        call.instead(leg, branches, now, cause)
        self._exchange.prepare_ports()
        return True

    def forget(self, leg: Leg) -> None:
        """Take note that a leg's call is over."""
        self._ahead.pop(leg, None)


def of_the_line(cause: Cause) -> bool:
    """Whether an end says something of the line by which a party was called, not of the party."""
    if not cause.heard:
        return cause.tag in (CallTag.CALLEE_UNREACHABLE, CallTag.TRANSPORT_FAILED)
    if cause.heard >= 600 or cause.told in _OF_THE_CALLEE:
        return False
    return cause.heard >= 500 or cause.heard in _OF_THE_LINE or cause.told in _OF_THE_NETWORK


def why(cause: Cause) -> str:
    """Return in a few words why a line hasn't taken a call."""
    if cause.heard:
        return f"it says {cause.heard}"
    return "no answer" if cause.tag is CallTag.CALLEE_UNREACHABLE else "no connection"
