"""Ports that nothing else uses, below the range that the kernel gives away by itself."""

import random
import socket

LOWEST, HIGHEST = 10000, 32000

_BOTH = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))


class Ports:
    """Hands out ports that were free a moment ago, each only once."""

    def __init__(self) -> None:
        self._given: set[int] = set()
        self._random = random.Random()

    def one(self) -> int:
        """Return a port free for UDP and TCP, IPv4 and IPv6."""
        return self.block(1)

    def block(self, count: int) -> int:
        """Return the first of `count` free ports in a row; the first is even."""
        for _ in range(2000):
            first = self._random.randrange(LOWEST, HIGHEST - count) & ~1
            wanted = range(first, first + count)
            if self._given.isdisjoint(wanted) and all(_free(port) for port in wanted):
                self._given.update(wanted)
                return first
        raise AssertionError(f"found no {count} free ports between {LOWEST} and {HIGHEST}")


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
