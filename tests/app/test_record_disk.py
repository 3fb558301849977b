"""The disk that calls are recorded on: what goes by itself, and what happens where room is short."""

import asyncio
import logging
import shutil
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pytest

from pbx import record_disk
from pbx.call.recordings import Recordings
from pbx.config.recording import RecordingSettings
from pbx.ops.clock_watch import DAY_S, ClockWatch
from pbx.record_disk import NO_ROOM, RecordDisk
from pbx.recorded.name import today
from tests.interop.waiting import until
from tests.recorded.days import left, make

OLD = "20261101/101112_100_101_a.wav"
TODAY = f"{today():%Y%m%d}/000000_100_101_b.wav"


USUAL = RecordingSettings()


class Running(Recordings):
    """Recordings that go on because a test says so."""

    def __init__(self) -> None:
        super().__init__({}, iter(()), "", USUAL)
        self.files: set[str] = set()
        self.told: list[str] = []

    @property
    def running(self) -> frozenset[str]:
        return frozenset(self.files)

    def stop_all(self, why: str) -> None:
        self.files.clear()
        self.told.append(why)


class Disk:
    """A side, and how much its disk has free."""

    def __init__(
        self,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
        settings: RecordingSettings = USUAL,
    ) -> None:
        self.recordings = Running()
        self.pumped = 0
        self.free_mb = 10_000
        self.asked = 0
        self.answers = threading.Event()
        self.answers.set()
        monkeypatch.setattr(shutil, "disk_usage", self._usage)
        self.wall_s = self.steady_s = 0.0
        clock = ClockWatch(lambda: self.wall_s, lambda: self.steady_s)
        self.side = RecordDisk(folder, settings, self.recordings, self._pump, clock)

    def go_on(self, days: int) -> None:
        """Time goes on."""
        self.wall_s += days * DAY_S
        self.steady_s += days * DAY_S

    def one_ends(self) -> None:
        """A recording that has run since the last look has ended."""
        self.recordings.files.add(TODAY)
        self.side.follow()
        self.recordings.files.clear()
        self.side.follow()

    def _usage(self, path: Path) -> SimpleNamespace:
        self.asked += 1
        path.lstat()
        self.answers.wait(120)
        return SimpleNamespace(free=self.free_mb * 1_000_000)

    def _pump(self) -> None:
        self.pumped += 1


@pytest.fixture
async def tasks() -> AsyncIterator[list[asyncio.Task[None]]]:
    """Tasks that end with the test."""
    begun: list[asyncio.Task[None]] = []
    yield begun
    for task in begun:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def comes(what: str, look: Callable[[], bool]) -> None:
    """Wait, while the side is at work, until something is so."""
    await asyncio.to_thread(until, what, look)


class TestTidying:
    async def test_at_the_start_and_after_a_recording(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tasks: list[asyncio.Task[None]]
    ) -> None:
        disk = Disk(tmp_path, monkeypatch, RecordingSettings(most_mb=1))
        first = make(tmp_path, OLD, seconds=70)
        disk.recordings.files.add(TODAY)
        tasks.append(asyncio.create_task(disk.side.keep()))
        await comes("the oldest is gone", lambda: not first.exists())
        disk.side.follow()
        second = make(tmp_path, OLD, seconds=50)
        running = make(tmp_path, TODAY, seconds=50, ago_s=0)
        disk.recordings.files.clear()
        disk.side.follow()
        await comes("the next is gone", lambda: not second.exists())
        assert running.exists()

    @pytest.mark.parametrize("years", [10, -10])
    async def test_a_clock_that_is_set_by_years_removes_nothing_for_a_week(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        tasks: list[asyncio.Task[None]],
        years: int,
    ) -> None:
        disk = Disk(tmp_path, monkeypatch, RecordingSettings(keep_days=365, most_mb=1))
        kept = make(tmp_path, OLD, seconds=50)
        tasks.append(asyncio.create_task(disk.side.keep()))
        disk.wall_s += years * 365 * DAY_S
        # As it is told by a clock that was set forth, or by one that goes right again
        monkeypatch.setattr(record_disk, "today", lambda: date(2036, 11, 30))
        # The quota shows that the folder was looked at
        oldest = make(tmp_path, "20261031/101112_1_2_a.wav", seconds=50)
        disk.one_ends()
        await comes("the quota holds", lambda: not oldest.exists())
        assert kept.exists()
        assert disk.side.clock_moved_days == 3650
        disk.go_on(8)
        disk.one_ends()
        await comes("it is too old", lambda: not kept.exists())
        assert disk.side.clock_moved_days == 0

    async def test_nothing_is_read_where_nothing_is_to_go(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        disk = Disk(tmp_path, monkeypatch, RecordingSettings(least_free_mb=0))
        make(tmp_path, "19990101/101112_100_101_a.wav", seconds=70)
        async with asyncio.timeout(30):
            await disk.side.keep()
        assert len(left(tmp_path)) == 2

    async def test_a_failure_is_told_once(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        tasks: list[asyncio.Task[None]],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        unlink = Path.unlink
        tried: list[Path] = []

        def refuse(path: Path, missing_ok: bool = False) -> None:
            tried.append(path)
            raise PermissionError(13, "Permission denied")

        disk = Disk(tmp_path, monkeypatch, RecordingSettings(keep_days=1))
        make(tmp_path, OLD)
        monkeypatch.setattr(Path, "unlink", refuse)
        tasks.append(asyncio.create_task(disk.side.keep()))
        for times in (1, 2, 3):
            await comes("it is tried", lambda wanted=times: len(tried) == wanted)  # type: ignore[misc]
            await comes("it is told", lambda: disk.side.failure is not None)
            disk.one_ends()
        assert disk.side.failure == (OLD, "Permission denied")
        assert caplog.text.count("can't be removed") == 1
        monkeypatch.setattr(Path, "unlink", unlink)
        disk.one_ends()
        await comes("all is well", lambda: disk.side.failure is None)
        assert left(tmp_path) == []


class TestRoom:
    @pytest.fixture(autouse=True)
    def often(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(record_disk, "LOOK_S", 0.01)

    async def test_none_is_left_while_calls_are_recorded(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        tasks: list[asyncio.Task[None]],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        caplog.set_level(logging.INFO)
        disk = Disk(tmp_path, monkeypatch)
        disk.recordings.files.add(TODAY)
        tasks.append(asyncio.create_task(disk.side.keep()))
        await comes("the disk is asked", lambda: disk.asked > 2)
        assert disk.recordings.running == {TODAY}
        assert disk.side.lacking_mb == 0
        disk.free_mb = 499
        await comes("it ends", lambda: disk.pumped == 1)
        assert disk.recordings.running == frozenset()
        assert disk.recordings.told == [NO_ROOM]
        assert disk.side.lacking_mb == 500
        for _ in range(3):
            assert disk.recordings.refusal() == NO_ROOM
        assert caplog.text.count("no call is recorded") == 1
        disk.free_mb = 500
        await comes("there is room", lambda: disk.recordings.refusal() == "")
        assert disk.side.lacking_mb == 0
        assert "can be recorded again" in caplog.text

    async def test_a_full_disk_that_nobody_records_on_is_nobodys_business(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        tasks: list[asyncio.Task[None]],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        disk = Disk(tmp_path, monkeypatch)
        disk.free_mb = 0
        tasks.append(asyncio.create_task(disk.side.keep()))
        await comes("the disk is asked", lambda: disk.asked > 2)
        assert (disk.side.lacking_mb, caplog.text) == (0, "")

    async def test_0_records_to_the_last_octet(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        disk = Disk(tmp_path, monkeypatch, RecordingSettings(least_free_mb=0))
        disk.free_mb = 0
        async with asyncio.timeout(30):
            await disk.side.keep()
        assert disk.recordings.refusal() == ""

    async def test_a_disk_that_hangs_holds_nobody_up_and_takes_no_recording(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tasks: list[asyncio.Task[None]]
    ) -> None:
        monkeypatch.setattr(record_disk, "PATIENCE_S", 0.01)
        disk = Disk(tmp_path, monkeypatch)
        disk.answers.clear()
        disk.recordings.files.add(TODAY)
        tasks.append(asyncio.create_task(disk.side.keep()))
        # The loop has to go on for that
        await comes("it is refused", lambda: disk.recordings.refusal() != "")
        assert disk.side.trouble == "the disk doesn't answer"
        assert disk.recordings.running == {TODAY}
        disk.answers.set()
        await comes("it answers", lambda: disk.recordings.refusal() == "")
        assert disk.side.trouble == ""

    async def test_a_disk_that_has_gone_takes_no_recording(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tasks: list[asyncio.Task[None]]
    ) -> None:
        disk = Disk(tmp_path, monkeypatch)

        def gone(path: Path) -> None:
            raise OSError(116, "Stale file handle")

        monkeypatch.setattr(shutil, "disk_usage", gone)
        tasks.append(asyncio.create_task(disk.side.keep()))
        await comes("it is refused", lambda: disk.recordings.refusal() == "Stale file handle")
        assert (disk.side.lacking_mb, disk.side.trouble) == (0, "Stale file handle")

    async def test_before_the_first_recording_there_is_no_folder(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tasks: list[asyncio.Task[None]]
    ) -> None:
        disk = Disk(tmp_path / "record", monkeypatch)
        tasks.append(asyncio.create_task(disk.side.keep()))
        await comes("the disk is asked", lambda: disk.asked > 2)
        assert disk.recordings.refusal() == ""


def test_the_end_waits_for_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither for very many that are being removed, nor for a disk that hangs."""
    removing, goes_on = threading.Event(), threading.Event()

    def slowly(path: Path, missing_ok: bool = False) -> None:
        removing.set()
        goes_on.wait(120)

    monkeypatch.setattr(Path, "unlink", slowly)
    make(tmp_path, OLD)

    async def run() -> None:
        settings = RecordingSettings(keep_days=1)
        side = RecordDisk(tmp_path, settings, Running(), lambda: None, ClockWatch())
        keeping = asyncio.create_task(side.keep())
        await comes("one is being removed", removing.is_set)
        keeping.cancel()

    exchange = threading.Thread(target=asyncio.run, args=(run(),))
    exchange.start()
    exchange.join(60)
    stays = exchange.is_alive()
    goes_on.set()
    exchange.join()
    assert not stays
