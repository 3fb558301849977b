"""Calls that have ended, until the media engine has told how their sound came."""

from collections.abc import Callable
from dataclasses import dataclass, field

from pbx.call.facts import CallFacts
from pbx.call.quality import Quality
from pbx.media.protocol import Released
from pbx.sip.timers import TimerQueue

PATIENCE_S = 1.0
"""How long a call's record waits for an engine that is gone, or busy."""


@dataclass(slots=True)
class _Farewell:
    facts: CallFacts
    done: Callable[[], None]
    ports: dict[int, bool] = field(default_factory=dict)
    """Those that are still to be counted; True for the caller's."""


class Farewells:
    """Holds back the end of calls whose streams are being released.

    Args:
        timers: the exchange's; a due one is for `give_up`.
    """

    def __init__(self, timers: TimerQueue) -> None:
        self._timers = timers
        self._waiting: dict[str, _Farewell] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def wait(self, facts: CallFacts, ports: tuple[int, int], done: Callable[[], None]) -> None:
        """Call `done` when `facts` has the quality of the call's sound, or nobody will tell it.

        Args:
            facts: of the call, which has ended.
            ports: of the caller's and of the called party's sound, being released; 0 for none.
            done: called at once where there is none.
        """
        open_ports = {port: port == ports[0] for port in ports if port}
        if not open_ports or facts.release is None:
            done()
            return
        self._waiting[facts.id] = _Farewell(facts, done, open_ports)
        self._timers.set((self, facts.id), facts.release + PATIENCE_S)

    def released(self, report: Released) -> None:
        """Take the last counts of a stream."""
        port = report.counts.port
        for call_id, one in self._waiting.items():
            if port in one.ports:
                _note(one.facts, report, by_caller=one.ports.pop(port))
                if not one.ports:
                    self.give_up(call_id)
                return

    def give_up(self, call_id: str) -> None:
        """Wait no longer for a call's counts."""
        one = self._waiting.pop(call_id, None)
        if one is not None:
            self._timers.cancel((self, call_id))
            one.done()

    def give_all_up(self) -> None:
        """Wait no longer for any."""
        for call_id in list(self._waiting):
            self.give_up(call_id)


def _note(facts: CallFacts, report: Released, *, by_caller: bool) -> None:
    quality = Quality.of(report.counts, report.voice, facts.codecs[0 if by_caller else 1])
    caller, called = facts.quality
    facts.quality = (quality, called) if by_caller else (caller, quality)
