"""Fixtures: clean systems, the package in them, and machines that run them."""

import os
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.deb import packages
from tests.deb.installed import InstalledExchange
from tests.deb.machine import Machine, chroot, copy
from tests.deb.roots import System
from tests.interop.conftest import closing, new_phone, ports
from tests.interop.ports import Ports

__all__ = ["closing", "new_phone", "ports"]

SYSTEMS = [
    System("trixie", "3.13", "amd64"),
    System("bookworm", "3.11", "amd64"),
    System("trixie", "3.13", "arm64"),
    System("bookworm", "3.11", "arm64"),
]

HERE = next(system for system in SYSTEMS if system.native)


def chosen() -> list[System]:
    """Return the systems to be tested: one, or as `./build.sh deb-test` says, all."""
    return SYSTEMS if os.environ.get("MINISIP_DEB_TEST") == "all" else [HERE]


@pytest.fixture(scope="session", params=chosen(), ids=lambda system: system.name)
def system(request: pytest.FixtureRequest) -> System:
    """Return a system to be tested."""
    if os.geteuid() != 0:
        pytest.skip("installing a package into a root takes root: sudo ./build.sh test tests/deb")
    chosen: System = request.param
    return chosen


@pytest.fixture(scope="session")
def deb(system: System) -> Path:
    """Return the package for the system."""
    return packages.built(system.arch, system.python)


@pytest.fixture(scope="session")
def installation(
    system: System, deb: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, "subprocess.CompletedProcess[str]"]:
    """Return a clean root into which dpkg has put the package, and what dpkg said."""
    root = tmp_path_factory.mktemp("deb") / "root"
    system.unpack(root)
    inside = root / "root" / deb.name
    inside.hardlink_to(deb) if _same_disk(root, deb) else inside.write_bytes(deb.read_bytes())
    done = chroot(system, root, "dpkg", "-i", f"/root/{deb.name}")
    return root, done


def _same_disk(one: Path, other: Path) -> bool:
    return one.stat().st_dev == other.stat().st_dev


@pytest.fixture
def root(
    installation: tuple[Path, "subprocess.CompletedProcess[str]"],
) -> Path:
    """Return the root with the package, not to be changed."""
    root, done = installation
    assert done.returncode == 0, done.stdout + done.stderr
    return root


@pytest.fixture
def own_root(root: Path, tmp_path: Path) -> Path:
    """Return a copy of it."""
    return copy(root, tmp_path / "root")


@pytest.fixture
def machine(system: System, own_root: Path, closing: ExitStack) -> Machine:
    """Return a machine that has started from a copy of the root; the exchange is still stopped."""
    (own_root / "etc/systemd/system/minisipserver.service").unlink(missing_ok=True)
    wants = own_root / "etc/systemd/system/multi-user.target.wants/minisipserver.service"
    wants.unlink()
    return closing.enter_context(Machine(own_root))


@pytest.fixture
def exchange(machine: Machine, ports: Ports) -> InstalledExchange:
    """Return the machine's exchange, running."""
    machine.done("systemctl", "enable", "minisipserver")
    exchange = InstalledExchange(machine, ports)
    exchange.start()
    return exchange


@pytest.fixture
def variant(deb: Path, tmp_path: Path) -> Callable[[str], packages.Variant]:
    """Return a function that begins another version of the package."""
    return lambda version: packages.Variant(deb, tmp_path / "variants", version)
