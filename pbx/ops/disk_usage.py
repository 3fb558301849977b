"""How full a disk is."""

import shutil
from pathlib import Path


def disk_used(folder: Path) -> float:
    """Return which part of the folder's file system is in use; 0 where that can't be told."""
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return 0.0
    # What is left for root alone is neither used nor free.
    return usage.used / max(usage.used + usage.free, 1)
