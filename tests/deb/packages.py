"""The packages under test: ours as `./build.sh deb` makes it, and other versions made of it."""

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

PROJECT = Path(__file__).parents[2]
CACHE = PROJECT / "build/deb-test"

_INPUTS = ("pbx", "tui", "hw", "systemd", "image/deb", "requirements", "pyproject.toml", "build.sh")


def build(arch: str, python: str, out: Path, *, level: int = 0) -> Path:
    """Make the package by the command that a person types."""
    out.mkdir(parents=True, exist_ok=True)
    command = ["./build.sh", "deb", "--arch", arch, "--python", python, "--out", str(out)]
    done = subprocess.run(
        [*command, "--level", str(level)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    assert done.returncode == 0, done.stderr
    (made,) = out.glob("*.deb")
    assert str(made) in done.stderr
    return made


def built(arch: str, python: str) -> Path:
    """Return the package of the sources as they are, made unless that was done already."""
    digest = hashlib.sha256()
    names = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "--", *_INPUTS],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    for name in sorted(filter(lambda name: (PROJECT / name).is_file(), names)):
        digest.update(name.encode() + b"\0" + (PROJECT / name).read_bytes())
    kept = CACHE / f"{arch}-{python}-{digest.hexdigest()[:16]}"
    if not list(kept.glob("*.deb")):
        for old in CACHE.glob(f"{arch}-{python}-*"):
            shutil.rmtree(old)
        build(arch, python, kept)
    (made,) = kept.glob("*.deb")
    return made


class Variant:
    """Another version of a package, to be changed and then packed.

    Args:
        deb: what it is made of.
        folder: where it is unpacked.
        version: that it gets, without the Python's part.
    """

    def __init__(self, deb: Path, folder: Path, version: str) -> None:
        self.root = folder / version
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["dpkg-deb", "-R", str(deb), str(self.root)], check=True)
        self.version = version + re.sub(r"^[^+]*", "", deb.name.split("_")[1])
        self.edit("DEBIAN/control", r"(?m)^Version: .*$", f"Version: {self.version}")

    def edit(self, name: str, pattern: str, text: str) -> None:
        """Replace what matches in a file of the package."""
        path = self.root / name
        changed, count = re.subn(pattern, lambda _: text, path.read_text())
        assert count == 1, (name, pattern, count)
        path.write_text(changed)

    def number(self) -> None:
        """Let the program itself say the version too."""
        (site,) = self.root.glob("opt/sipserver/venv/lib/python*/site-packages")
        name = site.relative_to(self.root) / "pbx/__init__.py"
        self.edit(str(name), r'__version__ = ".*"', f'__version__ = "{self.version}"')
        for compiled in (site / "pbx/__pycache__").glob("__init__.*"):
            compiled.unlink()

    def pack(self) -> Path:
        """Return the package file."""
        files = (path for path in self.root.rglob("*") if path.is_file() and not path.is_symlink())
        sums = "".join(
            f"{hashlib.md5(path.read_bytes()).hexdigest()}  {path.relative_to(self.root)}\n"
            for path in sorted(files)
            if "DEBIAN" not in path.parts
        )
        (self.root / "DEBIAN/md5sums").write_text(sums)
        target = self.root.with_suffix(".deb")
        command = ["dpkg-deb", "--root-owner-group", "-Znone", "-b", str(self.root), str(target)]
        subprocess.run(command, check=True, capture_output=True)
        shutil.rmtree(self.root)
        return target
