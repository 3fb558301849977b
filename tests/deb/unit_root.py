"""A root folder with our units in it, for systemd's own tools: nothing of it ever runs."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from tests.deb.packages import PROJECT

UNITS = PROJECT / "systemd"
WITH_MARIADB = UNITS / "with-mariadb"

FOLDER = "usr/lib/systemd/system"
"""Where a package puts units, in a root."""

POST = """\
[Unit]
Description=miniSIPServer
After=network.target mariadb.service
Requires=network.target mariadb.service

[Service]
Type=simple
User=pi
KillMode=process
ExecStart=/opt/sipserver/minisipserver-cli

[Install]
WantedBy=multi-user.target
"""
"""minisipserver.service as the post "Linux 系统启动时自动运行 miniSIPServer" prints it (T9.1)."""

ALONE = POST.replace(" mariadb.service", "")
"""The same without the database, as it says there (T9.2)."""

_SYSTEMS_OWN = Path("/") / FOLDER


def make_root(root: Path) -> Path:
    """Put the units, without those for MariaDB, and what they start into `root`; return it."""
    shutil.copytree(UNITS, root / FOLDER, ignore=shutil.ignore_patterns("with-mariadb"))
    for path in _SYSTEMS_OWN.glob("*.target"):
        shutil.copy(path, root / FOLDER, follow_symlinks=True)
    for unit in UNITS.glob("*.service"):
        for program in re.findall(r"(?m)^Exec\w+=[-+!@:]*(\S+)", unit.read_text()):
            # A name without a path is looked for in systemd's own folders (systemd.service(5)).
            target = root / (Path("/usr/bin") / program).relative_to("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text("#!/bin/sh\n")
            target.chmod(0o755)
    return root


def rc_local() -> str:
    """Return the rc.local that systemd/README.md has."""
    blocks = (UNITS / "README.md").read_text("utf-8").split("```")
    (found,) = [block for block in blocks if "setpriv" in block]
    return found.strip() + "\n"


def systemd_tool(name: str, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run one of systemd's programs, in English, to its end."""
    program = shutil.which(name)
    assert program, f"the program {name} is missing: Debian's package systemd"
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "SYSTEMD_PAGER": ""}
    return subprocess.run(
        [program, *words], capture_output=True, text=True, check=False, env=environment
    )
