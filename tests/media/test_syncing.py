"""What is written gets to the disk: soon, again and again, and at the end."""

import gc
import os
import threading
from pathlib import Path

import pytest

from pbx.media.engine.syncing import DiskSync, sync_file_system
from tests.interop.waiting import until


def unheard(why: str) -> None:
    """Nobody hears of a failure."""


def nothing() -> None:
    """Nobody waits for the end."""


class Disk:
    """Notes the length that each file had when it was brought there."""

    def __init__(self) -> None:
        self.lengths: dict[str, list[int]] = {}
        self.failing = False
        self.others_fail = False

    def sync_all(self, fd: int) -> None:
        path = Path(f"/proc/self/fd/{fd}").readlink()
        for one in path.parent.iterdir():
            self.lengths.setdefault(one.name, []).append(one.stat().st_size)
        if self.failing or self.others_fail:
            raise OSError(5, "Input/output error")

    def sync(self, fd: int) -> None:
        path = Path(f"/proc/self/fd/{fd}").readlink()
        self.lengths.setdefault(path.name, []).append(os.fstat(fd).st_size)
        if self.failing:
            raise OSError(5, "Input/output error")

    def has(self, name: str, length: int) -> None:
        until(f"{length} octets of {name}", lambda: length in self.lengths.get(name, []))


@pytest.fixture
def disk() -> Disk:
    return Disk()


def test_a_file_that_cannot_be_closed(
    disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network's disk that has gone: files of others still get to theirs."""
    sync = DiskSync(disk.sync, disk.sync_all, 0.02)
    close = os.close

    def fail(fd: int) -> None:
        close(fd)
        raise OSError(107, "Transport endpoint is not connected")

    with (tmp_path / "a").open("wb") as file:
        sync.begin(1, file.fileno(), unheard)
        disk.has("a", 0)
        ended = threading.Event()
        with monkeypatch.context() as patch:
            patch.setattr("pbx.media.engine.syncing.os.close", fail)
            sync.end(1, ended.set)
            assert ended.wait(30)
    with (tmp_path / "b").open("wb") as file:
        sync.begin(2, file.fileno(), unheard)
        disk.has("b", 0)
    sync.close()


def test_a_file_that_grows(disk: Disk, tmp_path: Path) -> None:
    sync = DiskSync(disk.sync, disk.sync_all, 0.02)
    with (tmp_path / "a").open("wb", buffering=0) as file:
        file.write(b"head")
        sync.begin(1, file.fileno(), unheard)
        disk.has("a", 4)
        file.write(b"sound")
        disk.has("a", 9)
    # Who writes it has closed it by then
    with (tmp_path / "a").open("ab") as file:
        file.write(b"!")
    disk.has("a", 10)
    sync.close()


def test_files_that_grow_are_brought_there_together(disk: Disk, tmp_path: Path) -> None:
    with (
        (tmp_path / "a").open("wb", buffering=0) as one,
        (tmp_path / "b").open("wb", buffering=0) as other,
    ):
        sync = DiskSync(disk.sync, disk.sync_all, 0.02)
        for name, file in ((1, one), (2, other)):
            sync.begin(name, file.fileno(), unheard)
            file.write(b"sound")
        disk.has("a", 5)
        disk.has("b", 5)
        sync.close()


def test_somebody_else_has_written_what_the_disk_does_not_take(disk: Disk, tmp_path: Path) -> None:
    disk.others_fail = True
    told: list[str] = []
    sync = DiskSync(disk.sync, disk.sync_all, 0.02)
    with (tmp_path / "a").open("wb", buffering=0) as file:
        sync.begin(1, file.fileno(), told.append)
        disk.has("a", 0)
        file.write(b"sound")
        # Once with all others, and once by itself
        until("asked itself", lambda: disk.lengths["a"].count(5) >= 2)
    sync.end(1, lambda: told.append("ended"))
    sync.close()
    assert told == ["ended"]


def test_the_system_is_asked(tmp_path: Path) -> None:
    with (tmp_path / "a").open("wb") as file:
        sync_file_system(file.fileno())
        descriptor = file.fileno()
    with pytest.raises(OSError, match="Bad file descriptor"):
        sync_file_system(descriptor)


def test_the_begin_and_the_end_do_not_wait(disk: Disk, tmp_path: Path) -> None:
    sync = DiskSync(disk.sync, disk.sync_all, 3600.0)
    for name in ("a", "b"):
        with (tmp_path / name).open("wb", buffering=0) as file:
            sync.begin(ord(name), file.fileno(), unheard)
            disk.has(name, 0)
            file.write(b"sound")
            sync.end(ord(name), nothing)
            disk.has(name, 5)
    sync.end(99, nothing)
    sync.close()
    assert disk.lengths == {"a": [0, 5], "b": [0, 5]}


def test_what_is_left_at_the_end(disk: Disk, tmp_path: Path) -> None:
    before = threading.active_count()
    sync = DiskSync(disk.sync, disk.sync_all, 3600.0)
    with (tmp_path / "a").open("wb", buffering=0) as file:
        sync.begin(1, file.fileno(), unheard)
        disk.has("a", 0)
        file.write(b"sound")
    sync.close()
    assert disk.lengths["a"][-1] == 5
    assert threading.active_count() == before


def test_a_disk_that_fails_is_told_of_once(
    disk: Disk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    disk.failing = True
    told: list[str] = []
    sync = DiskSync(disk.sync, disk.sync_all, 0.02)
    with (tmp_path / "a").open("wb", buffering=0) as file:
        sync.begin(1, file.fileno(), told.append)
        file.write(b"sound")
        disk.has("a", 5)
    sync.end(1, lambda: told.append("ended"))
    sync.close()
    assert told == ["Input/output error", "ended"]
    assert caplog.text.count("Input/output error") == 1


def test_a_disk_that_takes_all_but_the_end(disk: Disk, tmp_path: Path) -> None:
    told: list[str] = []
    sync = DiskSync(disk.sync, disk.sync_all, 3600.0)
    with (tmp_path / "a").open("wb", buffering=0) as file:
        sync.begin(1, file.fileno(), told.append)
        disk.has("a", 0)
        disk.failing = True
        sync.end(1, lambda: told.append("ended"))
    sync.close()
    assert told == ["Input/output error", "ended"]


def test_no_descriptor_is_left_open(disk: Disk, tmp_path: Path) -> None:
    def count() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    gc.collect()  # what earlier tests have left is not ours
    before = count()
    sync = DiskSync(disk.sync, disk.sync_all, 3600.0)
    for name in (1, 2):
        with (tmp_path / "a").open("wb") as file:
            sync.begin(name, file.fileno(), unheard)
    sync.end(1, nothing)
    sync.close()
    assert count() == before
