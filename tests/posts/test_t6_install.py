"""在 Ubuntu 22.04 系统上运行 miniSIPServer, the post on Ubuntu 22.04: T6.1, installed and a call made.

| | tried | by |
|---|---|---|
| this system | `./build.sh run`, and a call | every run of the tests |
| Debian 13 | the package, on a machine of its own, calls and an update | every run (`tests/deb`) |
| Debian 12 and 13, amd64 and arm64 | the package, and a call | `./build.sh deb-test` |
| Debian 12 as an ordinary user, Debian 13 as root, on this processor | `./build.sh run` from nothing, and a call | `./build.sh deb-test` |
| Ubuntu 22.04 and 24.04 | that each compiled part of the package runs on glibc 2.35 and GCC 12's libstdc++ | every run (`tests/deb/test_content.py`) |

Ubuntu itself can't be had where these tests were written: there is no mirror of it.
"""

import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.deb.packages import PROJECT
from tests.deb.roots import System
from tests.interop.baresip import Baresip
from tests.interop.conversation import HIGH_HZ, LOW_HZ, talk
from tests.interop.ports import Ports
from tests.posts.clean_system import HOME, SETUP_S, USER, CleanSystem, StartedByBuild

pytestmark = [pytest.mark.interop, pytest.mark.timeout(2 * SETUP_S)]

NewPhone = Callable[..., Baresip]

SMALLEST = "sudo,passwd,ca-certificates"
"""What a person's system has of what we use: neither Python nor venv."""

thorough = pytest.mark.skipif(
    os.environ.get("MINISIP_DEB_TEST") != "all", reason="./build.sh deb-test tries it"
)


def smoke_call(exchange: StartedByBuild, new_phone: NewPhone) -> None:
    """Register two phones with what was printed; they talk, and the call leaves its record."""
    told = exchange.told_passwords()
    callee = new_phone("101", exchange.host, HIGH_HZ, password=told["101"])
    caller = new_phone("100", exchange.host, LOW_HZ, password=told["100"])
    talk(caller, callee)
    caller.hang_up()
    callee.wait_event("CALL_CLOSED")
    (record,) = exchange.wait_records(1)
    assert (record["caller_number"], record["dialed_number"]) == ("100", "101")
    for phone in (caller, callee):
        phone.close()
    assert exchange.interrupt() == 0
    assert "Traceback" not in exchange.log()


def test_T6_1_run_here_and_a_call(
    ports: Ports, new_phone: NewPhone, tmp_path: Path, closing: ExitStack
) -> None:
    folder = tmp_path / "data"
    argv = [str(PROJECT / "build.sh"), "run", "--data-dir", str(folder)]
    exchange = StartedByBuild(folder, ports, tmp_path, argv)
    closing.callback(exchange.close)
    exchange.start()
    smoke_call(exchange, new_phone)


@thorough
@pytest.mark.parametrize(("suite", "user"), [("bookworm", USER), ("trixie", "root")])
def test_T6_1_run_in_a_clean_system_and_a_call(
    suite: str, user: str, ports: Ports, new_phone: NewPhone, tmp_path: Path, closing: ExitStack
) -> None:
    if os.geteuid() != 0:
        pytest.skip("a clean system takes root: sudo ./build.sh deb-test")
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
    system = CleanSystem(System(suite, "", architecture, SMALLEST), tmp_path / "root", tmp_path)
    folder = "root" if user == "root" else HOME
    exchange = StartedByBuild(
        system.root / folder / ".minisipserver",
        ports,
        tmp_path,
        system.argv("./build.sh", "run", user=user),
    )
    exchange.folder.chmod(0o700)
    system.done("chown", "-R", f"{user}:{user}", f"/{folder}/.minisipserver")
    closing.callback(exchange.close)
    exchange.start()
    smoke_call(exchange, new_phone)
