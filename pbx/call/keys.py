"""Keys that one party of a call presses, told to the other one in the form that it understands."""

from collections.abc import Callable
from dataclasses import dataclass

from pbx.call.events import Dialled
from pbx.call.leg import Leg
from pbx.call.passage import HELD_MS, Passage
from pbx.media import protocol
from pbx.media.session import KeyForm


@dataclass(frozen=True, slots=True)
class _Down:
    """A key that is held down.

    Args:
        digit: it.
        since: when it was pressed.
        hearer: the port by which the engine tells the other party of it as long as it lasts; 0 where
            INFO tells of it when it is let go.
    """

    digit: str
    since: float
    hearer: int = 0


class Keys:
    """Passes them on, each once.

    Args:
        passage: the call's way through the media engine.
        parties: the two that hear each other now; nobody before there is any sound.
        pressed: is told of each key, and who has pressed it.
    """

    def __init__(
        self,
        passage: Passage,
        parties: Callable[[], tuple[Leg, ...]],
        pressed: Callable[[Leg, str, float], None],
    ) -> None:
        self._passage = passage
        self._parties = parties
        self._pressed = pressed
        # By the port of who presses them
        self._down: dict[int, _Down] = {}

    def by_info(self, leg: Leg, key: Dialled, now: float) -> None:
        """Take a key that a party has told of by INFO.

        Args:
            leg: the party.
            key: it.
            now: the time.
        """
        port, digit = leg.media.sound_port, key.digit
        other = next((one for one in self._parties() if one is not leg), None)
        if (
            leg not in self._parties()
            or other is None
            or not self._passage.is_new(port, digit, now)
        ):
            return
        # Tones are for a phone that wouldn't hear of it in any other way
        tones = {KeyForm.INFO: False, KeyForm.INBAND: True}.get(
            other.media.keys, other.usage.keys.taken is not True
        )
        if not self._passage.dial(port, digit, tones=tones, on_ms=key.duration_ms):
            other.usage.keys.send(digit, now, key.duration_ms)
        self._pressed(leg, digit, now)

    def by_sound(self, report: protocol.Digit, now: float) -> bool:
        """Take a key that the engine has heard; False where it is another call's.

        Where sound is converted the packets that told of it end there; where it is passed on, the
        other party gets them.
        """
        port = report.port
        leg = next((one for one in self._parties() if port in one.media.ports), None)
        if leg is None:
            return False
        lost = self._down.pop(port, None)
        if lost is not None:
            # One key at a time: nobody has said when it ended
            self._passage.end_digit(lost.hearer, round((now - lost.since) * 1000))
        if self._passage.is_new_sound(report, now):
            if self._passage.converts(port) and not self._is_heard(report):
                self._tell(port, report.digit, now)
            self._pressed(leg, report.digit, now)
        return True

    def _is_heard(self, report: protocol.Digit) -> bool:
        """Whether a party's partner hears the tone that a key was, and knows keys in no other form."""
        hearer = self._hearer(report.port)
        by_info = hearer is not None and hearer.media.keys is KeyForm.INFO
        return report.inband and not by_info and not self._passage.takes_events(report.port)

    def _tell(self, port: int, digit: str, now: float) -> None:
        """Tell a party's partner of a key that no packet tells it of."""
        hearer = self._hearer(port)
        if hearer is not None and hearer.media.keys is KeyForm.INFO:
            self._down[port] = _Down(digit, now)
            return
        told = self._passage.dial(port, digit, tones=True, on_ms=HELD_MS)
        if told:
            self._down[port] = _Down(digit, now, told)

    def ended(self, report: protocol.DigitEnded, now: float) -> bool:
        """Take note that a key has been let go; False where it is another call's."""
        port = report.port
        if not self._passage.converts(port):
            return False
        down = self._down.get(port)
        if down is None or down.digit != report.digit:
            return True
        del self._down[port]
        hearer = self._hearer(port)
        if down.hearer:
            self._passage.end_digit(down.hearer, report.duration_ms)
        elif hearer is not None:
            hearer.usage.keys.send(down.digit, now, report.duration_ms)
        return True

    def _hearer(self, port: int) -> Leg | None:
        """Return who hears the party with this port."""
        return next((one for one in self._parties() if port not in one.media.ports), None)
