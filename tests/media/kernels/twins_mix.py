"""The mixer, the levels and the choice of speakers, slowly."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from pbx.media.engine.kernels import levels


def saturated(value: int) -> int:
    return max(-32768, min(32767, value))


def scaled(frame: Sequence[int], gain: int) -> list[int]:
    return [saturated(math.floor(value * gain / 4096 + 0.5)) for value in frame]


@dataclass
class Limiter:
    """One output; `gain` is in 1/4096."""

    gain: int = 4096

    def hear(self, sums: Sequence[int]) -> list[int]:
        loudest = max(map(abs, sums), default=0)
        if not sums or (loudest <= 32767 and self.gain == 4096):
            return list(sums)
        fits = 32767 * 4096 // min(max(loudest, 32767), 2**19 - 1)
        before, self.gain = self.gain, min(fits, self.gain + 64)
        heard = []
        ramp = len(sums) if self.gain >= before else max(len(sums) // 8, 1)
        step = math.floor((self.gain - before) * 4096 / ramp)
        for number, value in enumerate(sums):
            gain = before + math.floor(number * step / 4096)
            if self.gain < before:
                gain = max(gain, self.gain)
            value = max(-(2**19) + 1, min(2**19 - 1, value))
            heard.append(saturated(math.floor(value * gain / 4096 + 0.5)))
        return heard


def level(frame: Sequence[int]) -> int:
    """Return -dBov; halves never happen but for a full square wave."""
    squares = sum(value * value for value in frame)
    if squares == 0:
        return 127
    decibels = 10 * math.log10(squares / len(frame) / 2**30)
    return max(0, min(127, math.floor(0.5 - decibels)))


@dataclass
class Voice:
    """One voice's level row, in dB."""

    floor: float | None = None
    active: bool = False
    hang: int = 0
    score: int = 0
    chosen: bool = False
    held: int = 0
    history: list[int] = field(default_factory=list)

    def frame(self, level: int) -> None:
        loudness = 127 - level
        if self.floor is None:
            self.floor = min(loudness, 67)
        rise = loudness * 16 - self.score
        self.score += math.ceil(rise / 2) if rise > 0 else math.floor(rise / 16)
        above, before = loudness - self.floor, self.active
        if (loudness >= 72 and above >= 9) or (self.active and loudness >= 67 and above >= 6):
            self.active, self.hang = True, 15
        elif self.hang:
            self.hang -= 1
        else:
            self.active = False
        if self.active and not before:
            self.score = max(self.score, loudness * 16)
        if above < 0:
            # A quarter of the way, up to the next 1/64 dB.
            self.floor -= math.floor((3 - above * 64) / 4) / 64
        else:
            self.floor += (1 if self.active else 4) / 64


def chosen(voices: Sequence[Voice], members: Sequence[int], most: int) -> list[int]:
    """Return who is heard, and enter it into the voices."""

    def claim(member: int) -> tuple[bool, int]:
        voice = voices[member]
        return voice.active, voice.score + (96 if voice.active and voice.chosen else 0)

    able = [
        member
        for member in members
        if voices[member].active or (voices[member].chosen and voices[member].held > 0)
    ]
    heard = sorted(able, key=claim, reverse=True)[:most]
    for member in members:
        voice = voices[member]
        voice.chosen = member in heard
        if voice.chosen:
            voice.held = levels.HOLD_TICKS if voice.active else voice.held - 1
    return heard
