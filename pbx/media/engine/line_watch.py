"""Which tone is on a line, by the lengths of its bursts and of the silence before them; and silence.

The packet thread knows a tone's frequencies only (`kernels.detect.watch_line`), and reports each burst
of it. A country's busy and congestion tone have the same frequencies, and differ by their cadence.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from pbx.media.engine.kernels import detect
from pbx.media.engine.tone_plans import Step, tone
from pbx.media.protocol import Line

CLEARED = ("busy", "congestion")
"""The tones that a network plays to the party that is left; where both are alike, it is the first."""

BURSTS = 3
"""In a row that have to fit: speech and music hold a tone for as long as that never three times."""

_FRAME_MS = 20
_TOLERANCE_MS = 40
"""A frame at either end, and one that the jitter buffer has made longer or shorter."""

_TOLERANCE = 0.1
"""E.180 §7: what the lengths may be off by."""

_CONCEALED_MS = 60
"""How much longer a burst may seem of who sends nothing while it is silent: `kernels.plc` goes on."""

_SILENT_MS = detect.QUIET_FRAMES * _FRAME_MS


@dataclass(frozen=True, slots=True)
class Cleared:
    """How a country's `CLEARED` sound.

    Args:
        hertz: the frequencies, one or two.
        cadences: by name, the lengths of silences and of the bursts behind them, in milliseconds.
    """

    hertz: tuple[float, ...]
    cadences: dict[str, frozenset[tuple[int, int]]]

    def turns(self, rate: int) -> tuple[int, int]:
        """Return `LINE_TURNS` and `LINE_BESIDE` for so many samples per second."""
        first, beside = (round(hertz * 2**32 / rate) for hertz in (*self.hertz, 0)[:2])
        return first, beside


@cache
def cleared(country: str) -> Cleared:
    """Return how busy and congestion tone sound in a country.

    Args:
        country: ISO 3166-1 alpha-2, in capitals, or empty.
    """
    plans = {name: tone(country, name) for name in CLEARED}
    sines = next(step.sines for step in plans[CLEARED[0]] if step.sines)
    cadences = {name: _cadence(steps) for name, steps in plans.items()}
    return Cleared(tuple(sine.hertz for sine in sines), cadences)


def _cadence(steps: tuple[Step, ...]) -> frozenset[tuple[int, int]]:
    pairs = zip((steps[-1], *steps), steps, strict=False)
    return frozenset(
        (before.milliseconds, step.milliseconds) for before, step in pairs if step.sines
    )


class LineWatch:
    """What is on one voice's line.

    Args:
        port: the voice.
        country: whose tones, as for `cleared`.
    """

    def __init__(self, port: int, country: str) -> None:
        self.country = country
        self._cadences = cleared(country).cadences
        self._bursts: deque[tuple[int, int]] = deque(maxlen=BURSTS)
        self._said = Line(port, "", 0)

    def heard(self, events: int, burst: int) -> Line | None:
        """Take in what the packet thread reports; returns what is news.

        Args:
            events: `detect.LINE_EVENTS`.
            burst: `detect.LINE_BURST`.
        """
        name, silent_ms = self._said.tone, self._said.silent_ms
        if events & detect.BURST:
            self._bursts.append(((burst & 0xFFFF) * _FRAME_MS, (burst >> 16) * _FRAME_MS))
            name = next(self._names(), name)
        if events & detect.OVER:
            self._bursts.clear()
            name = ""
        if events & detect.QUIET:
            silent_ms = _SILENT_MS
        if events & detect.SOUND:
            silent_ms = 0
        now = Line(self._said.port, name, silent_ms)
        if now == self._said:
            return None
        self._said = now
        return now

    def _names(self) -> Iterator[str]:
        """Yield the tones that the last bursts may be."""
        if len(self._bursts) < BURSTS:
            return
        for name, cadence in self._cadences.items():
            if all(any(_fits(burst, pair) for pair in cadence) for burst in self._bursts):
                yield name


def _fits(burst: tuple[int, int], pair: tuple[int, int]) -> bool:
    (_, lasted_ms), (_, should_last_ms) = burst, pair
    lasted = min(lasted_ms, max(should_last_ms, lasted_ms - _CONCEALED_MS))
    return _is_near(sum(burst), sum(pair)) and _is_near(lasted, should_last_ms)


def _is_near(is_ms: int, should_ms: int) -> bool:
    return abs(is_ms - should_ms) <= max(_TOLERANCE_MS, _TOLERANCE * should_ms)
