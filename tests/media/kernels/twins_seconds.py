"""The worst second of a stream that is passed on once more, with every look at it kept."""

from dataclasses import dataclass, field
from fractions import Fraction

from tests.media.kernels.twins_sequence import SequenceTwin

SHORTEST_MS = 900
LAST_MS = 500


@dataclass
class SecondsTwin:
    """A stream since a moment.

    Args:
        begun_ms: that moment.
    """

    begun_ms: int
    received: int = 0
    sequence: SequenceTwin = field(default_factory=SequenceTwin)
    looks: list[tuple[int, int, int]] = field(default_factory=list)
    """When a second ended, what had been received by then, and what was missing."""

    def __post_init__(self) -> None:
        self.looks.append((self.begun_ms, 0, 0))

    def packet(self, ssrc: int, sequence: int) -> None:
        self.received += 1
        self.sequence.packet(ssrc, sequence)

    def look(self, now_ms: int, *, last: bool = False) -> None:
        if now_ms - self.looks[-1][0] >= (LAST_MS if last else SHORTEST_MS):
            self.looks.append((now_ms, self.received, self.sequence.lost))

    @property
    def worst(self) -> Fraction:
        """The largest share that was missing in a second."""
        shares = [Fraction(0)]
        for (_, received, lost), (_, received_then, lost_then) in zip(
            self.looks, self.looks[1:], strict=False
        ):
            missing = max(lost_then - lost, 0)
            expected = received_then - received + missing
            if expected:
                shares.append(Fraction(missing, expected))
        return max(shares)
