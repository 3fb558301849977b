"""The media engine's kernels, compiled for every board by the program on the image itself.

Emulated, that takes minutes, and they depend on few files: so they are kept. What is kept is put
where the engine looks for it, and the engine decides by its own seal whether it is right.
"""

import hashlib
import json
import subprocess
from pathlib import Path

from builder.description import IMAGE
from builder.root import in_root

_PYTHON = "/opt/sipserver/venv/bin/python"
_CACHE = "opt/sipserver/venv/lib/python3.13/site-packages/pbx/media/engine/kernels/__pycache__"
_PROJECT = IMAGE.parent


def processor(name: str, features: str) -> dict[str, str]:
    """Return the environment in which numba compiles for a processor of that name."""
    return {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": features}


def put_kept(root: Path, build: Path, processors: dict[str, str]) -> None:
    """Put kept kernels into `root`, before the program is installed there."""
    tar = _tar(build, processors)
    if tar.exists():
        (root / _CACHE).mkdir(parents=True)
        subprocess.run(["tar", "-x", "-f", str(tar), "-C", str(root / _CACHE)], check=True)


def compile_all(root: Path, build: Path, processors: dict[str, str]) -> None:
    """Compile for every processor; nothing is done for one that has its kernels."""
    for name, features in processors.items():
        words = [_PYTHON, "-I", "-m", "pbx.media.engine", "--compile"]
        in_root(root, words, processor(name, features))
    tar = _tar(build, processors)
    if not tar.exists():
        for old in build.glob("kernels-*.tar"):
            old.unlink()
        made = sorted((root / _CACHE).iterdir())
        names = [path.name for path in made if path.suffix in {".nbi", ".nbc", ".sums"}]
        part = build / "kernels.part"
        words = ["tar", "-c", "--numeric-owner", "-f", str(part), "-C", str(root / _CACHE), *names]
        subprocess.run(words, check=True)
        part.replace(tar)


def _tar(build: Path, processors: dict[str, str]) -> Path:
    digest = hashlib.sha256(json.dumps(processors).encode())
    sources = sorted((_PROJECT / "pbx/media/engine").rglob("*.py"))
    for path in [*sources, _PROJECT / "requirements/run.txt"]:
        digest.update(path.read_bytes())
    return build / f"kernels-{digest.hexdigest()[:16]}.tar"
