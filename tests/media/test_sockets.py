"""The gate of the port pool: while it is shut nothing comes in, and all does once it is open."""

import errno
import select
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from pbx.media.engine.sockets import Pair
from tests.media.engine_process import DEADLINE_S

_SO_DETACH_FILTER = 27


class _Keeping(socket.socket):
    """As QEMU gives it to programs of another processor: filters can't be taken off."""

    def setsockopt(self, *words: Any) -> None:
        if words[1] == _SO_DETACH_FILTER:
            raise OSError(errno.ENOPROTOOPT, "Protocol not available")
        super().setsockopt(*words)


@pytest.fixture(params=[socket.socket, _Keeping])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    rtp, rtcp = (request.param(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    for one in (rtp, rtcp):
        one.bind(("127.0.0.1", 0))
        one.setblocking(False)  # as the engine's are
    made = Pair(rtp.getsockname()[1], rtp, rtcp)
    yield made
    made.close()


def test_what_comes_while_it_is_shut_is_for_nobody(pair: Pair) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        for turn in (b"1", b"2"):
            pair.shut()
            for one in (pair.rtp, pair.rtcp):
                phone.sendto(b"early", one.getsockname())
            pair.open()
            for one in (pair.rtp, pair.rtcp):
                phone.sendto(turn, one.getsockname())
                assert select.select([one], [], [], DEADLINE_S)[0]
                assert one.recv(16) == turn
