"""Calls that the exchange itself makes: a service of ours calls a number."""

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from pbx.call.call import LINGER_S
from pbx.call.cause import CallTag, by_server
from pbx.call.facts import CallFacts
from pbx.call.invitation import Asking
from pbx.call.leg import Leg, Target
from pbx.call.outputs import Output
from pbx.call.party import Party
from pbx.call.summons import Summons
from pbx.media import endpoint
from pbx.media.session import NoPortsLeft
from pbx.routing.services import ServiceNumber
from pbx.sip.timers import TimerQueue

if TYPE_CHECKING:
    from pbx.call.exchange import Exchange


OWN_CALL = "a call of our own, come back"
"""The route of one that `DialOut.expected` knows."""


class DialOut:
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
        self.expected: Callable[[Party, str], ServiceNumber | None] = lambda by, dialed: None
        """What is to answer a call of this party, to this number, that one of ours has become; set by
        whoever makes them."""

    def call(
        self, service: ServiceNumber, party: Party, target: Target, route: str, now: float
    ) -> CallFacts:
        """Let a service call a target, and begin when it has answered.

        Args:
            service: which.
            party: who calls, as the callee is shown it.
            target: the phone, or the way outside.
            route: why, for people.
            now: the time.

        Returns:
            The call's facts, kept up to date; the call is over where it couldn't begin.
        """
        exchange = self._exchange
        facts = CallFacts(
            id=exchange.token(),
            call_id="",
            caller_number=service.number,
            dialed_number=target.number,
            setup=now,
            called_number=target.number,
            route=route,
            called_line=target.manner.line if target.manner is not None else "",
        )
        limit_s = exchange.settings.calls.no_answer_s

        def answered(summons: Summons, leg: Leg, now: float) -> None:
            summons.hand_over(leg)
            self._timers.set((summons, "forget"), now + LINGER_S)
            # It is the same call
            exchange.calls_total -= 1
            facts.called_addr = leg.address
            exchange.new_conversation(facts, leg, service).go_on(summons.answer, now)

        summons = Summons(
            facts, party, None, self._timers, self._emit, answered, no_answer_s=limit_s
        )
        exchange.calls[facts.id] = summons
        exchange.calls_total += 1
        leg: Leg | None = None
        with suppress(NoPortsLeft):
            if exchange.coded:
                own = endpoint.description(b"", exchange.coded, target.flow.local.host)
                leg = exchange.invitations.branch(
                    "b1", Asking(party), target, own, [], now, plain=True
                )
        if leg is None:
            summons.end(by_server(CallTag.LIMIT), now)
            return facts
        facts.call_id = leg.usage.key[0]
        exchange.add(summons, leg)
        summons.ring([leg], now)
        exchange.prepare_ports()
        return facts
