"""An asyncio loop whose time is an office's fake clock, and plain phones that live in it."""

import asyncio
import itertools
import selectors
from collections.abc import Coroutine
from typing import Any

from pbx.sip.flow import Address, Flow
from tests.call.office import HOME, Office
from tests.interop.plain_phone import PlainPhone

_HOSTS = itertools.count(10)


class _Clock(selectors.SelectSelector):
    """Where a loop would wait for its next timer, the office's time passes up to there."""

    def __init__(self, office: Office) -> None:
        super().__init__()
        self._office = office

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        office = self._office
        due = [one.next_timer() for one in office.ticking]
        whens = [when for when in due if when is not None]
        if timeout is not None:
            whens.append(office.now + timeout)
        assert whens, "nothing will ever happen"
        office.advance(max(0.0, min(whens) - office.now))
        return super().select(0)


def run(office: Office, work: Coroutine[Any, Any, None]) -> None:
    """Do some work in which the office's time is the loop's."""
    loop = asyncio.SelectorEventLoop(_Clock(office))
    loop.time = lambda: office.now  # type: ignore[method-assign]
    try:
        loop.run_until_complete(work)
    finally:
        loop.close()


class OfficePhone(PlainPhone):
    """A plain phone of a user of an office on the fake clock.

    Args:
        office: where it is.
        number: the user; its password is the office's.
        others: as `PlainPhone` has them.
    """

    def __init__(self, office: Office, number: str, *others: Any, **more: Any) -> None:
        super().__init__(number, f"pw{number}", str(HOME), **more)
        self._office = office
        self.host, self.port = f"198.51.100.{next(_HOSTS) % 250}", 5060
        self._address = Address(self.host, self.port)

    async def open(self) -> None:
        self._office.phones[self._address] = self

    def out(self, data: bytes) -> None:
        flow = Flow("udp", HOME, self._address)
        # An answer never comes before the request has left.
        asyncio.get_running_loop().call_soon(self._office.hear, data, flow)

    def deliver(self, data: bytes, flow: Flow) -> None:
        self.datagram_received(data, (flow.remote.host, flow.remote.port))

    def close(self) -> None:
        super().close()
        self._office.phones.pop(self._address, None)
