"""Which recordings go, and which never do."""

import logging
from datetime import date
from pathlib import Path

import pytest

from pbx.recorded.folder import RecordingFolder
from pbx.recorded.name import today
from pbx.recorded.retention import Failure, Retention
from tests.recorded.days import left, make

NOBODY: frozenset[str] = frozenset()
NOW = date(2026, 11, 30)

OLD = "20261120/101112_100_101_a.wav"
OLDER = "20261101/101112_100_101_a.wav"
NEW = "20261130/101112_100_101_a.wav"


def retention(folder: Path, keep_days: int = 0, most_mb: int = 0) -> Retention:
    return Retention(RecordingFolder(folder), keep_days, most_mb)


class TestAge:
    def test_what_is_older_goes_with_its_day(self, tmp_path: Path) -> None:
        for name in (OLDER, OLD, NEW):
            make(tmp_path, name)
        assert retention(tmp_path, keep_days=10).apply(NOBODY, NOW) is None
        assert left(tmp_path) == ["20261120", OLD, "20261130", NEW]
        assert retention(tmp_path, keep_days=9).apply(NOBODY, NOW) is None
        assert left(tmp_path) == ["20261130", NEW]

    def test_0_keeps_all(self, tmp_path: Path) -> None:
        make(tmp_path, "19990101/101112_100_101_a.wav")
        kept = retention(tmp_path)
        assert not kept.wanted
        kept.apply(NOBODY, NOW)
        assert len(left(tmp_path)) == 2

    def test_a_clock_that_begins_in_the_past_removes_nothing(self, tmp_path: Path) -> None:
        make(tmp_path, NEW)
        assert retention(tmp_path, keep_days=1).apply(NOBODY, date(1970, 1, 1)) is None
        assert NEW in left(tmp_path)

    def test_there_is_no_folder_yet(self, tmp_path: Path) -> None:
        assert retention(tmp_path / "none", 1, 1).apply(NOBODY, NOW) is None


class TestQuota:
    def test_the_oldest_go_first_and_no_more_than_need_be(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        names = [f"2026112{day}/10111{second}_1_2_a.wav" for day in (0, 1) for second in (1, 2)]
        for name in names:
            make(tmp_path, name, seconds=25)  # 0.4 MB
        retention(tmp_path, most_mb=1).apply(NOBODY, NOW)
        assert left(tmp_path) == ["20261121", *names[2:]]
        assert f"2 recordings removed, 0.8 MB, up to {names[1]}" in caplog.text

    def test_within_a_day(self, tmp_path: Path) -> None:
        names = [f"20261120/10111{second}_1_2_a.wav" for second in range(3)]
        for name in names:
            make(tmp_path, name, seconds=25)
        retention(tmp_path, most_mb=1).apply(NOBODY, NOW)
        assert left(tmp_path) == ["20261120", *names[1:]]

    def test_what_comes_and_grows_counts_at_the_next_look(self, tmp_path: Path) -> None:
        limits = retention(tmp_path, most_mb=1)
        make(tmp_path, OLDER, seconds=50)
        running = make(tmp_path, NEW, seconds=1)
        limits.apply(frozenset({NEW}), NOW)
        assert OLDER in left(tmp_path)
        running.write_bytes(bytes(600_000))
        limits.apply(frozenset({NEW}), NOW)
        assert left(tmp_path) == ["20261130", NEW]

    def test_what_grows_and_was_not_told_of_in_time_counts_at_the_next_look(
        self, tmp_path: Path
    ) -> None:
        limits = retention(tmp_path, most_mb=1)
        make(tmp_path, OLDER, seconds=50)
        begun = make(tmp_path, NEW, seconds=0, ago_s=0)
        limits.apply(NOBODY, NOW)
        assert OLDER in left(tmp_path)
        begun.write_bytes(bytes(600_000))
        limits.apply(NOBODY, NOW)
        assert left(tmp_path) == ["20261130", NEW]

    def test_days_that_have_not_changed_are_not_read_again(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make(tmp_path, OLD)
        make(tmp_path, NEW)
        limits = retention(tmp_path, most_mb=1)
        limits.apply(NOBODY, NOW)
        read: list[str] = []
        files = RecordingFolder.files

        def noted(self: RecordingFolder, day: str) -> object:
            read.append(day)
            return files(self, day)

        monkeypatch.setattr(RecordingFolder, "files", noted)
        limits.apply(NOBODY, NOW)
        assert read == []
        make(tmp_path, "20261130/111111_1_2_b.wav")
        limits.apply(NOBODY, NOW)
        assert read == ["20261130"]


class TestWhatStays:
    def test_what_is_being_written(self, tmp_path: Path) -> None:
        fresh = "20261102/101112_100_101_a.wav"
        make(tmp_path, OLDER)
        make(tmp_path, fresh, ago_s=1)
        make(tmp_path, OLD, seconds=100)
        assert retention(tmp_path, 1, 1).apply(frozenset({OLDER}), NOW) is None
        assert [name for name in left(tmp_path) if "/" in name] == [OLDER, fresh]

    def test_what_is_not_ours(self, tmp_path: Path) -> None:
        folder = tmp_path / "record"
        mine = make(tmp_path, "elsewhere/mine.wav")
        elsewhere = make(tmp_path, "20260101/101112_100_101_a.wav").parent
        make(folder, OLDER)
        strangers = ["20261101/notes.txt", "20261101/mine.wav", "old/101112_100_101_a.wav"]
        for name in strangers:
            make(folder, name)
        (folder / "20261101" / "101113_100_101_a.wav").symlink_to(mine)
        (folder / "20260101").symlink_to(elsewhere)
        (folder / "20261102" / "101113_100_101_a.wav").mkdir(parents=True)
        assert retention(folder, 1, 1).apply(NOBODY, NOW) is None
        assert OLDER not in left(folder)
        assert set(strangers) < set(left(folder))
        assert (folder / "20261101" / "101113_100_101_a.wav").is_symlink()
        assert (folder / "20261102" / "101113_100_101_a.wav").is_dir()
        assert mine.exists()
        assert len(left(elsewhere)) == 1

    def test_what_a_link_called_as_a_day_leads_to(self, tmp_path: Path) -> None:
        """Whoever asks for it: by age, by size or by its name."""
        folder = tmp_path / "record"
        kept = make(tmp_path / "elsewhere", OLDER)
        folder.mkdir()
        (folder / "20261101").symlink_to(kept.parent)
        assert RecordingFolder(folder).files("20261101") == []
        assert RecordingFolder(folder).find(OLDER) is None

    def test_todays_folder_where_it_is_empty(self, tmp_path: Path) -> None:
        """A recording that begins at this moment has its folder made, and no file yet."""
        day = f"{today():%Y%m%d}"
        make(tmp_path, f"{day}/000000_100_101_a.wav", seconds=100)
        retention(tmp_path, most_mb=1).apply(NOBODY, today())
        assert left(tmp_path) == [day]


class TestFailures:
    def test_the_others_go_all_the_same(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        unlink = Path.unlink

        def refuse(path: Path, missing_ok: bool = False) -> None:
            if path.name.startswith("101112"):
                raise PermissionError(13, "Permission denied")
            unlink(path, missing_ok)

        monkeypatch.setattr(Path, "unlink", refuse)
        make(tmp_path, OLDER)
        make(tmp_path, "20261101/101113_100_101_a.wav")
        make(tmp_path, NEW)
        limits = retention(tmp_path, keep_days=1)
        assert limits.apply(NOBODY, NOW) == Failure(OLDER, "Permission denied")
        assert left(tmp_path) == ["20261101", OLDER, "20261130", NEW]
        monkeypatch.undo()
        assert limits.apply(NOBODY, NOW) is None
        assert left(tmp_path) == ["20261130", NEW]

    def test_a_quota_goes_on_with_the_next_one(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        names = [f"2026112{day}/101112_1_2_a.wav" for day in range(3)]
        for name in names:
            make(tmp_path, name, seconds=35)  # 0.56 MB
        unlink = Path.unlink

        def refuse(path: Path, missing_ok: bool = False) -> None:
            if path.parent.name == "20261120":
                raise OSError(30, "Read-only file system")
            unlink(path, missing_ok)

        monkeypatch.setattr(Path, "unlink", refuse)
        failure = retention(tmp_path, most_mb=1).apply(NOBODY, NOW)
        assert failure == Failure(names[0], "Read-only file system")
        assert [name for name in left(tmp_path) if "/" in name] == [names[0]]

    def test_a_folder_that_cannot_be_read(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make(tmp_path, OLD)
        make(tmp_path, OLDER)
        files = RecordingFolder.files

        def refuse(self: RecordingFolder, day: str) -> object:
            if day == "20261101":
                raise PermissionError(13, "Permission denied")
            return files(self, day)

        monkeypatch.setattr(RecordingFolder, "files", refuse)
        assert retention(tmp_path, 1, 1).apply(NOBODY, NOW) == Failure(
            "20261101", "Permission denied"
        )
        assert left(tmp_path) == ["20261101", OLDER]


def test_a_recording_lasts_as_long_as_its_header_says(tmp_path: Path) -> None:
    make(tmp_path, OLD, seconds=2.5)
    (tmp_path / "20261120" / "101113_1_2_a.wav").write_bytes(b"RIFF")
    folder = RecordingFolder(tmp_path)
    assert [folder.seconds(one.name) for one in folder.files("20261120")] == [2.5, 0.0]
    assert folder.days() == ["20261120"]
    assert read(folder) == [OLD, "20261120/101113_1_2_a.wav"]


def read(folder: RecordingFolder) -> list[str]:
    return [file.name for day in folder.days() for file in folder.files(day)]
