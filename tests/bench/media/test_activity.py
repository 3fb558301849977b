"""What /proc tells the bench of this process."""

import os
import socket

from tests.bench.media.activity import drops


def test_packets_lost_in_a_full_queue() -> None:
    """Of our own sockets only: another one's count stays out, and so does what was read."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as full,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        full.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        full.bind(("127.0.0.1", 0))
        before = drops([os.getpid()])
        count = 200
        for _ in range(count):
            sender.sendto(bytes(172), full.getsockname())
        full.setblocking(False)
        read = 0
        try:
            while full.recv(200):
                read += 1
        except BlockingIOError:
            pass
        assert 0 < read < count
        assert drops([os.getpid()]) - before == count - read
    assert drops([]) == 0
