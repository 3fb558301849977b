"""The record files on the disk."""

import csv
import errno
import os
from pathlib import Path

import pytest

from pbx.cdr.csv_writer import CsvWriter
from pbx.store.record_file import COLUMNS, HEADER, decode_line
from tests.cdr.samples import EPOCH, UTC, record

DAY = "CDR_20270115.csv"
NEXT_DAY = "CDR_20270116.csv"
MIDNIGHT = EPOCH + 16 * 3600


class Folder:
    """A folder of record files, its writer, and what the writer told."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.told: list[tuple[str, int]] = []
        self.writer = CsvWriter(path, lambda file, end: self.told.append((file.name, end)), UTC)

    def ids(self, name: str = DAY) -> list[str]:
        """The record ids of a file, as another program reads them."""
        with (self.path / name).open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, strict=True))
        assert all(None not in row and None not in row.values() for row in rows)
        return [row["record_id"] for row in rows]

    def write(self, *numbers: int, wall_s: float = EPOCH) -> None:
        for number in numbers:
            self.writer.append([record(number, wall_s)])

    def tear(self, octets: int, name: str = DAY) -> None:
        """Take the file's last octets away, as a power cut does."""
        path = self.path / name
        os.truncate(path, path.stat().st_size - octets)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def rid(number: int) -> str:
    return f"{number:016x}-LO"


class TestT10_1:
    def test_a_file_begins_with_its_header(self, folder: Folder) -> None:
        folder.write(1)
        content = (folder.path / DAY).read_bytes()
        assert content.startswith(HEADER)
        assert content.endswith(b"\r\n")
        assert content.count(b"\xef\xbb\xbf") == 1

    def test_t10_3_a_line_a_record(self, folder: Folder) -> None:
        folder.write(1, 2, 3)
        lines = (folder.path / DAY).read_bytes().splitlines()
        assert [decode_line(line) for line in lines] == [
            list(COLUMNS),
            *(record(number).values(UTC) for number in (1, 2, 3)),
        ]

    def test_a_new_day_is_a_new_file(self, folder: Folder) -> None:
        folder.write(1, wall_s=MIDNIGHT - 0.001)
        folder.write(2, wall_s=MIDNIGHT)
        assert (folder.ids(), folder.ids(NEXT_DAY)) == ([rid(1)], [rid(2)])

    def test_records_are_for_the_owner_only(self, folder: Folder) -> None:
        folder.write(1)
        assert (folder.path / DAY).stat().st_mode & 0o777 == 0o600

    def test_all_sides_of_a_call_are_one_write(
        self, folder: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        writes: list[bytes] = []
        real = os.write
        monkeypatch.setattr(os, "write", lambda fd, data: writes.append(data) or real(fd, data))  # type: ignore[func-returns-value]
        folder.writer.append([record(1), record(2)])
        folder.write(3)
        assert len(writes) == 2
        assert folder.ids() == [rid(1), rid(2), rid(3)]


class TestSync:
    def test_every_record_is_told_after_it_is_on_the_disk(self, folder: Folder) -> None:
        folder.writer.append([record(1), record(2)])
        folder.write(3, wall_s=MIDNIGHT)
        assert folder.told == []
        folder.writer.sync()
        size = (folder.path / DAY).stat().st_size
        line = len((folder.path / DAY).read_bytes().splitlines(keepends=True)[-1])
        assert folder.told[:2] == [(DAY, size - line), (DAY, size)]
        assert folder.told[2:] == [(NEXT_DAY, (folder.path / NEXT_DAY).stat().st_size)]
        folder.writer.sync()
        assert len(folder.told) == 3

    def test_nothing_is_told_when_the_disk_fails(
        self, folder: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder.write(1)

        def fails(_fd: int) -> None:
            raise OSError(errno.EIO, "Input/output error")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fails)
            with pytest.raises(OSError, match="Input/output"):
                folder.writer.sync()
        assert folder.told == []
        folder.writer.sync()
        assert len(folder.told) == 1

    def test_a_file_that_was_taken_away(
        self, folder: Folder, caplog: pytest.LogCaptureFixture
    ) -> None:
        folder.write(1)
        folder.write(2, wall_s=MIDNIGHT)
        (folder.path / DAY).unlink()
        folder.writer.sync()
        assert [name for name, _ in folder.told] == [NEXT_DAY]
        assert "taken away" in caplog.text


class TestFullDisk:
    def test_no_room_at_all(self, folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
        folder.write(1)

        def full(_fd: int, _data: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "write", full)
            with pytest.raises(OSError, match="No space"):
                folder.write(2)
        folder.write(2)
        assert folder.ids() == [rid(1), rid(2)]

    def test_half_a_line_is_taken_back(
        self, folder: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder.write(1)
        real = os.write
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", lambda fd, data: real(fd, data[:50]))
            with pytest.raises(OSError, match="No space"):
                folder.write(2)
        folder.write(2)
        assert folder.ids() == [rid(1), rid(2)]

    def test_half_a_header_is_taken_back(
        self, folder: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = os.write
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", lambda fd, data: real(fd, data[:20]))
            with pytest.raises(OSError, match="No space"):
                folder.write(1)
        folder.write(1)
        assert folder.ids() == [rid(1)]


class TestRepair:
    def test_nothing_to_mend(self, folder: Folder) -> None:
        folder.writer.repair()
        folder.write(1)
        before = (folder.path / DAY).read_bytes()
        folder.writer.repair()
        assert (folder.path / DAY).read_bytes() == before
        assert [path.name for path in folder.path.iterdir()] == [DAY]

    @pytest.mark.parametrize("octets", [2, 3, 10, 100])
    def test_a_torn_line_goes_aside(self, folder: Folder, octets: int) -> None:
        folder.write(1, 2)
        whole = (folder.path / DAY).read_bytes().splitlines()[-1]
        folder.tear(octets)
        folder.writer.repair()
        folder.write(3)
        assert folder.ids() == [rid(1), rid(3)]
        aside = (folder.path / "CDR_20270115.torn").read_bytes()
        assert aside == whole[: len(whole) + 2 - octets] + b"\r\n"

    def test_only_the_line_feed_is_missing(self, folder: Folder) -> None:
        folder.write(1, 2)
        folder.tear(1)
        folder.writer.repair()
        folder.write(3)
        assert folder.ids() == [rid(1), rid(2), rid(3)]
        assert not (folder.path / "CDR_20270115.torn").exists()

    def test_a_line_torn_within_quotes(self, folder: Folder) -> None:
        folder.write(1)
        with (folder.path / DAY).open("ab") as file:
            file.write(b'2-LO,"a,\r')
        folder.writer.repair()
        assert folder.ids() == [rid(1)]

    def test_a_torn_header(self, folder: Folder) -> None:
        (folder.path / DAY).write_bytes(HEADER[:20] + b"\r")
        folder.writer.repair()
        folder.write(1)
        assert folder.ids() == [rid(1)]

    def test_zeros_where_the_file_system_had_not_written(self, folder: Folder) -> None:
        folder.write(1)
        with (folder.path / DAY).open("ab") as file:
            file.write(bytes(4096))
        folder.writer.repair()
        folder.write(2)
        assert folder.ids() == [rid(1), rid(2)]
        assert [path.name for path in folder.path.iterdir()] == [DAY]

    def test_yesterdays_file_too(self, folder: Folder) -> None:
        folder.write(1, 2)
        folder.tear(5)
        folder.write(3, wall_s=MIDNIGHT)
        folder.writer.repair()
        assert (folder.ids(), folder.ids(NEXT_DAY)) == ([rid(1)], [rid(3)])

    def test_an_endless_line_is_nobodys_record(self, folder: Folder) -> None:
        (folder.path / DAY).write_bytes(HEADER + b"x" * 100_000)
        folder.writer.repair()
        folder.write(1)
        lines = (folder.path / DAY).read_bytes().splitlines()
        assert decode_line(lines[-1])[0] == rid(1)

    def test_an_editor_saved_without_the_last_line_end(self, folder: Folder) -> None:
        folder.write(1)
        folder.tear(2)
        folder.write(2)
        assert folder.ids() == [rid(1), rid(2)]


class TestKnown:
    def test_which_records_are_there(self, folder: Folder) -> None:
        folder.write(1, 2)
        folder.write(3, wall_s=MIDNIGHT)
        assert folder.writer.known([rid(2), rid(3), rid(4)]) == {rid(2), rid(3)}

    def test_nothing_asked_reads_nothing(self, folder: Folder) -> None:
        (folder.path / DAY).mkdir()
        assert folder.writer.known([]) == set()
