"""The media engine's kernels, compiled for every board when the image is made.

This machine does it in a minute, where it has the board's Python; else the program on the image,
emulated, in half an hour, with the same bytes. They depend on few files: so they are kept. What is
kept is put where the engine looks for it, and the engine decides by its own seal whether it is right.
"""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

from builder.description import IMAGE
from builder.root import in_root
from deb.build import same_python

_PYTHON = "/opt/sipserver/venv/bin/python"
_VERSION = "3.13"
_CACHE = (
    f"opt/sipserver/venv/lib/python{_VERSION}/site-packages/pbx/media/engine/kernels/__pycache__"
)
_KINDS = {".nbi", ".nbc", ".sums"}
_PROJECT = IMAGE.parent


def processor(name: str, features: str) -> dict[str, str]:
    """Return the environment in which numba compiles for a processor of that name."""
    return {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": features}


def put(root: Path, build: Path, processors: dict[str, str]) -> None:
    """Put the kernels into `root`, before the program is installed there; none if they can't be had."""
    tar, python = _tar(build, processors), same_python(_VERSION)
    if not tar.exists() and python is not None:
        _cross_compile(python, build, processors)
    if tar.exists():
        (root / _CACHE).mkdir(parents=True)
        subprocess.run(["tar", "-x", "-f", str(tar), "-C", str(root / _CACHE)], check=True)


def compile_all(root: Path, build: Path, processors: dict[str, str]) -> None:
    """Compile for every processor; nothing is done for one that has its kernels."""
    for name, features in processors.items():
        words = [_PYTHON, "-I", "-m", "pbx.media.engine", "--compile"]
        in_root(root, words, processor(name, features))
    if not _tar(build, processors).exists():
        _keep(root / _CACHE, build, processors)


def _cross_compile(python: str, build: Path, processors: dict[str, str]) -> None:
    """Keep kernels that this machine has compiled for the boards.

    Args:
        python: of the minor version that the image has, for a kernel knows its byte-code.
    """
    numba, made = build / "numba", build / "kernels"
    uv = [str(_PROJECT / "build/uv/bin/uv"), "pip", "install", "-q", "--no-config", "--no-deps"]
    locked = ["--require-hashes", "-r", "requirements/run.txt", "--no-build"]
    for folder in (numba, made):
        shutil.rmtree(folder, ignore_errors=True)
    subprocess.run(
        [*uv, *locked, "--python", python, "--target", str(numba)], check=True, cwd=_PROJECT
    )
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, (IMAGE, _PROJECT, numba))),
        "PYTHONDONTWRITEBYTECODE": "1",
        "_PYTHON_HOST_PLATFORM": "linux-aarch64",  # what sysconfig says there, and the seal's name has
    }
    for name, features in processors.items():
        words = [python, "-m", "builder.cross", name, features, str(made)]
        subprocess.run(words, check=True, env=environment)
    _keep(made, build, processors)
    for folder in (numba, made):
        shutil.rmtree(folder)


def _keep(folder: Path, build: Path, processors: dict[str, str]) -> None:
    for old in build.glob("kernels-*.tar"):
        old.unlink()
    names = sorted(path.name for path in folder.iterdir() if path.suffix in _KINDS)
    part = build / "kernels.part"
    words = ["tar", "-c", "--numeric-owner", "--owner=0", "--group=0", "-f", str(part)]
    subprocess.run([*words, "-C", str(folder), *names], check=True)
    part.replace(_tar(build, processors))


def _tar(build: Path, processors: dict[str, str]) -> Path:
    digest = hashlib.sha256(json.dumps(processors).encode())
    sources = sorted((_PROJECT / "pbx/media/engine").rglob("*.py"))
    others = [_PROJECT / "pbx/media/codecs.py", _PROJECT / "requirements/run.txt"]
    for path in [*sources, *others]:
        digest.update(path.read_bytes())
    return build / f"kernels-{digest.hexdigest()[:16]}.tar"
