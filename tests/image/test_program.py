"""The program as the units start it: Debian's Python, no package but its own."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

import first_boot
from first_boot.__main__ import main
from tests.image.box import Box

FOLDER = Path(first_boot.__file__).parents[1]
PYTHON = shutil.which("python3", path="/usr/bin:/usr/local/bin") or "python3"


def run(box: Box, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(FOLDER)}
    command = [
        PYTHON,
        "-W",
        "error",
        "-m",
        "first_boot",
        *words,
        "--root",
        str(box.root),
        "--boot",
        str(box.boot),
    ]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=60
    )


def test_a_box_without_any_program_still_boots(box: Box) -> None:
    # the root folder has none of the programs, which is the worst that a boot can be
    box.write(
        "minisip.toml",
        "[box]\nhostname = 'attic'\ncolour = 1\n[wifi]\nssid = 'x'\npassword = '12345678'\n",
    )
    done = run(box, "apply")
    assert (done.returncode, done.stderr) == (0, "")
    assert "minisip.toml: there is no setting box.colour. It was left out.\n" in done.stdout
    assert "chpasswd failed" in done.stdout or "chroot failed" in done.stdout
    assert box.text("/etc/hostname") == "attic\n"
    assert "Exchange: starting" in box.on_card("minisip-report.txt")
    assert "12345678" not in box.on_card("minisip.toml")


def test_the_report_without_an_exchange(box: Box) -> None:
    done = run(box, "report")
    assert (done.returncode, done.stderr) == (0, "")
    assert "does not answer" in box.on_card("minisip-report.txt")


def test_nothing_to_grow(box: Box) -> None:
    done = run(box, "grow")
    assert (done.returncode, done.stdout) == (
        0,
        "The data partition was not found and not grown.\n",
    )


def test_asking_for_news_loads_next_to_nothing() -> None:
    code = "import sys, first_boot.changed; print(*sys.modules)"
    done = subprocess.run(
        [PYTHON, "-S", "-c", code],
        env={"PYTHONPATH": str(FOLDER)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not {"argparse", "dataclasses", "subprocess", "tomllib"} & set(done.stdout.split())


def test_what_fails_is_one_sentence(box: Box) -> None:
    shutil.rmtree(box.boot)
    done = run(box, "report")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("first_boot report: ")


class TestStartsAgain:
    """The boot that Imager meant for firstrun.sh ends here, and the next one is the box's own."""

    THEIRS = "ro systemd.run=/boot/firstrun.sh systemd.run_success_action=reboot systemd.unit=kernel-command-line.target\n"

    @pytest.fixture
    def reboots(self, box: Box, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
        monkeypatch.setattr("first_boot.__main__.Machine", lambda *_: box.machine)
        box.sample("firstrun.sh")
        box.write("cmdline.txt", self.THEIRS)
        box.put("/proc/cmdline", self.THEIRS)
        main(["apply"])
        return box.ran("systemctl")

    def test_once(self, box: Box, reboots: list[list[str]]) -> None:
        assert reboots == [["--no-block", "reboot"]]
        assert box.on_card("cmdline.txt") == "ro\n"
        box.put("/proc/cmdline", "ro\n")
        main(["apply"])
        assert len(box.ran("systemctl")) == 1

    def test_never_without_end(self, box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("first_boot.__main__.Machine", lambda *_: box.machine)
        box.write("cmdline.txt", self.THEIRS)
        box.put("/proc/cmdline", self.THEIRS)
        box.put("/proc/self/mounts", f"/dev/mmcblk0p1 {box.boot} vfat ro 0 0\n")
        box.failing = {"mount"}
        assert main(["apply"]) == 1
        assert box.ran("systemctl") == []
