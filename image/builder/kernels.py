"""The media engine's kernels for every board, compiled by this machine's own processor.

Emulated, that takes hours; the same program on a root of the same Debian for this machine makes the
same files in a minute or two (`pbx.media.engine.cross`). They are kept.
"""

import hashlib
import platform
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from builder.description import IMAGE, Description
from builder.root import in_root, kept_tar, root_tar, unpacked
from deb.build import ARCHITECTURES

_PYTHON = "/opt/sipserver/venv/bin/python"
_CACHE = "opt/sipserver/venv/lib/python3.13/site-packages/pbx/media/engine/kernels/__pycache__"
_PROJECT = IMAGE.parent
_NATIVE = "native"


class KernelsError(Exception):
    """The kernels can't be made here, or the image's program doesn't take them."""


def processor(name: str, features: str) -> dict[str, str]:
    """Return the environment in which numba compiles for a processor of that name."""
    return {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": features}


def kernels_tar(description: Description, build: Path) -> Path:
    """Return the tar of the kernels for every processor, making it if it isn't there.

    Raises:
        KernelsError: numba knows nothing of this machine.
        subprocess.CalledProcessError: a step failed; its words are on standard error.
    """
    native = _native(description)
    inputs = [_sources(), description.kernels, description.system.suite]
    return kept_tar("kernels", inputs, build, lambda tar: _compile(native, build, tar))


def put(tar: Path, root: Path) -> None:
    """Put the kernels into `root`, before the program is installed there."""
    (root / _CACHE).mkdir(parents=True)
    subprocess.run(["tar", "-x", "-f", str(tar), "-C", str(root / _CACHE)], check=True)


def check(tar: Path, root: Path, processors: dict[str, str]) -> None:
    """Let the program in `root` load its kernels as on every board.

    Raises:
        KernelsError: on one of them it would compile, which takes minutes there.
    """
    for name, features in processors.items():
        words = [_PYTHON, "-I", "-m", "pbx.media.engine", "--compile", "--verbose"]
        in_root(root, words, processor(name, features))
    words = ["tar", "--compare", "-f", str(tar), "-C", str(root / _CACHE)]
    if subprocess.run(words, check=False).returncode != 0:
        raise KernelsError("the image's engine has compiled kernels that it was given")


def _native(description: Description) -> Description:
    """Return what runs the program on this machine: the image's Debian, with Python alone."""
    names = {machine: architecture for architecture, machine in ARCHITECTURES.items()}
    machine = platform.machine()
    if machine not in names:
        raise KernelsError(f"numba, which compiles the media engine, doesn't run on {machine}")
    system = replace(description.system, architecture=names[machine])
    return replace(description, system=system, packages={_NATIVE: ("python3",)})


def _compile(native: Description, build: Path, tar: Path) -> None:
    below = root_tar(native, (_NATIVE,), build)
    package = _package(native.system.architecture, build / _NATIVE)
    with unpacked(below, build) as root:
        subprocess.run(["dpkg-deb", "-x", str(package), str(root)], check=True)
        shutil.rmtree(package.parent)
        for name, features in native.kernels.items():
            words = [_PYTHON, "-I", "-m", "pbx.media.engine.cross"]
            in_root(root, words, processor(name, features))
        made = sorted((root / _CACHE).iterdir())
        names = [path.name for path in made if path.suffix in {".nbi", ".nbc", ".sums"}]
        words = ["tar", "-c", "--numeric-owner", "-f", str(tar), "-C", str(root / _CACHE), *names]
        subprocess.run(words, check=True)


def _package(architecture: str, folder: Path) -> Path:
    """Return our package for this machine: the program of the image, with this machine's wheels."""
    shutil.rmtree(folder, ignore_errors=True)
    words = [sys.executable, str(IMAGE / "deb/build.py"), "--arch", architecture]
    words += ["--python", "3.13", "--out", str(folder), "--level", "0"]
    subprocess.run(words, check=True)
    (package,) = folder.glob("*.deb")
    return package


def _sources() -> str:
    """Return a hash of what kernels are compiled from: the engine, its constants, its compiler."""
    digest = hashlib.sha256()
    sources = sorted((_PROJECT / "pbx/media/engine").rglob("*.py"))
    for path in [*sources, _PROJECT / "pbx/media/codecs.py", _PROJECT / "requirements/run.txt"]:
        digest.update(path.relative_to(_PROJECT).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()
