"""Files that nobody but their owner may read."""

import os
import stat
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Write a text with a secret in it to a file, which from its first letter on is its owner's alone.

    Raises:
        OSError: it can't be written.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        # One that is there keeps its mode; a device's or a pipe's is not ours to change
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.fchmod(descriptor, 0o600)
        file.write(text)
