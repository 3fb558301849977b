"""A home network, its router that translates addresses (NAT), and a carrier outside.

Three network namespaces of the kernel's, with its own masquerading between them: what is in one of
them reaches the others by the router alone. Addresses outside are such as the Internet has; nothing
of them leaves the machine.
"""

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

HOME, INSIDE, NEXT_HOME = "192.168.222.2", "192.168.222.1", "192.168.222.77"
"""The exchange's address, the router's on its side, and what the exchange's machine gets later."""

PUBLIC, NEXT_PUBLIC = "11.22.33.7", "11.22.33.99"
"""The router's address outside, and the one that it gets later."""

CARRIER = "11.22.33.1"

_CLONE_NEWNET = 0x40000000

_TRANSLATION = """\
table ip translation {
  chain out {
    type nat hook postrouting priority srcnat;
    oifname "outside" masquerade
  }
  chain pass {
    type filter hook forward priority filter; policy drop;
    iifname "inside" accept
    ct state established,related accept
  }
}
"""


class NoNat(Exception):
    """This machine can't have one; says why."""


class HomeNetwork:
    """The networks; the test's own thread, and what it starts, is in the home.

    Args:
        closing: takes them away.

    Raises:
        NoNat: we aren't root, or something is missing.
    """

    def __init__(self, closing: ExitStack) -> None:
        if os.geteuid():
            raise NoNat("only root makes network namespaces")
        for name in ("ip", "nft"):
            if shutil.which(name) is None:
                raise NoNat(f"the program {name} is missing")
        self._closing = closing
        mark = f"minisip-{os.getpid()}"
        self.home, self.router, self.carrier = (
            f"{mark}-{each}" for each in ("home", "router", "carrier")
        )
        for name in (self.home, self.router, self.carrier):
            self._make(name)
        self._join(self.home, "router", HOME, "inside", INSIDE)
        self._join(self.carrier, "network", CARRIER, "outside", PUBLIC)
        _do("ip", "-n", self.home, "route", "add", "default", "via", INSIDE)
        self._in_router("sysctl", "-qw", "net.ipv4.ip_forward=1")
        self._in_router("nft", "-f", "-", text=_TRANSLATION)
        closing.enter_context(inside(self.home))

    def _make(self, name: str) -> None:
        try:
            _do("ip", "netns", "add", name)
        except AssertionError as error:
            raise NoNat(f"no network namespaces here: {error}") from None
        self._closing.callback(_do, "ip", "netns", "del", name)
        _do("ip", "-n", name, "link", "set", "lo", "up")

    def _join(self, name: str, device: str, address: str, routers: str, its: str) -> None:
        """Lay a cable from a network to the router."""
        peer = ("peer", "name", routers, "netns", self.router)
        _do("ip", "-n", name, "link", "add", device, "type", "veth", *peer)
        for where, what, own in ((name, device, address), (self.router, routers, its)):
            _do("ip", "-n", where, "address", "add", f"{own}/24", "dev", what)
            _do("ip", "-n", where, "link", "set", what, "up")

    def _in_router(self, *argv: str, text: str = "") -> None:
        _do("ip", "netns", "exec", self.router, *argv, text=text)

    def reconnect(self) -> None:
        """Have the router get another address outside; what it has translated is forgotten."""
        for what, address in (("del", PUBLIC), ("add", NEXT_PUBLIC)):
            _do("ip", "-n", self.router, "address", what, f"{address}/24", "dev", "outside")

    def move(self) -> None:
        """Have the machine in the home get another address; it is never without one."""
        # Or the second address would go with the first one
        stays = "net.ipv4.conf.all.promote_secondaries=1"
        _do("ip", "netns", "exec", self.home, "sysctl", "-qw", stays)
        for what, address in (("add", NEXT_HOME), ("del", HOME)):
            _do("ip", "-n", self.home, "address", what, f"{address}/24", "dev", "router")


@contextmanager
def inside(name: str) -> Iterator[None]:
    """Be in a network namespace, and start in it what is started meanwhile."""
    before = Path("/proc/thread-self/ns/net")
    with before.open() as home, Path(f"/run/netns/{name}").open() as there:
        _enter(there.fileno())
        try:
            yield
        finally:
            _enter(home.fileno())


def _enter(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def _do(*argv: str, text: str = "") -> None:
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
    assert not done.returncode, f"{' '.join(argv)}: {done.stderr.strip()}"
