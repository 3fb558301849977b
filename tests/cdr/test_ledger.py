"""From facts to files, through crashes."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from pbx.cdr.fci import parse_fci
from pbx.cdr.journal import replay
from pbx.cdr.ledger import Ledger
from pbx.config.data_folder import DataFolder
from pbx.config.settings import CdrSettings
from pbx.errors import MisuseError, StartError
from tests.cdr.samples import EPOCH, OFFSET_S, UTC, facts


class Reader:
    """What the ledger tells the store."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int]] = []

    def record_written(self, path: Path, offset: int) -> None:
        self.told.append((path.name, offset))


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[DataFolder]:
    folder = DataFolder(tmp_path)
    folder.open()
    yield folder
    folder.close()


def ledger(folder: DataFolder, reader: Reader, *sides: str) -> Ledger:
    settings = CdrSettings(sides=sides or ("LO", "OO"))
    one = Ledger(folder, reader, settings, zone=UTC, wall=lambda: EPOCH + 30)
    one.open()
    return one


def rows(folder: DataFolder) -> list[dict[str, str]]:
    found = []
    for path in sorted(folder.cdr.glob("*.csv")):
        with path.open(encoding="utf-8-sig", newline="") as file:
            found += list(csv.DictReader(file, strict=True))
    return found


class TestCalls:
    def test_a_whole_call(self, folder: DataFolder) -> None:
        reader = Reader()
        one = ledger(folder, reader)
        one.changed(facts(alert=None, talk=None, release=None, cause=None), OFFSET_S)
        one.changed(facts(release=None, cause=None), OFFSET_S)
        one.ended(facts(), OFFSET_S)
        one.close()
        (row,) = rows(folder)
        assert (row["cdr_type"], row["duration"]) == ("LO", "12.250")
        assert parse_fci(row["fci"])["callTag"] == "102"
        path = folder.cdr / "CDR_20270115.csv"
        assert reader.told == [(path.name, path.stat().st_size)]
        assert replay((folder.path / "calls.journal").read_bytes()) == []
        assert one.waiting == 0

    def test_both_sides_at_once(self, folder: DataFolder) -> None:
        """Who looks at the file finds both records of a call, or none."""
        reader = Reader()
        one = ledger(folder, reader, "LO", "LT")
        one.ended(facts(), OFFSET_S)
        one.close()
        assert [row["cdr_type"] for row in rows(folder)] == ["LO", "LT"]
        path = folder.cdr / "CDR_20270115.csv"
        *_, second = path.read_bytes().splitlines(keepends=True)
        size = path.stat().st_size
        assert reader.told == [(path.name, size - len(second)), (path.name, size)]

    def test_records_switched_off(self, folder: DataFolder) -> None:
        one = ledger(folder, Reader(), "OT")
        one.changed(facts(), OFFSET_S)
        one.ended(facts(), OFFSET_S)
        one.close()
        assert rows(folder) == []
        assert replay((folder.path / "calls.journal").read_bytes()) == []

    @pytest.mark.parametrize("missing", ["cause", "release"])
    def test_a_call_that_goes_on_has_no_record(self, folder: DataFolder, missing: str) -> None:
        one = ledger(folder, Reader())
        with pytest.raises(MisuseError):
            one.ended(facts(**{missing: None}), OFFSET_S)
        one.close()


class TestCrash:
    def crash(self, folder: DataFolder, *, answered: bool = True, ended: bool = False) -> None:
        """Leave the files as a crash in a call does, `ended`: between record and journal."""
        one = ledger(folder, Reader(), "LO", "LT")
        running = facts() if answered else facts(alert=None, talk=None)
        one.changed(running, OFFSET_S)
        one.close()
        if ended:
            journal = folder.path / "calls.journal"
            before = journal.read_bytes()
            again = ledger(folder, Reader(), "LO")
            again.close()
            journal.write_bytes(before)

    def test_the_call_leaves_a_record(
        self, folder: DataFolder, caplog: pytest.LogCaptureFixture
    ) -> None:
        self.crash(folder)
        reader = Reader()
        ledger(folder, reader, "LO", "LT").close()
        first, second = rows(folder)
        assert (first["cdr_type"], second["cdr_type"]) == ("LO", "LT")
        assert parse_fci(first["fci"])["callTag"] == "308"
        assert parse_fci(first["fci"])["cause"] == "41"
        assert first["release_time"] == "2027-01-15T08:00:04.500+00:00"
        assert len(reader.told) == 2
        assert "cut off by a restart" in caplog.text

    def test_only_once(self, folder: DataFolder) -> None:
        self.crash(folder)
        ledger(folder, Reader()).close()
        ledger(folder, Reader()).close()
        assert len(rows(folder)) == 1

    def test_until_the_last_sign_of_life(self, folder: DataFolder) -> None:
        self.crash(folder)
        journal = folder.path / "calls.journal"
        with journal.open("ab") as file:
            file.write(b'{"type":"alive","wall_s":%f}\n' % (EPOCH + 64.5))
        ledger(folder, Reader()).close()
        assert rows(folder)[0]["duration"] == "60.000"

    def test_a_call_that_was_ringing(self, folder: DataFolder) -> None:
        self.crash(folder, answered=False)
        ledger(folder, Reader()).close()
        assert rows(folder)[0]["duration"] == "0.000"

    def test_a_crash_between_record_and_journal_doubles_nothing(self, folder: DataFolder) -> None:
        self.crash(folder, ended=True)
        assert [row["cdr_type"] for row in rows(folder)] == ["LO"]
        ledger(folder, Reader(), "LO", "LT").close()
        assert [row["cdr_type"] for row in rows(folder)] == ["LO", "LT"]

    def test_a_record_torn_by_a_power_cut_is_made_again(self, folder: DataFolder) -> None:
        self.crash(folder, ended=True)
        path = folder.cdr / "CDR_20270115.csv"
        path.write_bytes(path.read_bytes()[:-20])
        ledger(folder, Reader()).close()
        assert [row["cdr_type"] for row in rows(folder)] == ["LO"]
        assert path.with_suffix(".torn").exists()


class TestStart:
    def test_files_that_cannot_be_used(self, folder: DataFolder) -> None:
        (folder.path / "calls.journal").mkdir()
        with pytest.raises(StartError) as caught:
            ledger(folder, Reader())
        assert str(folder.path) in caught.value.sentence
        assert caught.value.exit_code == 74
