"""Test calls by a line: a tone calls a number, and an echo answers where it comes back."""

from dataclasses import dataclass

from pbx.call.any_call import AnyCall
from pbx.call.dial_out import OWN_CALL
from pbx.call.exchange import Exchange
from pbx.call.facts import CallFacts
from pbx.call.party import Party
from pbx.config.line import Line
from pbx.routing.number_format import formatted
from pbx.routing.origin import Way
from pbx.routing.services import ServiceNumber

ROUTE = "test call of the line doctor"

TONE = ServiceNumber("milliwatt", "*doctor")
ECHO = ServiceNumber("echo", "*doctor")

_TAIL = 6
"""So many last digits tell a number, however its beginning is written."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A test call: the doctor's `TrialCall`.

    Args:
        exchange: whose call it is.
        line: by which it went.
        number: as the person gave it.
        sender: who calls, as the line was told it.
        facts: the call's.
    """

    exchange: Exchange
    line: Line
    number: str
    sender: str
    facts: CallFacts

    @property
    def call_id(self) -> str:
        """Of our INVITE."""
        return self.facts.call_id

    @property
    def answered(self) -> bool:
        """Somebody has answered it."""
        return self.facts.talk is not None

    @property
    def ended(self) -> bool:
        """It is over."""
        return self.facts.release is not None

    @property
    def ports(self) -> tuple[int, int]:
        """Of its sound, and of the call that came back; 0 for none."""
        call = self.exchange.calls.get(self.facts.id)
        back = next((one.sound_ports[0] for one in self._back), 0)
        return (call.sound_ports[0] if call is not None else 0), back

    def hang_up(self, now: float) -> None:
        """End it, and the one that came back."""
        for call_id in [self.facts.id, *(one.facts.id for one in self._back)]:
            self.exchange.hang_up(call_id, now)

    @property
    def _back(self) -> list[AnyCall]:
        name = self.line.name
        calls = self.exchange.calls.values()
        return [
            one for one in calls if (one.facts.route, one.facts.caller_line) == (OWN_CALL, name)
        ]

    def comes_back(self, by: Party, dialed: str) -> bool:
        """Whether a call is this one: by the same line, to our number, and from ourselves.

        Anybody else's call in that moment is to ring as ever.
        """
        ours = _same(by.number, self.number) or _same(by.number, self.sender)
        return by.line == self.line.name and not self.ended and _same(dialed, self.number) and ours


class Trials:
    """Makes test calls, one at a time.

    Args:
        exchange: whose calls they are.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._trial: Trial | None = None
        exchange.dial_out.expected = self._expected

    def call(self, line: Line, number: str, now: float) -> Trial | None:
        """Call a number by a line; None where there is no way out by it, or no room."""
        exchange = self._exchange
        room = exchange.outside.room(line.name)
        if not exchange.capacity.takes(line.name, most=room.most, most_outgoing=room.most_outgoing):
            return None
        sender = line.caller_number or line.user
        way = Way(line.name, formatted(number, line, line.number_format), sender)
        target = exchange.outside.target(way, number, hidden=False, now=now)
        if target is None:
            return None
        facts = exchange.dial_out.call(TONE, Party(sender), target, ROUTE, now)
        self._trial = Trial(exchange, line, number, sender, facts)
        return self._trial

    def _expected(self, by: Party, dialed: str) -> ServiceNumber | None:
        trial = self._trial
        return ECHO if trial is not None and trial.comes_back(by, dialed) else None


def _same(one: str, other: str) -> bool:
    tails = ["".join(filter(str.isdigit, text))[-_TAIL:] for text in (one, other)]
    return bool(tails[0]) and tails[0] == tails[1]
