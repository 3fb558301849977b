"""What the bench makes of one engine's windows, which a harness of the test's own measures."""

from typing import Any

from tests.bench.media.sessions import recording
from tests.bench.media.test_table import GOOD


class Windows:
    """The harness, its programs and its generator, each of whose windows has lost as much as it is told."""

    UAC, UAS = "127.0.0.1", "127.0.0.2"

    def __init__(self, losses: list[float]) -> None:
        self.losses = losses
        self.P = self

    def measure(self, *_: Any) -> dict[str, Any]:
        return {**GOOD, "us_per_packet": 7.0, "loss_pct": self.losses.pop(0)}

    def alloc(self, *_: Any) -> tuple[tuple[str, int], tuple[str, int]]:
        return (self.UAC, 20000), (self.UAC, 20002)

    def make(self, *_: Any, **__: Any) -> "Windows":
        return self

    Gen = make

    def start(self, *_: Any, **__: Any) -> None:
        pass

    stop = close = bind = say = ask = start


def test_a_recording_tells_of_its_worst_window() -> None:
    """Under the table stands who has lost packets: that costs less than to record them."""
    found = recording(Windows([0.0, 0.0, 0.1, 0.4, 0.0, 0.0, 0.0, 0.2]), 5.0, 1, 0)
    assert found == {"off_us": 7.0, "on_us": 7.0, "loss_pct": 0.4}
