"""Keys as tones in a network that changes: what is taken out of the sound, or put in, hides none."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from pbx.media.engine.kernels import detect, playout
from pbx.media.engine.kernels import jitter_row as c
from tests.media.kernels.networks import Listener, Network, Packet, Talker, Words
from tests.media.keypad import CODES, dialled

ALL_DIGITS = "1234567890*#ABCD"
ON_MS, OFF_MS = 45, 45
SECONDS = 120

STEADY_MS, RESTLESS_MS = 5, 60
"""How differently late packets are, at the least and at the most."""


@dataclass
class Ear(Listener):
    """Looks for keys as `voice_in` does, and knows in which ticks sound was missing."""

    digits: Words = field(default_factory=lambda: np.zeros(detect.WIDTH, np.int64))
    found: list[tuple[int, str]] = field(default_factory=list)
    cuts: int = 0

    def check(self) -> None:
        """As in `test_jitter`, where it is done; here it would take most of the time."""

    def _stretch_marks(self, held: int, change: int) -> None:
        super()._stretch_marks(held, change)
        self.cuts += change != 0

    def tick(self, now: int) -> list[int]:
        steps = super().tick(now)
        waits = playout.stands_in(self.row)
        self.digits[detect.WAITED] = self.digits[detect.WAITED] + 1 if waits else 0
        if not 0 < self.digits[detect.WAITED] <= 10:
            code = int(detect.detect_dtmf(self.digits, self.frame, 160))
            if code >= 0:
                self.found.append((len(self.heard), CODES[code]))
        return steps

    def was_whole(self, begin: int, end: int) -> bool:
        """Whether all that was heard in some ticks had come."""
        return all(part.all() for part in self.real[begin:end])


def restless_ms(number: int, changes: str) -> float:
    """How differently late packets may be around one of them."""
    width = RESTLESS_MS - STEADY_MS
    if changes == "at once":
        return STEADY_MS + width * (number // 400 % 2)
    slope = number % 1000 / 1000
    return STEADY_MS + width * (slope if changes == "growing" else 1 - slope)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("changes", ["growing", "shrinking", "at once"])
def test_no_key_is_missed_that_has_come_whole(changes: str, seed: int) -> None:
    digits = ALL_DIGITS * (SECONDS * 1000 // (ON_MS + OFF_MS) // len(ALL_DIGITS))
    sound = dialled(digits, 8000, on_ms=ON_MS, off_ms=OFF_MS)
    packets = []
    for number, (sent, one) in enumerate(Talker().packets(len(sound) / 8000 - 0.02)):
        payload = sound[160 * number : 160 * number + 160].astype(">i2").tobytes()
        packets.append((sent, Packet(sent, one.sequence, one.timestamp, payload, one.marker)))
    network = Network(
        seed=seed, delay=lambda dice, number: dice.uniform(0, restless_ms(number, changes))
    )
    ear = Ear()
    ear.run(network.carry(iter(packets)), SECONDS + 1)
    assert ear.cuts > 20
    assert ear.row[c.RESYNCS] == 0
    # Each key found is the next one, or behind one that a hole in the sound has hidden.
    at, before = 0, 0
    for tick, digit in ear.found:
        missed = digits[at:].index(digit)
        if missed:
            assert not ear.was_whole(before, tick), f"{missed} keys before tick {tick}"
        at, before = at + missed + 1, tick - 2
    assert len(digits) - at < 3
    assert len(ear.found) > 0.98 * len(digits)
