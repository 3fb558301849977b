"""Ports that nothing else uses, below the range that the kernel gives away by itself."""

import os
import random
import socket
import weakref
from typing import ClassVar


def _own_range() -> tuple[int, int]:
    """Return the range of this process: several that test at once each have a part of it.

    A port that is free now, and is opened later, must not be given away by another process.
    """
    lowest, highest = 10000, 32000
    count = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    share = (highest - lowest) // count
    return lowest + number * share, lowest + (number + 1) * share


LOWEST, HIGHEST = _own_range()

BIG = 400
"""Blocks of so many ports come from the upper half, which no smaller ones break into pieces."""

_BOTH = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))


class Ports:
    """Hands out ports that were free a moment ago, each only once, and none that another one has given.

    Whoever gets some keeps its source as long as they are its own: many are open now and then only.
    """

    _sources: ClassVar["weakref.WeakSet[Ports]"] = weakref.WeakSet()

    def __init__(self) -> None:
        self._given: set[int] = set()
        self._random = random.Random()
        self._sources.add(self)

    def one(self) -> int:
        """Return a port free for UDP and TCP, IPv4 and IPv6."""
        return self.block(1)

    def block(self, count: int) -> int:
        """Return the first of `count` free ports in a row; the first is even."""
        middle = (LOWEST + HIGHEST) // 2
        lowest, highest = (middle, HIGHEST) if count >= BIG else (LOWEST, middle)
        given = set[int]().union(*(one._given for one in self._sources))
        for _ in range(2000):
            first = self._random.randrange(lowest, highest - count) & ~1
            wanted = range(first, first + count)
            if given.isdisjoint(wanted) and all(_free(port) for port in wanted):
                self._given.update(wanted)
                return first
        raise AssertionError(f"found no {count} free ports between {lowest} and {highest}")


def has_ipv6() -> bool:
    """Whether this machine has an IPv6 loopback; containers often have none."""
    return _binds(socket.AF_INET6, socket.SOCK_DGRAM, "::1", 0)


def _free(port: int) -> bool:
    return all(
        _binds(family, kind, host, port)
        for family, host in _BOTH[: 1 + has_ipv6()]
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM)
    )


def _binds(family: int, kind: int, host: str, port: int) -> bool:
    with socket.socket(family, kind) as probe:
        if kind == socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
