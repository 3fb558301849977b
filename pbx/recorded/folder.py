"""The folder of recordings as it is on the disk: what is there, how large, and how long.

Only regular files of `recorded.name`'s names count, in folders of days. Whatever else somebody has
put there, and what symbolic links lead to, is left alone.
"""

import contextlib
import os
import shutil
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pbx.recorded.name import RecordingName, read_day, read_name, today


@dataclass(frozen=True, slots=True)
class RecordingFile:
    """A file.

    Args:
        name: within the folder, ``YYYYMMDD/name.wav``.
        told: what the name tells.
        octets: its size.
        written: when it was written to last, seconds since 1970.
    """

    name: str
    told: RecordingName
    octets: int
    written: float


class RecordingFolder:
    """The folder; it may be missing.

    Args:
        path: of the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def days(self) -> list[str]:
        """Return the names of the days' folders, the oldest first.

        Raises:
            OSError: the folder can't be read.
        """
        return sorted(entry.name for entry in _entries(self.path) if _is_day(entry))

    def changed(self, day: str) -> int:
        """Return when a day's files became more or fewer; another number each time.

        Raises:
            OSError: there is no such day any more.
        """
        return (self.path / day).lstat().st_mtime_ns

    def files(self, day: str) -> list[RecordingFile]:
        """Return a day's recordings, the oldest first; none where it has no folder of its own.

        Raises:
            OSError: the day's folder can't be read.
        """
        folder = self.path / day
        if folder.is_symlink():
            return []
        found = [_file(day, entry) for entry in _entries(folder)]
        return sorted((one for one in found if one is not None), key=lambda one: one.name)

    def find(self, name: str) -> RecordingFile | None:
        """Return a recording by its name within the folder; None where there is none."""
        if read_name(name) is None:
            return None
        day, _, _ = name.partition("/")
        with contextlib.suppress(OSError):
            return next((one for one in self.files(day) if one.name == name), None)
        return None

    def remove(self, name: str) -> None:
        """Remove a recording, and its day's folder with the last one.

        Raises:
            OSError: it can't be removed.
        """
        path = self.path / name
        path.unlink(missing_ok=True)
        # A recording that begins now needs today's folder.
        if read_day(path.parent.name) != today():
            with contextlib.suppress(OSError):
                path.parent.rmdir()

    def seconds(self, name: str) -> float:
        """Return how long a recording is by what its header promises; 0 where it can't be read."""
        try:
            with wave.open(str(self.path / name), "rb") as file:
                return file.getnframes() / max(file.getframerate(), 1)
        except (OSError, EOFError, wave.Error):
            return 0.0

    def free(self) -> int:
        """Return how many octets there is room for; without a folder, where it will be.

        Raises:
            OSError: the disk doesn't say.
        """
        return shutil.disk_usage(self.path if self.path.exists() else self.path.parent).free


def _entries(path: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            yield from entries
    except FileNotFoundError:
        return


def _is_day(entry: os.DirEntry[str]) -> bool:
    return read_day(entry.name) is not None and entry.is_dir(follow_symlinks=False)


def _file(day: str, entry: os.DirEntry[str]) -> RecordingFile | None:
    name = f"{day}/{entry.name}"
    told = read_name(name)
    if told is None or not entry.is_file(follow_symlinks=False):
        return None
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return None  # removed meanwhile
    return RecordingFile(name, told, status.st_size, status.st_mtime)
