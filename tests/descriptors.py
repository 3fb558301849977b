"""What a process has open, as /proc tells."""

import contextlib
from collections import Counter
from pathlib import Path


def open_files(pid: int) -> Counter[str]:
    """Return how many descriptors a process has of each file, and of each kind that is none: sockets, pipes ..."""
    found: Counter[str] = Counter()
    for one in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            name = str(one.readlink())
            found[name if name.startswith(("/", "anon_inode:")) else name.partition(":")[0]] += 1
    return found


def changes(before: Counter[str], after: Counter[str]) -> list[str]:
    """Return what is open now and was not before, behind a plus sign; behind a minus sign the other way round."""
    more = [f"+ {name}" for name in (after - before).elements()]
    return [*more, *(f"- {name}" for name in (before - after).elements())]
