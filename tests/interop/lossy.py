"""A UDP path between one phone and the exchange that loses, doubles and delays packets.

What becomes of a datagram is drawn from a seed, so that it is the same every time.
"""

import heapq
import itertools
import random
import selectors
import socket
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass

_Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Weather:
    """What a path does to datagrams.

    Args:
        lost: share of them that never arrives.
        twice: share of them that arrives twice.
        late: share of the copies that others overtake.
        late_s: the most that such a copy is late by. Above T1 (0.5 s) its repetition may come first.
    """

    lost: float = 0.0
    twice: float = 0.0
    late: float = 0.0
    late_s: float = 0.8


class Way:
    """One direction of a path.

    Args:
        weather: what becomes of its datagrams.
        seed: of the random numbers; another one for each direction.
    """

    def __init__(self, weather: Weather, seed: str) -> None:
        self.weather = weather
        self._random = random.Random(seed)

    def delays_s(self) -> list[float]:
        """Return when each copy of the next datagram arrives, 0 for at once; none if it is lost."""
        weather, dice = self.weather, self._random.random
        lost, copies = dice() < weather.lost, 1 + (dice() < weather.twice)
        delays = [dice() * weather.late_s if dice() < weather.late else 0.0 for _ in range(copies)]
        return [] if lost else delays


class LossyPath:
    """Forwards datagrams both ways between a phone and the exchange, as well as the weather lets it.

    The phone sends to `near`; the exchange sees, and answers to, `far`.

    Args:
        exchange_port: the exchange's UDP port on 127.0.0.1.
        phone_port: the phone's; requests to `far` go there. 0: where the phone was heard from last.
        near, far: ports of the path's two ends.
        weather: the same both ways.
        seed: of the random numbers.
        lost: how datagrams begin of which the first never gets to the phone, each.
    """

    def __init__(
        self,
        exchange_port: int,
        phone_port: int,
        near: int,
        far: int,
        *,
        weather: Weather,
        seed: int,
        lost: Iterable[bytes] = (),
    ) -> None:
        self.near, self.far = near, far
        self.to_lose = set(lost)
        """Beginnings of which none has come yet."""
        self._learns = not phone_port
        self._near = _bound(near)
        self._far = _bound(far)
        self._ways = {
            self._near: (Way(weather, f"{seed} up"), self._far, ("127.0.0.1", exchange_port)),
            self._far: (Way(weather, f"{seed} down"), self._near, ("127.0.0.1", phone_port)),
        }
        self._late: list[tuple[float, int, socket.socket, bytes, _Address]] = []
        self._serial = itertools.count()
        self._wake, self._stop = socket.socketpair()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with selectors.DefaultSelector() as ready:
            for end in (self._near, self._far, self._wake):
                ready.register(end, selectors.EVENT_READ)
            while True:
                wait_s = max(0.0, self._late[0][0] - time.monotonic()) if self._late else None
                for key, _ in ready.select(wait_s):
                    if key.fileobj is self._wake:
                        return
                    assert isinstance(key.fileobj, socket.socket)
                    self._pass_on(key.fileobj)
                while self._late and self._late[0][0] <= time.monotonic():
                    _, _, leave, data, towards = heapq.heappop(self._late)
                    leave.sendto(data, towards)

    def _pass_on(self, come: socket.socket) -> None:
        try:
            data, sender = come.recvfrom(65535)
        except OSError:
            # An ICMP error for something sent before; the datagram itself is not lost by it.
            return
        way, leave, towards = self._ways[come]
        if come is self._near and self._learns:
            down, out, _ = self._ways[self._far]
            self._ways[self._far] = down, out, sender
        elif come is self._far:
            for beginning in self.to_lose:
                if data.startswith(beginning):
                    self.to_lose.remove(beginning)
                    return
        for delay_s in way.delays_s():
            if delay_s:
                due = time.monotonic() + delay_s
                heapq.heappush(self._late, (due, next(self._serial), leave, data, towards))
            else:
                leave.sendto(data, towards)

    def close(self) -> None:
        """Stop forwarding."""
        self._stop.send(b"x")
        self._thread.join(5)
        for end in (self._near, self._far, self._wake, self._stop):
            end.close()


def _bound(port: int) -> socket.socket:
    end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    end.bind(("127.0.0.1", port))
    return end
