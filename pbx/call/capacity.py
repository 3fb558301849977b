"""How many calls a user and a line have at the moment, and whether one more may be begun."""

from collections.abc import Iterable, Mapping

from pbx.call.any_call import AnyCall
from pbx.call.call import Call
from pbx.call.leg import Leg

UNLIMITED = -1


class Capacity:
    """Counts what runs: nothing is kept, so nothing can be counted wrong.

    Args:
        calls: the exchange's, by id.
    """

    def __init__(self, calls: Mapping[str, AnyCall]) -> None:
        self._calls = calls

    def of_line(self, line: str) -> tuple[int, int]:
        """Return how many calls have come in by a line, and how many have gone out."""
        incoming = outgoing = 0
        for call in self._running():
            for leg in _alive(call.legs):
                if leg.party.line == line:
                    incoming, outgoing = incoming + (not leg.called), outgoing + leg.called
        return incoming, outgoing

    def of_user(self, number: str, leaving: AnyCall | None = None) -> tuple[int, int]:
        """Return how many calls a local user takes part in, or is rung by, and makes.

        What it has transferred or its phone has forwarded outside it makes, though it takes no part in it.

        Args:
            number: the user.
            leaving: a call that the user is about to leave.
        """
        every = made = 0
        for call in self._running():
            if call is leaving:
                continue
            legs = [leg for leg in _alive(call.legs) if not leg.party.line and leg.number == number]
            every += bool(legs)
            made += any(_makes(call, leg) for leg in legs) or _sent_on(call, number)
        return every, made

    def takes(self, line: str, *, most: int, most_outgoing: int = -1) -> bool:
        """Whether one more call may go out by a line; -1 for no limit."""
        incoming, outgoing = self.of_line(line)
        return _below(incoming + outgoing, most) and _below(outgoing, most_outgoing)

    def takes_incoming(self, line: str, *, most: int, most_incoming: int) -> bool:
        """Whether one more call may come in by a line; -1 for no limit."""
        incoming, outgoing = self.of_line(line)
        return _below(incoming + outgoing, most) and _below(incoming, most_incoming)

    def user_may_call(
        self, number: str, *, most: int, most_outgoing: int, leaving: AnyCall | None = None
    ) -> bool:
        """Whether a local user may make one more call, `leaving` another one; -1 for no limit."""
        every, made = self.of_user(number, leaving)
        return _below(every, most) and _below(made, most_outgoing)

    def user_may_be_called(self, number: str, *, most: int) -> bool:
        """Whether a local user may be called; -1 for no limit."""
        return _below(self.of_user(number)[0], most)

    def to_end_for(self, line: str) -> AnyCall | None:
        """Return the call that gives way to an emergency call: the newest, one that rings before.

        Args:
            line: by which the emergency call is to go; empty for any: the ports are all taken.

        Returns:
            None where there is none but emergency calls.
        """
        having = [
            call
            for call in self._running()
            if not call.facts.emergency
            and (not line or any(leg.party.line == line for leg in _alive(call.legs)))
        ]
        return max(
            having, key=lambda call: (call.facts.talk is None, call.facts.setup), default=None
        )

    def _running(self) -> Iterable[AnyCall]:
        return [call for call in self._calls.values() if not call.ended]


def _makes(call: AnyCall, leg: Leg) -> bool:
    """Whether a party makes a call: by its own phone, or by one that we have called first for it.

    The second is click to dial. Who has become the caller by a transfer makes nothing.
    """
    asked_for = isinstance(call, Call) and leg is call.caller and not call.facts.transferred_by
    return asked_for or not leg.called


def _sent_on(call: AnyCall, number: str) -> bool:
    """Whether a call is outside, or on its way there, because a local user has sent it there."""
    return any(
        number in (leg.forwarder, call.facts.transferred_by)
        for leg in _alive(call.legs)
        if leg.party.line and leg.called
    )


def _alive(legs: Iterable[Leg]) -> list[Leg]:
    return [leg for leg in legs if not leg.ended]


def _below(count: int, most: int) -> bool:
    return most == UNLIMITED or count < most
