"""The way between two phones through the media engine: passed on as it comes, or converted."""

from collections.abc import Callable, Iterable

from pbx.media import codecs, protocol
from pbx.media.conversion import voices
from pbx.media.session import LegMedia, bridge

_ON_MS = 80
_OFF_MS = 60
"""Of a digit that is passed on: done with before the next one comes, however fast they are."""


class Passage:
    """What one call between phones has in the media engine.

    Args:
        tell: takes commands for the engine.
    """

    def __init__(self, tell: Callable[[list[protocol.Command]], None]) -> None:
        self._tell = tell
        self._voices: dict[int, protocol.Voice] = {}

    @property
    def codecs(self) -> tuple[str, ...]:
        """The caller's codec and the callee's, where they are converted; else nothing."""
        return tuple(codecs.codec(one.codec).name for one in self._voices.values())

    def connect(self, caller: LegMedia, callee: LegMedia, *, timed: bool) -> None:
        """Join two parties' media as they have agreed; what has ended is released first.

        Args:
            caller, callee: of the legs.
            timed: as for `bridge`.
        """
        known = {one.port for leg in (caller, callee) for one in leg.everything()}
        # The callee's first: what the caller has sent meanwhile must find its way.
        streams = bridge(callee, caller, timed=timed)
        self.release([*caller.take_released(), *callee.take_released()])
        wanted = {one.port: one for one in voices(caller, callee)}
        ended = [protocol.StopVoice(port) for port in self._voices if port not in wanted]
        changed = [one for port, one in wanted.items() if self._voices.get(port) != one]
        self._voices = wanted
        # What waits in the sockets is heard, not passed on: so voices come before streams.
        early = [one for one in changed if {one.port, one.partner} <= known]
        late = [one for one in changed if one not in early]
        self._tell([*ended, *early, *streams, *late])

    def release(self, ports: Iterable[int]) -> None:
        """End streams, and with them their voices."""
        gone = list(ports)
        for port in gone:
            self._voices.pop(port, None)
        if gone:
            self._tell([protocol.Release(gone)])

    def everything(self) -> list[protocol.Command]:
        """Return what a restarted engine must be told when it has the streams."""
        return list(self._voices.values())

    def dialled(self, digit: protocol.Digit) -> bool:
        """Pass on a key that a party has pressed; False where it is another call's.

        The engine tells of keys where a codec is converted: the packets that told of it end there.
        """
        voice = self._voices.get(digit.port)
        if voice is None:
            return False
        if digit.digit != "!" and voice.partner in self._voices:
            self._tell([protocol.SendDigits(voice.partner, digit.digit, _ON_MS, _OFF_MS)])
        return True
