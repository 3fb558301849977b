"""Jobs that write, in order, whatever the disk does."""

import errno
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from pbx.cdr.disk import RETRY_S, SYNC_S, DiskQueue, DiskThread, Lane, replace_file


class Disk:
    """A disk that can be full, and a queue that writes to it."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.full = False
        self.broken = False
        self.unbeaten = False
        self.queue = DiskQueue(
            (lambda: self._sync("records"), lambda: self._sync("journal")),
            self._beat,
            10.0,
        )

    def _beat(self) -> None:
        if self.unbeaten:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.done.append("beat")

    def write(self, text: str) -> Callable[[], None]:
        def job() -> None:
            if self.full:
                raise OSError(errno.ENOSPC, "No space left on device")
            self.done.append(text)

        return job

    def _sync(self, what: str) -> None:
        if self.broken:
            raise OSError(errno.EIO, "Input/output error")
        self.done.append(f"sync {what}")

    def take(self) -> list[str]:
        done, self.done = self.done, []
        return done


@pytest.fixture
def disk() -> Disk:
    disk = Disk()
    disk.queue.step(0.0)
    disk.queue.step(SYNC_S)
    assert disk.take() == ["beat", "sync records", "sync journal"]
    return disk


class TestQueue:
    def test_jobs_at_once_and_in_order_syncs_in_lots(self, disk: Disk) -> None:
        for text in ("a", "b", "c"):
            disk.queue.post(Lane.RECORDS, disk.write(text))
        assert disk.queue.step(2.0) == SYNC_S
        assert disk.take() == ["a", "b", "c"]
        disk.queue.post(Lane.RECORDS, disk.write("d"))
        assert disk.queue.step(2.5) == pytest.approx(0.5)
        assert disk.take() == ["d"]
        disk.queue.step(3.0)
        assert disk.take() == ["sync records", "sync journal"]

    def test_an_idle_disk_only_beats(self, disk: Disk) -> None:
        assert disk.queue.step(2.0) == 8.0
        assert disk.take() == []
        disk.queue.step(10.0)
        assert disk.take() == ["beat"]

    def test_a_full_disk_keeps_the_order(
        self, disk: Disk, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO")
        disk.queue.post(Lane.RECORDS, disk.write("a"))
        disk.full = True
        disk.queue.post(Lane.RECORDS, disk.write("b"))
        assert disk.queue.step(2.0) == RETRY_S
        assert disk.queue.step(2.5) == pytest.approx(0.5)
        assert disk.queue.step(3.0) == RETRY_S
        assert len(disk.queue) == 2
        disk.full = False
        disk.queue.step(4.0)
        assert disk.take() == ["sync records", "sync journal", "a", "b"]
        assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]

    def test_what_was_written_before_is_synced_all_the_same(self, disk: Disk) -> None:
        disk.queue.post(Lane.RECORDS, disk.write("a"))
        disk.queue.step(2.0)
        disk.full = True
        disk.queue.post(Lane.RECORDS, disk.write("b"))
        disk.queue.step(3.0)
        assert disk.take() == ["a", "sync records", "sync journal"]

    def test_a_failed_sync_is_done_again(self, disk: Disk) -> None:
        disk.queue.post(Lane.RECORDS, disk.write("a"))
        disk.queue.step(2.0)
        disk.broken = True
        disk.queue.step(3.0)
        disk.broken = False
        disk.queue.step(4.0)
        assert disk.take() == ["a", "sync records", "sync journal"]

    def test_a_bug_in_one_record_stops_no_other(
        self, disk: Disk, caplog: pytest.LogCaptureFixture
    ) -> None:
        def bug() -> None:
            raise ZeroDivisionError

        disk.queue.post(Lane.RECORDS, bug)
        disk.queue.post(Lane.RECORDS, disk.write("a"))
        disk.queue.step(2.0)
        assert disk.take() == ["a"]
        assert "ZeroDivisionError" in caplog.text

    def test_calls_are_journalled_while_records_wait(self, disk: Disk) -> None:
        disk.full = True
        disk.queue.post(Lane.RECORDS, disk.write("a"))
        disk.queue.post(Lane.JOURNAL, lambda: disk.done.append("journal"))
        assert disk.queue.step(2.0) == RETRY_S
        assert disk.take() == ["journal"]
        assert (len(disk.queue), disk.queue.failing) == (1, True)
        disk.full = False
        disk.queue.step(3.0)
        assert (len(disk.queue), disk.queue.failing) == (0, False)

    def test_records_are_written_while_the_journal_waits(self, disk: Disk) -> None:
        disk.unbeaten = True
        disk.queue.post(Lane.RECORDS, disk.write("a"))
        assert disk.queue.step(10.0) == RETRY_S
        assert disk.take() == ["a"]
        disk.queue.step(10.0 + RETRY_S)
        assert "sync records" in disk.take()
        disk.unbeaten = False
        disk.queue.step(10.0 + 2 * RETRY_S)
        assert disk.take()[0] == "beat"

    def test_the_last_step_syncs_at_once_and_tries_again_at_once(self, disk: Disk) -> None:
        disk.full = True
        disk.queue.post(Lane.RECORDS, disk.write("a"))
        disk.queue.step(2.0)
        disk.full = False
        disk.queue.step(2.1, last=True)
        assert disk.take() == ["a", "sync records", "sync journal"]


class TestThread:
    def test_what_was_posted_is_done_in_another_thread(self) -> None:
        disk, done = Disk(), threading.Event()
        names: list[str] = []
        thread = DiskThread(disk.queue)
        thread.start()
        thread.post(Lane.RECORDS, lambda: names.append(threading.current_thread().name))
        thread.post(Lane.RECORDS, done.set)
        assert done.wait(10)
        thread.post(Lane.RECORDS, disk.write("last"))
        thread.close()
        assert names == ["cdr"]
        assert disk.done[-3:] == ["last", "sync records", "sync journal"]

    def test_closing_on_a_full_disk_tells_what_is_lost(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        disk = Disk()
        disk.full = True
        thread = DiskThread(disk.queue)
        thread.start()
        thread.post(Lane.RECORDS, disk.write("a"))
        thread.close()
        assert "1 writes of call records are left undone" in caplog.text

    def test_closing_what_never_started(self) -> None:
        DiskThread(Disk().queue).close()


class TestReplaceFile:
    def test_the_whole_content_is_new(self, tmp_path: Path) -> None:
        path = tmp_path / "journal"
        path.write_bytes(b"a long old content\n")
        (tmp_path / "journal.new").write_bytes(b"left from a crash\n")
        replace_file(path, b"new\n")
        assert path.read_bytes() == b"new\n"
        replace_file(path, b"")
        assert path.read_bytes() == b""
        assert list(tmp_path.iterdir()) == [path]
