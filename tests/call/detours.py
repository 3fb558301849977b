"""Datagrams that take detours: later ones overtake them."""

import heapq
import itertools
from collections.abc import Callable
from functools import partial

from pbx.sip.flow import Flow
from tests.call.office import Office, Peer


class Detours:
    """Lets each datagram of an office, either way, take as long as `delay_s` says.

    Args:
        office: with its phones; later ones are reached without detour.
        delay_s: of the datagram with this number, counted from 0; 0 is at once.
    """

    def __init__(self, office: Office, delay_s: Callable[[int], float]) -> None:
        self.count = 0
        self._office = office
        self._delay_s = delay_s
        self._serial = itertools.count()
        self._under_way: list[tuple[float, int, Callable[[], None]]] = []
        self._hear = office.hear
        office.hear = self._to_the_exchange  # type: ignore[method-assign]
        for address, peer in office.phones.items():
            office.phones[address] = _Far(self, peer)
        office.ticking.append(self)

    def _to_the_exchange(self, data: bytes, flow: Flow) -> None:
        self.carry(partial(self._hear, data, flow))

    def carry(self, arrive: Callable[[], None]) -> None:
        """Let one datagram arrive, now or later."""
        delay_s = self._delay_s(self.count)
        self.count += 1
        if delay_s:
            due = self._office.now + delay_s
            heapq.heappush(self._under_way, (due, next(self._serial), arrive))
        else:
            arrive()

    def next_timer(self) -> float | None:
        """When the next datagram arrives."""
        return self._under_way[0][0] if self._under_way else None

    def handle_timer(self, now: float) -> None:
        """Let arrive what is due."""
        while self._under_way and self._under_way[0][0] <= now:
            heapq.heappop(self._under_way)[2]()


class _Far:
    """A phone at the end of the detours."""

    def __init__(self, detours: Detours, phone: Peer) -> None:
        self._detours = detours
        self._phone = phone

    def deliver(self, data: bytes, flow: Flow) -> None:
        self._detours.carry(partial(self._phone.deliver, data, flow))
