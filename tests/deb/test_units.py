"""The units, as systemd itself judges them."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deb.packages import PROJECT

UNITS = sorted((PROJECT / "systemd").glob("*.service"))

# Of `systemd-analyze security`, from 0 (nothing is open) to 10; what is left is explained in the unit.
MOST_EXPOSED = {"minisipserver.service": 20, "minisipserver-hw.service": 20}

SYSTEM_UNITS = Path("/usr/lib/systemd/system")


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    assert program, "the program systemd-analyze is missing: Debian's package systemd"
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "SYSTEMD_PAGER": ""}
    return subprocess.run(
        [program, *words], capture_output=True, text=True, check=False, env=environment
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a root in which the units are in place, and what they start."""
    units = tmp_path / "usr/lib/systemd/system"
    shutil.copytree(PROJECT / "systemd", units, ignore=shutil.ignore_patterns("with-mariadb"))
    for path in SYSTEM_UNITS.glob("*.target"):
        shutil.copy(path, units, follow_symlinks=True)
    for unit in UNITS:
        for program in re.findall(r"(?m)^Exec\w+=[-+!@:]*(\S+)", unit.read_text()):
            # A name without a path is looked for in systemd's own folders (systemd.service(5)).
            target = tmp_path / (Path("/usr/bin") / program).relative_to("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text("#!/bin/sh\n")
            target.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_verify(root: Path, unit: Path) -> None:
    done = analyze("verify", "--man=no", f"--root={root}", unit.name)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_verify_with_mariadb(root: Path) -> None:
    drop_ins = root / "usr/lib/systemd/system/minisipserver.service.d"
    shutil.copy(PROJECT / "systemd/with-mariadb/40-mariadb.conf", drop_ins)
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
    drop_ins = (root / "usr/lib/systemd/system/minisipserver.service.d").glob("*.conf")
    lines = {line for path in drop_ins for line in path.read_text().splitlines()}
    for forbidden in ("MemoryDenyWriteExecute", "RestrictRealtime", "ProcSubset"):
        assert not any(line.startswith(f"{forbidden}=") for line in lines)
    assert "LimitRTPRIO=10" in lines
