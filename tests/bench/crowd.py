"""Many phones that talk at once, each a socket with a packet every 20 ms, in one compiled loop.

A phone costs the machine a send and a receive, and no Python: what is measured is the relay.
"""

import os
import select
import socket
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit
from numba.core import types

from pbx.media.engine.native import epoll_wait, load_32, monotonic_ns

PTIME_SLOTS = 20
"""Slots of 1 ms, over which the phones' sending is spread."""

PACKET = 172
"""Octets: an RTP header and 20 ms of G.711."""

_SAMPLES = 160
_LISTEN_MS = 300
_EVENTS = 256
_DONT_WAIT = 0x40

_send: Any = types.ExternalFunction(
    "send", types.int64(types.int32, types.int64, types.int64, types.int32)
)
_recv: Any = types.ExternalFunction(
    "recv", types.int64(types.int32, types.int64, types.int64, types.int32)
)


@njit(nogil=True, cache=True)
def _talk(
    fds: Any,
    packets: Any,
    layout: Any,
    events: Any,
    inbox: Any,
    slots: Any,
    delays: Any,
    first: Any,
) -> Any:
    """Send for `slots` ms and listen 300 ms longer; returns packets sent and received.

    `packets` holds each phone's next packet, its sending time from octet 16 on (as int64: word 2
    of the row), which is how the receiver knows the delay; `first` is the number of its first one.
    """
    clock = np.zeros(2, np.int64)
    start = monotonic_ns(clock)
    sent = 0
    received = 0
    words = packets.view(np.int64)
    arrived = inbox.view(np.int64)
    for slot in range(slots + _LISTEN_MS):
        if slot < slots:
            for phone in range(slot % PTIME_SLOTS, len(fds), PTIME_SLOTS):
                number = first + slot // PTIME_SLOTS
                packets[phone, 2] = number >> 8 & 0xFF
                packets[phone, 3] = number & 0xFF
                for octet in range(4):
                    packets[phone, 4 + octet] = number * _SAMPLES >> (24 - 8 * octet) & 0xFF
                words[phone, 2] = monotonic_ns(clock)
                address = packets.ctypes.data + phone * packets.shape[1]
                sent += _send(fds[phone], address, PACKET, 0) == PACKET
        until = start + (slot + 1) * 1_000_000
        while True:
            now = monotonic_ns(clock)
            if now >= until:
                break
            ready = epoll_wait(layout[0], events.ctypes.data, _EVENTS, 1)
            for index in range(ready):
                fd = load_32(events.ctypes.data + index * layout[1] + layout[2])
                while _recv(fd, inbox.ctypes.data, 2048, _DONT_WAIT) == PACKET:
                    if received < len(delays):
                        delays[received] = monotonic_ns(clock) - arrived[2]
                    received += 1
    return sent, received


@dataclass(frozen=True, slots=True)
class Talk:
    """What the phones counted in one run.

    Args:
        sent: packets.
        received: packets that came back out of the relay.
        delays_ms: of each of those, from phone to phone.
    """

    sent: int
    received: int
    delays_ms: npt.NDArray[np.float64]


class Crowd:
    """Phones on loopback, each connected to a port of the relay.

    Args:
        phones: how many; two make a call.
    """

    def __init__(self, phones: int) -> None:
        self.sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(phones)]
        self._epoll = select.epoll()
        self._said = 0
        for one in self.sockets:
            one.bind(("127.0.0.1", 0))
            self._epoll.register(one.fileno(), select.EPOLLIN)

    def connect(self, ports: list[int]) -> None:
        """Point each phone at its port of the relay, and let the relay learn its address."""
        for one, port in zip(self.sockets, ports, strict=True):
            one.connect(("127.0.0.1", port))

    def talk(self, seconds: float) -> Talk:
        """Talk for so long; packets of different phones are spread over the 20 ms."""
        packets = np.zeros((len(self.sockets), 176), np.uint8)
        packets[:, 0] = 0x80
        packets[:, 11] = 7
        packed = os.uname().machine == "x86_64"
        layout = np.array([self._epoll.fileno(), *((12, 4) if packed else (16, 8))], np.int64)
        delays = np.zeros(int(seconds * 50 * len(self.sockets)) + 1000, np.int64)
        sent, received = _talk(
            np.array([one.fileno() for one in self.sockets], np.int64),
            packets,
            layout,
            np.zeros(_EVENTS * 16, np.uint8),
            np.zeros(2048, np.uint8),
            int(seconds * 1000),
            delays,
            self._said,
        )
        # Their clocks go on while they listen.
        self._said += int(seconds * 1000 + _LISTEN_MS) // PTIME_SLOTS
        return Talk(sent, received, delays[:received] / 1e6)

    def close(self) -> None:
        self._epoll.close()
        for one in self.sockets:
            one.close()
