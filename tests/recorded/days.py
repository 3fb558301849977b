"""Recordings as files that a test has made."""

import os
import time
import wave
from pathlib import Path

OLD_S = 3600.0
"""How long ago the files were written to."""


def make(folder: Path, name: str, *, seconds: float = 1.0, ago_s: float = OLD_S) -> Path:
    """Make a recording of silence, 16 kB a second.

    Args:
        folder: of recordings.
        name: within it.
        seconds: its length.
        ago_s: how long ago it was written to last.
    """
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(int(16000 * seconds)))
    when = time.time() - ago_s
    os.utime(path, (when, when))
    return path


def left(folder: Path) -> list[str]:
    """Return what is in the folder, folders of days too."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
