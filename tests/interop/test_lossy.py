"""The bad path itself: what becomes of datagrams on it, each way, and the same every time."""

import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.interop.lossy import LossyPath, Way, Weather
from tests.interop.ports import Ports
from tests.interop.waiting import until

BAD = Weather(lost=0.1, twice=0.2, late=0.3)
SENT = 50


def _fates(seed: str) -> list[list[float]]:
    way = Way(BAD, seed)
    return [way.delays_s() for _ in range(2000)]


def test_a_seed_decides() -> None:
    assert _fates("1 up") == _fates("1 up")
    assert _fates("1 up") != _fates("1 down")


def test_shares() -> None:
    fates = _fates("1 up")
    copies = Counter(len(fate) for fate in fates)
    assert copies[0] / len(fates) == pytest.approx(BAD.lost, abs=0.03)
    assert copies[2] / (len(fates) - copies[0]) == pytest.approx(BAD.twice, abs=0.03)
    delays = [delay_s for fate in fates for delay_s in fate]
    late = [delay_s for delay_s in delays if delay_s]
    assert len(late) / len(delays) == pytest.approx(BAD.late, abs=0.03)
    assert max(late) <= BAD.late_s


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Yield the sockets of an exchange and a phone."""
    with ExitStack() as stack:
        made = [stack.enter_context(socket.socket(type=socket.SOCK_DGRAM)) for _ in range(2)]
        for end in made:
            end.bind(("127.0.0.1", 0))
            end.setblocking(False)
        yield made[0], made[1]


def test_twice_and_out_of_order_both_ways(
    ends: tuple[socket.socket, socket.socket], ports: Ports
) -> None:
    exchange, phone = ends
    path = LossyPath(
        exchange.getsockname()[1],
        phone.getsockname()[1],
        ports.one(),
        ports.one(),
        weather=Weather(twice=1.0, late=0.5, late_s=0.1),
        seed=1,
    )
    try:
        for number in range(SENT):
            phone.sendto(b"%d" % number, ("127.0.0.1", path.near))
            exchange.sendto(b"%d" % number, ("127.0.0.1", path.far))
        for end in ends:
            heard: list[int] = []

            def all_came(end: socket.socket = end, heard: list[int] = heard) -> bool:
                try:
                    while True:
                        heard.append(int(end.recv(100)))
                except BlockingIOError:
                    return len(heard) == 2 * SENT

            until("every copy comes", all_came)
            assert Counter(heard) == dict.fromkeys(range(SENT), 2)
            assert heard != sorted(heard)
    finally:
        path.close()
