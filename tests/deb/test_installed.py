"""The package put by dpkg into a clean system in which nothing runs, as an image builder does it."""

import re
import shutil
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.deb.installed import ForegroundExchange
from tests.deb.machine import chroot
from tests.deb.packages import PROJECT, Variant
from tests.deb.roots import System
from tests.interop.baresip import Baresip
from tests.interop.ports import Ports

pytestmark = [pytest.mark.interop, pytest.mark.timeout(1800)]

LOW_HZ, HIGH_HZ = 440.0, 880.0

Installation = tuple[Path, "subprocess.CompletedProcess[str]"]


def test_dpkg_is_content_and_starts_nothing(system: System, installation: Installation) -> None:
    root, done = installation
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Setting up minisipserver" in done.stdout
    for word in ("Traceback", "error", "warning"):
        assert word not in done.stdout + done.stderr
    assert not (root / "home/pi/.minisipserver").exists()
    assert chroot(system, root, "dpkg", "--verify", "minisipserver").stdout == ""
    assert chroot(system, root, "dpkg", "--audit").stdout == ""


@pytest.fixture(scope="module")
def clean(system: System, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clean root in which nothing gets installed."""
    root = tmp_path_factory.mktemp("clean") / "root"
    system.unpack(root)
    return root


class TestRefusals:
    """T4.1 of the posts: before anything of the package is there."""

    LANGUAGES = ("C.UTF-8", "zh_CN.UTF-8")

    @staticmethod
    def sentence(
        system: System, clean: Path, deb: Path, language: str, *edits: tuple[str, str]
    ) -> str:
        """Install the package's scripts alone, with edits; return what they say when dpkg fails."""
        small = clean / "root/small"
        shutil.rmtree(small, ignore_errors=True)
        small.mkdir()
        subprocess.run(["dpkg-deb", "-e", str(deb), str(small / "DEBIAN")], check=True)
        (small / "DEBIAN/md5sums").unlink()
        for name in ("control", "preinst", "postinst"):
            path = small / "DEBIAN" / name
            for pattern, text in edits:
                path.write_text(re.sub(pattern, text, path.read_text()))
        command = ["dpkg-deb", "--root-owner-group", "-b", str(small), f"{small}.deb"]
        subprocess.run(command, check=True, capture_output=True)
        done = chroot(system, clean, "dpkg", "-i", "/root/small.deb", language=language)
        assert done.returncode != 0
        chroot(system, clean, "dpkg", "--remove", "minisipserver")
        (said,) = [
            line
            for line in done.stderr.splitlines()
            if line.startswith(("minisipserver: ", "minisipserver："))
        ]
        return said

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_T4_1_another_architecture(
        self, system: System, clean: Path, deb: Path, language: str
    ) -> None:
        """As a 32-bit edition whose dpkg was told to take packages of 64 bits, too."""
        chroot(system, clean, "dpkg", "--add-architecture", "ppc64el")
        edit = (r"(?m)^Architecture: .*$", "Architecture: ppc64el")
        said = self.sentence(system, clean, deb, language, edit)
        assert "ppc64el" in said
        assert system.arch in said
        assert said.endswith("." if language == "C.UTF-8" else "。")

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_T4_1_another_python(
        self, system: System, clean: Path, deb: Path, language: str
    ) -> None:
        """dpkg refuses it; which package is the right one, dpkg can't say."""
        edit = (rf"ython( ?){re.escape(system.python)}", r"ython\g<1>3.12")
        said = self.sentence(system, clean, deb, language, edit)
        assert "Python 3.12" in said
        assert "+py311" in said


def test_accounts(system: System, root: Path) -> None:
    entry = chroot(system, root, "getent", "passwd", "pi").stdout.strip().split(":")
    assert entry[5:] == ["/home/pi", "/usr/sbin/nologin"]
    assert (root / "home/pi").stat().st_uid == int(entry[2])
    assert chroot(system, root, "getent", "group", "minisip").returncode == 0


def test_the_commands_run(system: System, root: Path) -> None:
    for command in ("minisipserver-cli", "minisip"):
        done = chroot(system, root, command, "--version")
        assert (done.returncode, done.stdout) == (0, "miniSIPServer 0.1.0\n"), done.stderr
    done = chroot(system, root, "minisip", "status", language="zh_CN.UTF-8")
    assert done.returncode == 69
    assert "交换机没有运行" in done.stderr


def test_the_service_is_enabled(root: Path) -> None:
    wants = root / "etc/systemd/system/multi-user.target.wants"
    for unit in ("minisipserver.service", "minisipserver-update.service"):
        # /lib is /usr/lib; which of both is written there is the system's choice.
        leads_to = str((wants / unit).readlink())
        assert leads_to.removeprefix("/usr") == f"/lib/systemd/system/{unit}"
        assert (root / "usr/lib/systemd/system" / unit).is_file()


def test_the_kernels_are_compiled_and_sealed(system: System, root: Path) -> None:
    python = "/opt/sipserver/venv/bin/python"
    code = (
        "import os; from pbx.media.engine.kernel_cache import *;"
        "folder = candidates({})[0]; print(folder, Seal(folder).condition().name, os.stat(folder).st_uid)"
    )
    done = chroot(system, root, python, "-I", "-c", code)
    folder, condition, owner = done.stdout.split()
    assert folder.startswith("/opt/sipserver/")
    assert (condition, owner) == ("INTACT", "0")


@pytest.mark.deb_test
def test_a_call(
    system: System,
    own_root: Path,
    ports: Ports,
    new_phone: Callable[..., Baresip],
    closing: ExitStack,
    tmp_path: Path,
) -> None:
    exchange = ForegroundExchange(system, own_root, ports, tmp_path)
    closing.callback(exchange.close)
    exchange.start()
    passwords = exchange.passwords()
    callee = new_phone("101", exchange.host, HIGH_HZ, password=passwords["101"])
    caller = new_phone("100", exchange.host, LOW_HZ, password=passwords["100"])
    caller.dial("101")
    for phone in (caller, callee):
        phone.wait_event("CALL_ESTABLISHED", 30)
    caller.wait_heard(HIGH_HZ, 1, 30)
    callee.wait_heard(LOW_HZ, 1, 30)
    caller.hang_up()
    callee.wait_event("CALL_CLOSED")
    (record,) = exchange.wait_records(1)
    assert (record["caller_number"], record["dialed_number"]) == ("100", "101")
    # The kernels that were compiled at the installation are good for who runs it.
    assert "compiling" not in exchange.log()


def test_removed_and_purged(system: System, own_root: Path) -> None:
    data = own_root / "home/pi/.minisipserver/cdr"
    data.mkdir(parents=True)
    (data / "CDR_20260101.csv").write_text("a record")

    done = chroot(system, own_root, "dpkg", "--remove", "minisipserver")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert not (own_root / "opt/sipserver").exists()
    assert not (own_root / "usr/bin/minisip").is_symlink()

    done = chroot(system, own_root, "dpkg", "--purge", "minisipserver", language="zh_CN.UTF-8")
    assert done.returncode == 0, done.stderr
    assert "呼叫记录仍保留在 /home/pi/.minisipserver" in done.stderr
    assert (data / "CDR_20260101.csv").read_text() == "a record"
    left = chroot(system, own_root, "find", "/etc", "/usr", "/opt", "/var", "-name", "*minisip*")
    assert left.stdout == ""


def test_upgraded_without_a_running_system(
    system: System, own_root: Path, variant: Callable[[str], Variant]
) -> None:
    newer = variant("0.2.0")
    newer.number()
    deb = newer.pack()
    (own_root / "root/newer.deb").write_bytes(deb.read_bytes())
    done = chroot(system, own_root, "dpkg", "-i", "/root/newer.deb")
    assert done.returncode == 0, done.stdout + done.stderr
    # The engine's sources are the same: its kernels are still good, and the upgrade is quick.
    assert "compiling" not in done.stderr
    shown = chroot(system, own_root, "minisip", "--version").stdout
    assert shown == f"miniSIPServer {newer.version}\n"
    assert chroot(system, own_root, "dpkg", "--verify", "minisipserver").stdout == ""


def test_an_account_that_was_there_stays_as_it_was(system: System, tmp_path: Path) -> None:
    root = tmp_path / "root"
    system.unpack(root)
    made = chroot(system, root, "useradd", "--create-home", "--home-dir=/home/raspberry", "pi")
    assert made.returncode == 0, made.stderr
    before = chroot(system, root, "getent", "passwd", "pi").stdout
    accounts = (PROJECT / "systemd/sysusers.conf").read_text()
    (root / "usr/lib/sysusers.d/minisipserver.conf").write_text(accounts)
    done = chroot(system, root, "systemd-sysusers", "minisipserver.conf")
    assert done.returncode == 0, done.stderr
    assert chroot(system, root, "getent", "passwd", "pi").stdout == before
