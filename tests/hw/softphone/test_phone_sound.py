"""The sound's thread, held up and let go: what came meanwhile is heard in its time."""

import asyncio
from collections.abc import Callable

import numpy as np

from hw.softphone.g711 import Samples
from hw.softphone.happenings import Answered, Happening, Invited
from hw.softphone.phone import Phone
from hw.softphone.playout import DELAY
from hw.softphone.stream import FRAME, SILENCE
from pbx.sip.flow import Address

LOUD: Samples = np.full(FRAME, 8031, np.int16)
"""A value that G.711 gives back almost as it was."""


class HandSound:
    """Microphone and loudspeaker whose clock is the test."""

    stuck = False

    def __init__(self) -> None:
        self.exchange: Callable[[Samples], Samples] | None = None

    def start(self, exchange: Callable[[Samples], Samples]) -> None:
        self.exchange = exchange

    def answered(self) -> None:
        pass

    def stop(self) -> None:
        self.exchange = None

    def close(self) -> None:
        pass

    def tick(self, spoken: Samples = SILENCE) -> Samples:
        assert self.exchange is not None
        return self.exchange(spoken)


async def test_a_thread_that_catches_up_hears_all_that_has_come_meanwhile() -> None:
    talking = asyncio.Event()
    phones: dict[str, Phone] = {}

    def called(happening: Happening) -> None:
        if isinstance(happening, Invited):
            phones["called"].answer(happening.call)

    def caller(happening: Happening) -> None:
        if isinstance(happening, Answered):
            talking.set()

    here, there = HandSound(), HandSound()
    anywhere = Address("127.0.0.1", 0)
    phones["called"] = await Phone.open(None, there, called, listen=anywhere, user="b")
    phones["caller"] = await Phone.open(None, here, caller, listen=anywhere, user="a")
    await phones["caller"].dial(phones["called"].address)
    async with asyncio.timeout(10):
        await talking.wait()
    # Nothing runs here meanwhile: 9 packets of 20 ms wait in the socket
    for _ in range(9):
        there.tick(LOUD)
    heard = np.concatenate([here.tick() for _ in range(9 + DELAY // FRAME)])
    assert (abs(heard[DELAY:].astype(int) - 8031) < 200).all()
    assert not heard[:DELAY].any()
    for phone in phones.values():
        await phone.close()
