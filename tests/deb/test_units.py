"""The units, as systemd itself judges them."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deb.unit_root import FOLDER, UNITS, WITH_MARIADB, make_root, systemd_tool

OURS = sorted(UNITS.glob("*.service"))

# Of `systemd-analyze security`, from 0 (nothing is open) to 10; what is left is explained in the unit.
MOST_EXPOSED = {"minisipserver.service": 20, "minisipserver-hw.service": 20}


def analyze(*words: str) -> "subprocess.CompletedProcess[str]":
    return systemd_tool("systemd-analyze", *words)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a root in which the units are in place, and what they start."""
    return make_root(tmp_path)


@pytest.mark.parametrize("unit", OURS, ids=lambda unit: unit.name)
def test_verify(root: Path, unit: Path) -> None:
    done = analyze("verify", "--man=no", f"--root={root}", unit.name)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_verify_with_mariadb(root: Path) -> None:
    drop_ins = root / FOLDER / "minisipserver.service.d"
    shutil.copy(WITH_MARIADB / "40-mariadb.conf", drop_ins)
    done = analyze("verify", "--man=no", f"--root={root}", "minisipserver.service")
    # Wants: a database that is not there is no reason not to start.
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("unit", MOST_EXPOSED)
def test_security(root: Path, unit: str) -> None:
    most = MOST_EXPOSED[unit]
    words = ["--offline=yes", f"--root={root}", f"--threshold={most}", "--no-pager"]
    done = analyze("security", *words, unit)
    assert done.returncode == 0, done.stdout


def test_kernels_can_still_be_compiled_and_run_in_real_time(root: Path) -> None:
    drop_ins = (root / FOLDER / "minisipserver.service.d").glob("*.conf")
    lines = {line for path in drop_ins for line in path.read_text().splitlines()}
    for forbidden in ("MemoryDenyWriteExecute", "RestrictRealtime", "ProcSubset"):
        assert not any(line.startswith(f"{forbidden}=") for line in lines)
    assert "LimitRTPRIO=10" in lines
