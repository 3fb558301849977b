"""What a package file says of itself, and whether this machine can use it."""

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pbx.api.client import CommandError
from tui.locale import reason, say

NAME = "minisipserver"

INFO = Path("/var/lib/dpkg/info")

_FIELDS = "${Package}\t${Version}\t${Architecture}\t${Installed-Size}"
_PYTHON = re.compile(r"\+py3(\d+)")

REPACKED = {"list", "md5sums"}
"""Of dpkg's files on a package: what is not one of the package's own scripts."""


@dataclass(frozen=True, slots=True)
class Package:
    """A package of ours.

    Args:
        version: such as ``0.2.0+py313``.
        size: octets on the disk, once installed.
    """

    version: str
    size: int


def refuse(key: str, **values: object) -> CommandError:
    """Return the refusal with the sentence `key`, to be raised."""
    return CommandError(key, say(key, **values))


def examine(file: Path) -> Package:
    """Return what `file` is.

    Raises:
        CommandError: it is no package of ours, is damaged, or is for another machine.
    """
    try:
        with file.open("rb"):
            pass
    except OSError as error:
        raise refuse(
            "update-unreadable", path=file, why=reason(error.strerror or str(error))
        ) from error
    if shutil.which("dpkg-deb") is None:
        raise refuse("update-no-dpkg")
    fields = _output("dpkg-deb", "--show", f"--showformat={_FIELDS}", str(file)).split("\t")
    # All of it is read: a copy that broke off is found here, not half way through.
    whole = subprocess.run(
        ["dpkg-deb", "--fsys-tarfile", str(file)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    if len(fields) != 4 or whole.returncode:
        raise refuse("update-damaged", path=file)
    name, version, architecture, kilobytes = fields
    if name != NAME:
        raise refuse("update-other-package", path=file, name=name)
    ours = _output("dpkg", "--print-architecture").strip()
    if architecture not in (ours, "all"):
        raise refuse("update-architecture", path=file, theirs=architecture, ours=ours)
    python = _PYTHON.search(version)
    if python and not Path(f"/usr/bin/python3.{python[1]}").exists():
        raise refuse("update-python", path=file, theirs=f"3.{python[1]}")
    return Package(version, int(kilobytes or 0) * 1024)


def installed() -> Package:
    """Return what is installed.

    Raises:
        CommandError: nothing, or not as a package.
    """
    state, _, rest = _output("dpkg-query", "-W", f"-f=${{Status}}\t{_FIELDS}", NAME).partition("\t")
    if not state.startswith("install "):
        raise refuse("update-not-installed")
    _, version, _, kilobytes = rest.split("\t")
    return Package(version, int(kilobytes or 0) * 1024)


def is_installed(deb: Path) -> bool:
    """Return whether the files of a package file are those that are installed."""
    try:
        ours = (INFO / f"{NAME}.md5sums").read_text("utf-8")
    except OSError:
        return False
    return _output("dpkg-deb", "--info", str(deb), "md5sums") == ours


def repack(target: Path) -> None:
    """Make a package file of what is installed, quickly rather than small.

    Raises:
        OSError, subprocess.CalledProcessError: there is no room, or files are missing.
    """
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        root = Path(folder) / "root"
        control = root / "DEBIAN"
        control.mkdir(parents=True)
        fields = _output("dpkg-query", "--status", NAME)
        (control / "control").write_text(re.sub(r"(?m)^Status: .*\n", "", fields), "utf-8")
        for path in INFO.glob(f"{NAME}.*"):
            if path.suffix != ".list":
                shutil.copy(path, control / path.suffix[1:])
        for line in (INFO / f"{NAME}.list").read_text("utf-8").splitlines()[1:]:
            _copy(Path(line), root / line[1:])
        root.chmod(0o755)
        unfinished = target.with_suffix(".part")
        command = ["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build"]
        subprocess.run(
            [*command, str(root), str(unfinished)], check=True, capture_output=True, text=True
        )
        unfinished.replace(target)


def _copy(source: Path, target: Path) -> None:
    if source.is_symlink():
        target.symlink_to(source.readlink())
    elif source.is_dir():
        target.mkdir(exist_ok=True)
    elif source.exists():
        # dpkg lists also what a small system has it leave out (path-exclude): man pages, papers.
        shutil.copy2(source, target)


def _output(*command: str) -> str:
    """Return what a program of dpkg's prints; nothing where it fails."""
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    return done.stdout if done.returncode == 0 else ""
