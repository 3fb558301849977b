"""Fixtures: clean systems, the package in them, and machines that run them."""

import os
import shutil
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


ALL = os.environ.get("MINISIP_DEB_TEST") == "all"
"""`./build.sh deb-test`: every system, every test. Else one, and the tests that matter most."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the thorough ones out, where not all are wanted."""
    out = [item for item in items if item.get_closest_marker("deb_test") and not ALL]
    if out:
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if item not in out]


@pytest.fixture(scope="session", params=SYSTEMS if ALL else [HERE], ids=lambda system: system.name)
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
    return root, install(system, deb, root)


def install(system: System, deb: Path, root: Path) -> "subprocess.CompletedProcess[str]":
    """Make a clean root, and have dpkg put the package into it; return what dpkg said."""
    system.unpack(root)
    inside = root / "root" / deb.name
    shutil.copyfile(deb, inside)
    done = chroot(system, root, "dpkg", "-i", f"/root/{deb.name}")
    inside.unlink()
    return done


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
