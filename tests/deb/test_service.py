"""The installed package on a machine with systemd: calls, upgrade, `minisip update`, removal."""

import json
import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.deb.installed import InstalledExchange
from tests.deb.machine import Machine
from tests.deb.packages import Variant
from tests.deb.roots import System
from tests.deb.unit_root import rc_local
from tests.interop.baresip import Baresip
from tests.interop.conversation import HIGH_HZ, LOW_HZ, TALK_S, talk, two_phones
from tests.interop.ports import Ports
from tests.interop.tones import assert_pure_tone
from tests.interop.waiting import until

pytestmark = [pytest.mark.interop, pytest.mark.timeout(1800)]

NewPhone = Callable[..., Baresip]
NewVariant = Callable[[str], Variant]

thorough = pytest.mark.deb_test
"""Only in `./build.sh deb-test`."""


@pytest.fixture(autouse=True)
def _native(system: System) -> None:
    if not system.native:
        pytest.skip("systemd does not run under user-mode emulation; the boot test runs it on ARM")


def update_status(machine: Machine) -> dict[str, str]:
    ran = machine.run("minisip", "update", "--status", "--json")
    answer: dict[str, str] = json.loads(ran.stdout) or {}
    return answer


def version(machine: Machine) -> str:
    return machine.done("dpkg-query", "-W", "-f=${Version}", "minisipserver")


def real_time_threads(machine: Machine) -> int:
    """Return how many threads of the media engine run at real-time priority."""
    engine = json.loads(machine.done("minisip", "status", "--json"))["engine_pid"]
    threads = (machine.root / f"proc/{engine}/task").iterdir()
    # proc(5): the 41st field is the policy, 1 for SCHED_FIFO; the second may have blanks in it.
    fields = [(thread / "stat").read_text().rpartition(") ")[2].split() for thread in threads]
    return [one[38] for one in fields].count("1")


def may_be_real_time(machine: Machine, pid: int) -> bool:
    """Return whether this machine let systemd raise the limit (it takes CAP_SYS_RESOURCE)."""
    limits = (machine.root / f"proc/{pid}/limits").read_text()
    line = next(line for line in limits.splitlines() if "realtime priority" in line)
    return line.split()[3] != "0"


def put(machine: Machine, deb: Path) -> str:
    """Copy a package file to the machine, as from a USB stick; return its path there."""
    target = machine.root / "root" / f"new-{deb.name}"
    target.write_bytes(deb.read_bytes())
    return f"/root/{target.name}"


class TestService:
    @thorough
    def test_a_call_with_sound_under_all_protections(
        self, machine: Machine, exchange: InstalledExchange, new_phone: NewPhone
    ) -> None:
        caller, callee = two_phones(exchange, new_phone, register_s=3600)
        talk(caller, callee)
        # Nobody has compiled anything: the package's kernels were good.
        assert not (machine.root / "var/cache/minisipserver/kernels").exists()
        packet_threads = max(len(os.sched_getaffinity(0)) - 1, 1)
        allowed = may_be_real_time(machine, exchange.pid)
        assert real_time_threads(machine) == (packet_threads if allowed else 0)
        caller.hang_up()
        callee.wait_event("CALL_CLOSED")
        assert_pure_tone(caller.recording(), HIGH_HZ, LOW_HZ, at_least_s=TALK_S)
        (record,) = exchange.wait_records(1)
        assert (record["caller_number"], record["dialed_number"]) == ("100", "101")
        log = exchange.log()
        assert "Traceback" not in log
        assert "real-time" not in log

    @thorough
    def test_the_group_may_run_it_and_others_not(
        self, machine: Machine, exchange: InstalledExchange
    ) -> None:
        machine.done("useradd", "--groups", "minisip", "clerk")
        machine.done("useradd", "stranger")
        command = ("minisip", "status")
        clerk = machine.run("setpriv", "--reuid=clerk", "--regid=clerk", "--init-groups", *command)
        assert clerk.returncode == 0, clerk.stderr
        words = ("--reuid=stranger", "--regid=stranger", "--init-groups")
        stranger = machine.run("setpriv", *words, *command)
        assert stranger.returncode != 0
        secret = machine.run(
            "setpriv", *words[:2], "--init-groups", "ls", "/home/pi/.minisipserver"
        )
        assert secret.returncode != 0

    @thorough
    def test_what_hangs_is_replaced_by_the_watchdog(
        self, machine: Machine, exchange: InstalledExchange, new_phone: NewPhone
    ) -> None:
        caller, callee = two_phones(exchange, new_phone, register_s=3600)
        talk(caller, callee)
        first = exchange.pid
        heard = caller.heard_s(HIGH_HZ)
        machine.done("systemctl", "kill", "-s", "STOP", "--kill-who=main", "minisipserver")
        until(
            "systemd has started another exchange",
            lambda: exchange.pid not in (0, first),
            60,
            why_not=exchange.why,
        )
        exchange.wait_ready()
        # The media engine has gone on, and the new exchange is in the call.
        caller.wait_heard(HIGH_HZ, heard + TALK_S)
        (running,) = exchange.running_calls()
        assert running.state == "talking"
        caller.hang_up()
        callee.wait_event("CALL_CLOSED")
        exchange.wait_records(1)

    @thorough
    def test_data_elsewhere(self, machine: Machine, exchange: InstalledExchange) -> None:
        folder = machine.root / "srv/minisip"
        folder.mkdir()
        owner = (machine.root / "home/pi").stat()
        os.chown(folder, owner.st_uid, owner.st_gid)
        settings = exchange.folder / "minisip.toml"
        (folder / "minisip.toml").write_text(settings.read_text())
        page = machine.done("man", "-P", "cat", "minisipserver-cli")
        example = page[page.index("[Service]") : page.index("ReadWritePaths=/srv/minisip")]
        drop_in = machine.root / "etc/systemd/system/minisipserver.service.d/data.conf"
        drop_in.parent.mkdir(parents=True)
        lines = [*example.splitlines(), "ReadWritePaths=/srv/minisip"]
        drop_in.write_text("\n".join(line.strip() for line in lines) + "\n")
        machine.done("systemctl", "daemon-reload")
        exchange.start()
        assert (folder / "minisipserver.db").exists() or list(folder.glob("*.db*"))
        assert exchange.try_status() is not None


def shown(machine: Machine, *names: str) -> dict[str, str]:
    """Return properties of the service, as systemd has them in force."""
    words = [f"--property={name}" for name in names]
    lines = machine.done("systemctl", "show", *words, "minisipserver").splitlines()
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def exchange_of(machine: Machine) -> list[str]:
    """Return the command lines of exchange and media engine, where they run."""
    return machine.processes("minisipserver-cli") + machine.processes("pbx.media.engine")


class TestAutostart:
    """The post on starting with the system; its statements by systemd's tools alone are in `tests/posts`."""

    def test_T9_1_T9_2_enabled_it_starts_with_the_machine_without_mariadb(
        self,
        machine: Machine,
        own_root: Path,
        ports: Ports,
        new_phone: NewPhone,
        closing: ExitStack,
    ) -> None:
        assert machine.run("sh", "-c", "command -v mariadbd || command -v mysqld").stdout == ""
        exchange = InstalledExchange(machine, ports)
        machine.done("systemctl", "enable", "minisipserver")
        # The plug is pulled, and nobody starts the exchange.
        machine.close()
        again = closing.enter_context(Machine(own_root))
        exchange.is_on(again)
        exchange.wait_ready()
        now = shown(
            again, "Description", "After", "Wants", "Requires", "User", "KillMode", "MainPID"
        )
        assert (now["Description"], now["User"], now["KillMode"]) == (
            "miniSIPServer",
            "pi",
            "process",
        )
        assert "network.target" in now["Requires"].split()
        assert "network.target" in now["After"].split()
        assert "mariadb" not in now["Requires"] + now["Wants"] + now["After"]
        caller, callee = two_phones(exchange, new_phone)
        talk(caller, callee)
        # T9.3: the main process alone is told to end, and nothing is left.
        again.done("systemctl", "stop", "minisipserver")
        callee.wait_event("CALL_CLOSED")
        ended = shown(again, "ActiveState", "Result", "ExecMainStatus")
        assert ended == {"ActiveState": "inactive", "Result": "success", "ExecMainStatus": "0"}
        until("nothing is left", lambda: not exchange_of(again), 20)

    @thorough
    def test_T9_4_from_rc_local(
        self,
        machine: Machine,
        own_root: Path,
        ports: Ports,
        new_phone: NewPhone,
        closing: ExitStack,
    ) -> None:
        """As systemd/README.md says, word for word."""
        exchange = InstalledExchange(machine, ports)
        script = own_root / "etc/rc.local"
        script.write_text(rc_local())
        script.chmod(0o755)
        machine.run("systemctl", "disable", "minisipserver")
        machine.close()
        again = closing.enter_context(Machine(own_root))
        exchange.is_on(again)
        # The folder /run/minisipserver is the unit's doing.
        exchange.socket = exchange.folder / "control.sock"
        exchange.wait_ready()
        assert shown(again, "ActiveState") == {"ActiveState": "inactive"}
        assert again.done("systemctl", "is-active", "rc-local").strip() == "active"
        caller, callee = two_phones(exchange, new_phone)
        talk(caller, callee)
        again.done("sh", "-c", f"kill {exchange.status().pid}")
        callee.wait_event("CALL_CLOSED")
        until("nothing is left", lambda: not exchange_of(again), 20)
        exchange.wait_records(1)


class TestUpdate:
    def test_a_newer_version_while_people_talk(
        self,
        machine: Machine,
        exchange: InstalledExchange,
        new_phone: NewPhone,
        variant: NewVariant,
    ) -> None:
        caller, callee = two_phones(exchange, new_phone, register_s=3600)
        talk(caller, callee)
        # Nobody has compiled anything: the package's kernels were good.
        assert not (machine.root / "var/cache/minisipserver/kernels").exists()
        newer = variant("0.2.0")
        newer.number()
        before = version(machine)
        file = put(machine, newer.pack())

        ran = machine.run("minisip", "update", file, language="zh_CN.UTF-8")

        assert ran.returncode == 0, ran.stdout + ran.stderr + machine.failed()
        assert f"已更新到 {newer.version}。" in ran.stdout
        # The old exchange has said good-bye, and the record is there.
        for phone in (caller, callee):
            phone.wait_event("CALL_CLOSED")
        (record,) = exchange.wait_records(1)
        assert record["release_time"]
        assert exchange.status().version == newer.version
        assert version(machine) == newer.version
        status = update_status(machine)
        assert (status["step"], status["last"]) == ("done", before)
        # Phones are registered as before, and calls go through.
        (contact,) = exchange.users()["101"].contacts
        assert contact.source == f"udp {callee.sip}"
        for phone in (caller, callee):
            phone.close()
        caller, callee = two_phones(exchange, new_phone, register_s=3600)
        talk(caller, callee)
        caller.hang_up()
        exchange.wait_records(2)

    @thorough
    def test_back_by_hand(self, machine: Machine, variant: NewVariant) -> None:
        newer = variant("0.2.0")
        newer.number()
        before = version(machine)
        # A small system has dpkg leave man pages out, which it lists all the same.
        page = "/usr/share/man/man1/minisip.1.gz"
        (machine.root / page[1:]).unlink()
        ran = machine.run("minisip", "update", put(machine, newer.pack()))
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert version(machine) == newer.version
        kept = "/var/lib/minisipserver/packages/last.deb"
        back = machine.run("minisip", "update", kept)
        assert back.returncode == 0, back.stdout + back.stderr
        assert version(machine) == before
        # What was packed from the installed files is the package that they came from, but for what the
        # system had left out: that is no part of it any more, so dpkg misses nothing.
        assert machine.run("dpkg", "--verify", "minisipserver").stdout == ""
        assert page not in machine.run("dpkg", "--listfiles", "minisipserver").stdout.splitlines()

    @pytest.mark.parametrize(
        "fault", ["does not start", pytest.param("cannot be installed", marks=thorough)]
    )
    def test_a_broken_version_is_taken_back(
        self,
        machine: Machine,
        exchange: InstalledExchange,
        variant: NewVariant,
        fault: str,
    ) -> None:
        broken = variant("0.2.0")
        if fault == "does not start":
            program = broken.root / "opt/sipserver/minisipserver-cli"
            program.write_text("#!/bin/sh\necho 'a part is missing' >&2\nexit 70\n")
        else:
            broken.edit("DEBIAN/postinst", r"(?m)^set -e$", "set -e\necho no >&2\nexit 3")
        before = version(machine)
        users = exchange.users().keys()
        file = put(machine, broken.pack())

        ran = machine.run("minisip", "update", file)

        assert ran.returncode == 1, ran.stdout + ran.stderr
        last = ran.stdout.strip().splitlines()[-1]
        assert f"The update to {broken.version} was taken back." in last
        assert f"{before} is running again." in last
        assert version(machine) == before
        assert exchange.status().engine_pid > 0
        assert exchange.users().keys() == users
        assert machine.done("dpkg", "--audit") == ""
        status = machine.run("minisip", "update", "--status")
        assert (status.returncode, status.stdout.strip()) == (1, last)
        assert f"update to {broken.version}: returned" in machine.journal("minisipserver-update")

    @thorough
    def test_power_fails_during_the_installation(
        self,
        machine: Machine,
        exchange: InstalledExchange,
        variant: NewVariant,
        own_root: Path,
        tmp_path: Path,
    ) -> None:
        newer = variant("0.2.0")
        newer.number()
        before = version(machine)
        # The installation hangs half way ...
        script = newer.root / "DEBIAN/preinst"
        script.write_text("#!/bin/sh\ntouch /root/begun\nexec sleep 1000\n")
        script.chmod(0o755)
        file = put(machine, newer.pack())
        machine.done("systemd-run", "minisip", "update", file)
        begun = machine.root / "root/begun"
        until("dpkg has begun", begun.exists, 120, why_not=machine.failed)
        # ... and the plug is pulled.
        machine.close()
        (own_root / "root/begun").unlink()

        with Machine(own_root) as again:
            until(
                "the update has been gone back from",
                lambda: update_status(again).get("step") == "returned",
                180,
                why_not=lambda: again.journal("minisipserver-update") + again.failed(),
            )
            assert update_status(again)["why"] == "power"
            assert version(again) == before
            assert again.done("dpkg", "--audit") == ""
            assert "running" in again.done("minisip", "status")

    @thorough
    def test_refused_without_a_change(
        self, machine: Machine, variant: NewVariant, deb: Path, system: System
    ) -> None:
        before = version(machine)
        other = variant("0.2.0")
        other.edit("DEBIAN/control", r"(?m)^Architecture: .*$", "Architecture: riscv64")
        wrong = put(machine, other.pack())
        cut = machine.root / "root/cut.deb"
        cut.write_bytes(deb.read_bytes()[:30_000_000])
        for file, words in (
            (wrong, f"is for riscv64; this machine is {system.arch}"),
            ("/root/cut.deb", "is damaged"),
            ("/root/none.deb", "cannot be read"),
            ("/etc/passwd", "is no Debian package"),
        ):
            ran = machine.run("minisip", "update", file)
            assert ran.returncode == 1
            assert words in ran.stderr
            assert len(ran.stderr.splitlines()) == 1
        assert version(machine) == before
        assert not (machine.root / "var/lib/minisipserver").exists()

    @thorough
    def test_an_ordinary_user_is_asked_for_root(
        self, machine: Machine, variant: NewVariant
    ) -> None:
        file = put(machine, variant("0.2.0").pack())
        machine.done("chmod", "755", "/root")
        machine.done("useradd", "clerk")
        ran = machine.run(
            "setpriv", "--reuid=clerk", "--regid=clerk", "--init-groups", "minisip", "update", file
        )
        assert ran.returncode != 0
        assert "sudo" in ran.stderr
        assert not (machine.root / "var/lib/minisipserver").exists()


@thorough
class TestRemoval:
    def test_removed_while_it_runs(
        self, machine: Machine, exchange: InstalledExchange, new_phone: NewPhone
    ) -> None:
        caller, callee = two_phones(exchange, new_phone, register_s=3600)
        talk(caller, callee)
        machine.done("dpkg", "--purge", "minisipserver")
        callee.wait_event("CALL_CLOSED")
        assert len(exchange.records()) == 1
        assert not (machine.root / "opt/sipserver").exists()
        assert not machine.processes("sipserver")
        assert "minisip" not in machine.done("systemctl", "list-unit-files")
