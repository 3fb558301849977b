"""The data folder and its lock."""

import datetime
import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pbx.config import data_folder
from pbx.config.data_folder import DEFAULT_FOLDER, DataFolder
from pbx.errors import MisuseError, StartError
from pbx.locale import choose

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _in_english() -> None:
    choose("en")


def refusal(path: Path) -> StartError:
    with pytest.raises(StartError) as caught:
        DataFolder(path).open()
    assert str(path) in caught.value.sentence
    assert caught.value.sentence.endswith(".")
    assert "\n" not in caught.value.sentence
    return caught.value


class TestOpen:
    def test_all_is_made_for_the_owner_only(self, tmp_path: Path) -> None:
        folder = DataFolder(tmp_path / "data")
        folder.open()
        for path in (folder.path, folder.cdr, folder.log):
            assert path.stat().st_mode & 0o777 == 0o700
        assert sorted(path.name for path in folder.path.iterdir()) == [
            "cdr",
            "lock",
            "log",
            "music",
            "record",
            "recordings",
        ]
        folder.close()

    def test_opened_again_after_closing(self, tmp_path: Path) -> None:
        folder = DataFolder(tmp_path)
        folder.open()
        folder.close()
        folder.close()
        folder.open()
        with pytest.raises(MisuseError):
            folder.open()
        folder.close()

    def test_in_the_home_folder_by_default(self) -> None:
        assert Path("~/.minisipserver").expanduser() == DEFAULT_FOLDER
        assert DataFolder().path == DEFAULT_FOLDER

    def test_a_user_without_a_home(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def no_home() -> Path:
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.setattr(Path, "home", no_home)
        folder = DataFolder(data_folder._home() / ".minisipserver")
        with pytest.raises(StartError, match="--data-dir") as caught:
            folder.open()
        assert caught.value.exit_code == os.EX_OSFILE


class TestRefusal:
    def test_a_file_in_its_place(self, tmp_path: Path) -> None:
        path = tmp_path / "data"
        path.touch()
        assert refusal(path).exit_code == os.EX_CANTCREAT

    def test_no_folder_can_be_made_there(self) -> None:
        assert refusal(Path("/proc/minisip")).exit_code == os.EX_CANTCREAT

    @pytest.mark.parametrize("call", ["open", "pwrite"])
    def test_it_cannot_be_written_to(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
    ) -> None:
        def refuse(*_: object) -> int:
            raise OSError(errno.EROFS, "Read-only file system")

        with monkeypatch.context() as patch:
            patch.setattr(os, call, refuse)
            error = refusal(tmp_path)
        assert error.exit_code == os.EX_NOPERM
        assert "Read-only file system" in error.sentence
        free = DataFolder(tmp_path)
        free.open()
        free.close()

    def test_a_subfolder_cannot_be_written_to(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise PermissionError(errno.EACCES, "Permission denied")

        with monkeypatch.context() as patch:
            patch.setattr(Path, "touch", refuse)
            assert refusal(tmp_path).exit_code == os.EX_NOPERM
        free = DataFolder(tmp_path)
        free.open()
        free.close()


class TestLock:
    def test_two_exchanges_cannot_share_a_folder(self, tmp_path: Path) -> None:
        first = DataFolder(tmp_path)
        first.open()
        error = refusal(tmp_path)
        assert f"process {os.getpid()}" in error.sentence
        assert error.exit_code == os.EX_TEMPFAIL
        first.close()
        second = DataFolder(tmp_path)
        second.open()
        second.close()

    def test_a_killed_exchange_leaves_no_lock(self, tmp_path: Path) -> None:
        program = (
            "import sys; from pathlib import Path;"
            "from pbx.config.data_folder import DataFolder;"
            "DataFolder(Path(sys.argv[1])).open(); print('open', flush=True); sys.stdin.read()"
        )
        with subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == b"open\n"
            assert f"process {child.pid}" in refusal(tmp_path).sentence
            child.kill()
            child.wait(10)
        folder = DataFolder(tmp_path)
        folder.open()
        folder.close()

    def test_a_child_does_not_inherit_the_lock(self, tmp_path: Path) -> None:
        folder = DataFolder(tmp_path)
        folder.open()
        with subprocess.Popen(
            [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE
        ):
            folder.close()
            again = DataFolder(tmp_path)
            again.open()
            again.close()


class TestSound:
    def test_music_in_the_order_of_its_names(self, tmp_path: Path) -> None:
        folder = DataFolder(tmp_path)
        assert folder.music_files() == []
        folder.open()
        for name in ("b.wav", "a.WAV", "readme.txt"):
            (folder.music / name).touch()
        assert folder.music_files() == [str(folder.music / name) for name in ("a.WAV", "b.wav")]
        folder.close()

    def test_recordings_of_before_are_removed(self, tmp_path: Path) -> None:
        folder = DataFolder(tmp_path)
        folder.open()
        left = folder.recordings / "7.wav"
        left.touch()
        folder.close()
        folder.open()
        assert not left.exists()
        folder.close()


class TestRecordings:
    WHEN = datetime.datetime(2026, 11, 23, 4, 5, 6)  # noqa: DTZ001

    def test_a_file_of_its_own_in_the_days_folder(self, tmp_path: Path) -> None:
        folder = DataFolder(tmp_path)
        name = folder.new_recording(self.WHEN, "100", "101", "c1")
        assert name == "20261123/040506_100_101_c1.wav"
        assert (folder.record / "20261123").stat().st_mode & 0o777 == 0o700
        (folder.record / name).touch()
        assert folder.new_recording(self.WHEN, "100", "101", "c1").endswith("_c1_2.wav")

    def test_no_number_leads_out_of_the_folder(self, tmp_path: Path) -> None:
        name = DataFolder(tmp_path).new_recording(self.WHEN, "../../x", "a/b\0" * 99, "c1")
        assert name.count("/") == 1
        assert ".." not in name
        assert "\0" not in name
        assert len(name) < 200

    def test_a_folder_that_cannot_be_made(self, tmp_path: Path) -> None:
        (tmp_path / "record").write_text("in the way")
        with pytest.raises(OSError, match="record"):
            DataFolder(tmp_path).new_recording(self.WHEN, "100", "101", "c1")

    def test_a_start_leaves_them_alone(self, tmp_path: Path) -> None:
        folder = DataFolder(tmp_path)
        name = folder.new_recording(self.WHEN, "100", "101", "c1")
        (folder.record / name).write_bytes(b"RIFF")
        folder.open()
        folder.close()
        assert (folder.record / name).exists()
