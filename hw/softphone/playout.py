"""The jitter buffer: sound by its timestamps in, sound by our own clock out."""

import numpy as np

from hw.softphone.g711 import Samples

DELAY = 480
"""Samples that wait at the beginning: 60 ms, what packets may be late against the first one."""

MUCH = 2 * DELAY
"""Samples that have been waiting all through a `WINDOW` when the sender's clock is faster than ours,
or a backlog has come at once. After a moment in which this program was held up, so many wait only
until the sound's thread has caught up."""

WINDOW = 1600
"""Samples after which that is looked at: 200 ms, what the sound's thread catches up with."""

SIZE = 8192
"""Samples that there is room for; a power of two, so that timestamps wrap around in it."""

LATE_LIMIT = 5
"""Packets in a row that come too late to be heard: then the path has become longer for good."""


class Playout:
    """Sound between the network and the loudspeaker; a packet's length doesn't matter."""

    def __init__(self) -> None:
        self._ring: Samples = np.zeros(SIZE, np.int16)
        self._begun = False
        # Timestamp of the sample that is due next, and how far sound reaches from there
        self._position = 0
        self._end = 0
        self._late = 0
        # In this window: samples that are due until its end, and the fewest that have waited
        self._window = WINDOW
        self._fewest = SIZE
        self.lost = 0
        """Samples that were due and not there."""

    def put(self, timestamp: int, samples: Samples) -> None:
        """Keep the sound of a packet until it is due.

        Args:
            timestamp: RTP timestamp of its first sample.
            samples: at most a second.
        """
        ahead = self._ahead(timestamp)
        if ahead is None or not -SIZE < ahead <= SIZE - len(samples):
            # The first one; or another source, or one that has begun to count anew
            ahead = self._begin(timestamp)
        elif ahead + len(samples) <= 0:
            self._late += 1
            if self._late < LATE_LIMIT:
                return
            ahead = self._begin(timestamp)
        self._late = 0
        samples = samples[max(0, -ahead) :]
        ahead = max(0, ahead)
        self._ring[(self._position + ahead + np.arange(len(samples))) % SIZE] = samples
        self._end = max(self._end, ahead + len(samples))

    def _ahead(self, timestamp: int) -> int | None:
        """Samples from what is due now to `timestamp`, which wraps around (RFC 3550 §5.1)."""
        if not self._begun:
            return None
        return (timestamp - self._position + 0x80000000 & 0xFFFFFFFF) - 0x80000000

    def _begin(self, timestamp: int) -> int:
        self._ring[:] = 0
        self._position = (timestamp - DELAY) & 0xFFFFFFFF
        self._end = 0
        self._begun = True
        return DELAY

    def pull(self, count: int) -> Samples:
        """Return the samples that are due now; silence where there are none."""
        if not self._begun:
            return np.zeros(count, np.int16)
        places = (self._position + np.arange(count)) % SIZE
        samples = self._ring[places]
        self.lost += max(0, min(count, count - self._end))
        self._skip(count)
        self._window -= count
        self._fewest = min(self._fewest, self._end)
        if self._window <= 0:
            if self._fewest > MUCH:
                self._skip(self._fewest - DELAY)
            self._window, self._fewest = WINDOW, SIZE
        return samples

    def _skip(self, count: int) -> None:
        self._ring[(self._position + np.arange(count)) % SIZE] = 0
        self._position = (self._position + count) & 0xFFFFFFFF
        self._end = max(0, self._end - count)
