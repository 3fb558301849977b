"""The sound of one call: RTP both ways (RFC 3550), keys in it (RFC 4733), no I/O.

Two threads use it: the sound's, and the event loop's, which agrees and presses keys.
"""

import threading
from dataclasses import dataclass

import numpy as np

from hw.softphone import g711
from hw.softphone.g711 import Samples
from hw.softphone.keys import KeySender
from hw.softphone.playout import Playout
from hw.softphone.rtp import Packet, parse_packet
from hw.softphone.session import CLOCK_HZ, LAWS, PTIME_MS, Agreed
from pbx.sip.flow import Address

FRAME = CLOCK_HZ * PTIME_MS // 1000
"""Samples in a packet."""

SILENCE: Samples = np.zeros(FRAME, np.int16)

_STATIC = {0: "PCMU", 8: "PCMA"}

_LONGEST = CLOCK_HZ // 5
"""Octets of sound that one packet may bring: 200 ms."""


@dataclass(frozen=True, slots=True)
class Start:
    """The numbers that a stream begins with, which must be random (RFC 3550 §5.1)."""

    ssrc: int
    sequence: int
    timestamp: int


class Stream:
    """RTP with one peer, as `agree` has it.

    Args:
        start: what the packets sent begin with.
    """

    def __init__(self, start: Start) -> None:
        self._lock = threading.Lock()
        self._ssrc = start.ssrc
        self._sequence = start.sequence
        self._timestamp = start.timestamp
        self._agreed: Agreed | None = None
        self._remote: Address | None = None
        self._learned = False
        self._playout = Playout()
        self._keys = KeySender()
        self._speaking = False
        self.muted = False
        self.sent = 0
        self.received = 0

    def agree(self, agreed: Agreed | None) -> None:
        """Go on as agreed from now on."""
        with self._lock:
            if agreed == self._agreed:
                return
            self._agreed = agreed
            self._remote = agreed.remote if agreed is not None else None
            self._learned = False

    def press(self, keys: str) -> bool:
        """Send keys; False where the peer takes none.

        Raises:
            ValueError: one of them is no key.
        """
        with self._lock:
            if self._agreed is None or self._agreed.event_type is None:
                return False
            self._keys.press(keys)
            return True

    @property
    def pressing(self) -> bool:
        """Keys are still to be sent."""
        with self._lock:
            return self._keys.busy

    def receive(self, data: bytes, source: Address) -> None:
        """Take a datagram; what isn't the peer's sound is passed over."""
        packet = parse_packet(data)
        with self._lock:
            agreed = self._agreed
            if packet is None or agreed is None or not agreed.receives:
                return
            law = agreed.law if packet.payload_type == agreed.payload_type else None
            # The peer may use any that we have offered (RFC 3264 §6.1).
            law = law or _STATIC.get(packet.payload_type)
            if law not in LAWS and packet.payload_type != agreed.event_type:
                return
            # Symmetric RTP (RFC 4961): behind a NAT, the address in its description leads nowhere.
            if self._learned and source != self._remote:
                return
            self._remote, self._learned = source, True
            self.received += 1
            if law is not None and len(packet.payload) <= _LONGEST:
                self._playout.put(packet.timestamp, g711.decode(law, packet.payload))

    def exchange(self, spoken: Samples) -> tuple[Samples, tuple[bytes, Address] | None]:
        """Pass on 20 ms of sound each way.

        Args:
            spoken: `FRAME` samples from the microphone.

        Returns:
            What is to be heard, and a datagram to send, where there is one.
        """
        with self._lock:
            heard = self._playout.pull(FRAME)
            datagram = self._packet(SILENCE if self.muted else spoken)
            self._timestamp += FRAME
            return heard, datagram

    def _packet(self, spoken: Samples) -> tuple[bytes, Address] | None:
        agreed, remote = self._agreed, self._remote
        if agreed is None or remote is None or not agreed.sends:
            # §5.1: the marker bit "allow[s] significant events such as frame boundaries to be
            # marked"; RFC 3551 §4.1: the first packet after a pause
            self._speaking = False
            return None
        event = self._keys.next_payload() if agreed.event_type is not None else None
        if event is not None and agreed.event_type is not None:
            payload_type, payload = agreed.event_type, event.payload
            marker, timestamp = event.first, self._timestamp - event.age
        else:
            payload_type, payload = agreed.payload_type, g711.encode(agreed.law, spoken)
            marker, timestamp = not self._speaking, self._timestamp
            self._speaking = True
        packet = Packet(payload_type, marker, self._sequence, timestamp, self._ssrc, payload)
        self._sequence += 1
        self.sent += 1
        return packet.encode(), remote
