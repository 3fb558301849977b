"""Ports that nothing else uses, below the range that the kernel gives away by itself."""

import os
import random
import socket
import sys
import threading
from typing import ClassVar, Self


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

_PARTS = ((1, 1 / 8), (399, 3 / 8), (sys.maxsize, 1 / 2))
"""Up to how many in a row come from which share of the range: small ones break no part into pieces."""

_RANDOM = random.Random()

_BOTH = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))


def _part(count: int) -> tuple[int, int]:
    """Return where blocks of so many ports come from."""
    lowest = LOWEST
    for most, share in _PARTS:
        highest = lowest + int((HIGHEST - LOWEST) * share)
        if count <= most:
            return lowest, highest
        lowest = highest
    raise AssertionError(f"no part of the range is for {count} ports")


class Ports:
    """Hands out ports that were free a moment ago, each only once, and none that another one has given.

    They are its own until it is closed: many are open now and then only.
    """

    _given: ClassVar[set[int]] = set()
    """By all sources that are open."""

    _lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self) -> None:
        self._own: set[int] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give all ports back; whatever used them is closed."""
        self._given.difference_update(self._own)
        self._own.clear()

    def one(self) -> int:
        """Return a port free for UDP and TCP, IPv4 and IPv6."""
        return self.block(1)

    def block(self, count: int) -> int:
        """Return the first of `count` free ports in a row; the first is even."""
        lowest, highest = _part(count)
        with self._lock:
            for _ in range(2000):
                first = _RANDOM.randrange(lowest, highest - count) & ~1
                wanted = range(first, first + count)
                if self._given.isdisjoint(wanted) and all(_free(port) for port in wanted):
                    self._given.update(wanted)
                    self._own.update(wanted)
                    return first
        held = len(self._given)
        raise AssertionError(
            f"found no {count} free ports between {lowest} and {highest}; {held} are held"
        )


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
