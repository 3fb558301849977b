"""The package beside Debian's own MariaDB, both services of one machine: T9.1 of the posts."""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.deb.conftest import install
from tests.deb.installed import InstalledExchange
from tests.deb.machine import Machine
from tests.deb.roots import PACKAGES, System
from tests.interop.baresip import Baresip
from tests.interop.conversation import HIGH_HZ, TALK_S, talk, two_phones
from tests.interop.ports import Ports
from tests.interop.waiting import until

pytestmark = [pytest.mark.interop, pytest.mark.timeout(1800), pytest.mark.deb_test]

NewPhone = Callable[..., Baresip]

# As MANUAL.md has it.
SQL = """\
CREATE DATABASE minisip CHARACTER SET utf8mb4;
CREATE USER minisip@localhost IDENTIFIED BY 'secret';
GRANT ALL ON minisip.* TO minisip@localhost;
"""

FORMS = "/usr/share/minisipserver/with-mariadb"
UNITS = "/etc/systemd/system"


@pytest.fixture(scope="module")
def installation(
    system: System, deb: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, "subprocess.CompletedProcess[str]"]:
    """Return a root with MariaDB and the package, and what dpkg said of the package."""
    if not system.native:
        pytest.skip("systemd does not run under user-mode emulation; the boot test runs it on ARM")
    packages = f"python{system.python},{PACKAGES},mariadb-server"
    root = tmp_path_factory.mktemp("mariadb") / "root"
    return root, install(replace(system, packages=packages), deb, root)


@pytest.fixture
def exchange(machine: Machine, ports: Ports) -> InstalledExchange:
    """Return the machine's exchange, not started, with its database in MariaDB."""
    until(
        "MariaDB runs",
        lambda: machine.run("systemctl", "is-active", "mariadb").stdout.strip() == "active",
        120,
        why_not=lambda: machine.journal("mariadb"),
    )
    machine.done("mariadb", "--execute", SQL)
    return InstalledExchange(
        machine, ports, top='database = "mysql://minisip:secret@localhost/minisip"'
    )


def rows(machine: Machine) -> int:
    """Return how many call records MariaDB has."""
    asked = ("--skip-column-names", "--batch", "--execute", "SELECT COUNT(*) FROM minisip.cdr")
    return int(machine.done("mariadb", *asked))


def test_T9_1_calls_go_on_without_it_and_records_come_later(
    machine: Machine, exchange: InstalledExchange, new_phone: NewPhone
) -> None:
    machine.done("mkdir", f"{UNITS}/minisipserver.service.d")
    machine.done("cp", f"{FORMS}/40-mariadb.conf", f"{UNITS}/minisipserver.service.d")
    machine.done("systemctl", "daemon-reload")
    exchange.start()
    assert exchange.status().database == "mysql"
    pid = exchange.pid
    caller, callee = two_phones(exchange, new_phone, register_s=3600)
    talk(caller, callee)
    heard = caller.heard_s(HIGH_HZ)
    machine.done("systemctl", "stop", "mariadb")
    caller.wait_heard(HIGH_HZ, heard + TALK_S)
    mark = callee.mark
    caller.hang_up()
    callee.wait_event("CALL_CLOSED", after=mark)
    talk(caller, callee)
    machine.done("systemctl", "start", "mariadb")
    mark = callee.mark
    caller.hang_up()
    callee.wait_event("CALL_CLOSED", after=mark)
    exchange.wait_records(2)
    until("both records arrive", lambda: rows(machine) == 2, 60, why_not=exchange.why)
    assert exchange.pid == pid


def test_T9_1_the_post_s_own_form_ends_with_it(
    machine: Machine, exchange: InstalledExchange, new_phone: NewPhone
) -> None:
    """What is better in ours."""
    machine.done("cp", f"{FORMS}/minisipserver.service", UNITS)
    machine.done("systemctl", "daemon-reload")
    exchange.start()
    caller, callee = two_phones(exchange, new_phone, register_s=3600)
    talk(caller, callee)
    machine.done("systemctl", "stop", "mariadb")
    callee.wait_event("CALL_CLOSED")
    assert machine.run("systemctl", "is-active", "minisipserver").stdout.strip() == "inactive"
    (record,) = exchange.wait_records(1)
    assert record["release_time"]
