"""The io_uring by which a tick sends: many packets by one call, and what becomes of one that fails."""

import contextlib
import socket
from collections.abc import Iterator

import numpy as np
import pytest

from pbx.media.engine import tables as t
from pbx.media.engine.kernels.batch import can_batch, put_send, send_batch
from pbx.media.engine.tables import Tables, make_tables
from pbx.media.engine.uring import Uring

MOST = 64
"""Packets of a batch."""


@pytest.fixture
def tables() -> Iterator[Tables]:
    """The tables of a packet thread that has a ring, which this thread is."""
    made = make_tables([], dual_stack=True)
    try:
        ring = Uring(made.facts)
    except OSError as error:
        pytest.skip(f"no io_uring (a kernel before 6.1, or the machine's rules): {error}")
    yield made
    ring.close()
    assert not can_batch(made)


@pytest.fixture
def pairs() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    """Connected sockets, and those that they send to."""
    with contextlib.ExitStack() as stack:
        made = []
        for _ in range(MOST):
            one, other = (
                stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                for _ in range(2)
            )
            other.bind(("127.0.0.1", 0))
            other.setblocking(False)
            one.connect(other.getsockname())
            made.append((one, other))
        yield made


def send_all(tables: Tables, fds: list[int], packets: list[bytes]) -> int:
    """Send a packet by each socket; returns what `send_batch` does, without a sign."""
    octets = [np.frombuffer(one, np.uint8) for one in packets]
    for number, (fd, packet) in enumerate(zip(fds, octets, strict=True)):
        put_send(tables, fd, packet.ctypes.data, len(packet), number)
    return int(send_batch(tables, len(fds))) & (1 << MOST) - 1


def test_each_socket_sends_its_packet(
    tables: Tables, pairs: list[tuple[socket.socket, socket.socket]]
) -> None:
    assert can_batch(tables)
    # More than one turn of both queues, by batches that don't divide them.
    for turn, count in enumerate((1, 63, MOST, 40, 40, 40, 2)):
        packets = [b"packet %d of %d" % (number, turn) for number in range(count)]
        fds = [one.fileno() for one, _ in pairs[:count]]
        assert send_all(tables, fds, packets) == (1 << count) - 1
        assert [other.recv(100) for _, other in pairs[:count]] == packets
    assert can_batch(tables)


def test_one_that_fails_holds_up_nobody(
    tables: Tables, pairs: list[tuple[socket.socket, socket.socket]]
) -> None:
    fds = [one.fileno() for one, _ in pairs[:4]]
    fds[2] = pairs[2][1].fileno()  # connected with nobody
    packets = [b"%d" % number for number in range(4)]
    assert send_all(tables, fds, packets) == 0b1011
    assert [pairs[number][1].recv(100) for number in (0, 1, 3)] == [b"0", b"1", b"3"]


def test_a_ring_that_is_refused_is_given_up(
    tables: Tables, pairs: list[tuple[socket.socket, socket.socket]]
) -> None:
    """Nothing is taken for sent, and what is left in it never goes out."""
    kept, tables.facts[t.URING_FD] = tables.facts[t.URING_FD], pairs[0][0].fileno()
    assert send_all(tables, [pairs[1][0].fileno()], [b"1"]) == 0
    assert not can_batch(tables)
    assert kept >= 0
