"""Keys that are sent as telephone-events (RFC 4733)."""

import struct
from collections import deque
from dataclasses import dataclass

KEYS = "0123456789*#ABCD"
"""By their event codes (RFC 4733 §3.2)."""

VOLUME = 10
"""dB below 0 dBm0, as the tone would have it (§2.3)."""

TICK = 160
"""Timestamp units between packets."""

UPDATES = 5
"""Packets while a key is down: 100 ms."""

END_PACKETS = 3
"""§2.5.1.4: "the final packet for each event and for each segment SHOULD be sent a total of three
times"."""

PAUSE = 4
"""Packets of sound between two keys: 80 ms, as receivers of tones want it too."""


@dataclass(frozen=True, slots=True)
class EventPayload:
    """What goes out in place of sound.

    Args:
        payload: the four octets of §2.3.
        age: timestamp units since the key went down, which is the packet's timestamp (§2.4.1).
        first: the packet carries the marker bit (§2.5.1.1).
    """

    payload: bytes
    age: int
    first: bool


class KeySender:
    """Keys to send, one after the other; `next_payload` is called each 20 ms."""

    def __init__(self) -> None:
        self._waiting: deque[int] = deque()
        self._step = 0

    def press(self, keys: str) -> None:
        """Add keys.

        Raises:
            ValueError: one of them is none.
        """
        self._waiting.extend([KEYS.index(key) for key in keys.upper()])

    @property
    def busy(self) -> bool:
        """Keys are still to be sent."""
        return bool(self._waiting)

    def clear(self) -> None:
        """Forget what waits."""
        self._waiting.clear()
        self._step = 0

    def next_payload(self) -> EventPayload | None:
        """Return what to send in this packet; None for sound."""
        if not self._waiting:
            return None
        step, self._step = self._step, self._step + 1
        if step < UPDATES + END_PACKETS:
            # The end has the duration at which the key went up, each time that it is sent.
            duration = TICK * min(step + 1, UPDATES + 1)
            end = step >= UPDATES
            payload = struct.pack(">BBH", self._waiting[0], end << 7 | VOLUME, duration)
            return EventPayload(payload, TICK * step, step == 0)
        if self._step == UPDATES + END_PACKETS + PAUSE:
            self._waiting.popleft()
            self._step = 0
        return None
