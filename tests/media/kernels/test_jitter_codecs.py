"""The jitter buffer of a voice that goes on with another codec: what it has counted goes on too."""

import pytest

from pbx.media.engine.kernels import jitter
from pbx.media.engine.kernels import jitter_row as c
from tests.media.kernels.networks import Listener, Network, Packet, Talker, uniform

COUNTS = (c.PLAYED, c.LATE, c.DUPLICATE, c.EVENTS, c.RESYNCS, c.RESTARTS, c.RECEIVED)
"""Of packets, and of what happened to the time line."""


def heard(network: Network, seconds: float) -> Listener:
    ear = Listener(slot_shift=13)
    ear.run(network.carry(Talker().packets(seconds)), seconds - 0.3)
    return ear


def change(ear: Listener, rate: int, clock: int) -> None:
    """Go on with another codec."""
    jitter.prepare(ear.row, clock, rate, 0, 200, 101, 13, 0, ear.slot_shift, ear.slots)
    ear.check()


@pytest.mark.parametrize(
    ("rate", "clock"), [(8000, 8000), (16000, 8000), (16000, 16000), (48000, 48000)]
)
def test_counts(rate: int, clock: int) -> None:
    """Samples as samples of the new rate, and what still waits as thrown away."""
    ear = heard(Network(5, 0.05, 0.05, uniform(150), in_order=False), 20)
    row = ear.row
    following = row[c.NEWEST_TS] + 160
    ear.put(Packet(row[c.LAST_NS], row[c.NEWEST_SEQ] + 1, following, bytes(320)))
    before = {word: int(row[word]) for word in COUNTS}
    samples = {word: int(row[word]) for word in (c.CONCEALED, c.SHORTENED, c.LENGTHENED)}
    assert min(before[c.LATE], before[c.DUPLICATE], samples[c.CONCEALED], row[c.COUNT]) > 0
    assert max(samples[c.SHORTENED], samples[c.LENGTHENED]) > 0
    change(ear, rate, clock)
    assert {word: row[word] for word in COUNTS} == before
    assert {word: row[word] for word in samples} == {
        word: count * rate // 8000 for word, count in samples.items()
    }
    assert (row[c.COUNT], row[c.STARTED], row[c.DELAY]) == (0, 0, 0)


def test_there_and_back_again() -> None:
    ear = heard(Network(seed=3, loss=0.02), 40)
    before = ear.row[c.CONCEALED]
    for rate in (48000, 16000, 8000):
        change(ear, rate, rate)
    assert ear.row[c.CONCEALED] == before > 0
