"""Call records on their way from the files to the database, on both kinds of it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pbx.store import feeder
from pbx.store.record_file import BOM, COLUMNS, HEADER
from pbx.store.schema import CDR_LENGTHS
from tests.interop.waiting import until
from tests.store.kept import Kept, Records

Opened = Callable[[Kept], Kept]


def ids(kept: Kept) -> list[str]:
    return [str(row[0]) for row in kept.rows("SELECT record_id FROM cdr ORDER BY record_id")]


def expected(*numbers: int) -> list[str]:
    return [f"{number:016x}-LO" for number in numbers]


def tell(kept: Kept, records: Records, end: int) -> None:
    kept.store.record_written(records.path, end)


class TestFollowing:
    def test_a_record_arrives_with_all_its_columns(self, kept: Kept) -> None:
        records = Records(kept.folder)
        tell(kept, records, records.write(1, route="李雷, local user"))
        kept.until_fed()
        (row,) = kept.rows(f"SELECT {', '.join(COLUMNS)} FROM cdr")
        found = dict(zip(COLUMNS, row, strict=True))
        sent = dict(zip(COLUMNS, Records.values(1, route="李雷, local user"), strict=True))
        assert found == {**sent, "duration": 12.25}
        assert found["caller_number"] == "+8613901088888"

    def test_one_after_the_other(self, kept: Kept) -> None:
        records = Records(kept.folder)
        for number in range(1, 6):
            tell(kept, records, records.write(number))
            kept.until_fed()
        assert ids(kept) == expected(1, 2, 3, 4, 5)

    def test_what_is_not_on_the_disk_for_certain_is_left(self, kept: Kept) -> None:
        kept.done_so_far()
        records = Records(kept.folder)
        end = records.write(1)
        later = records.write(2)
        tell(kept, records, end)
        kept.until_fed()
        assert ids(kept) == expected(1)
        tell(kept, records, later)
        kept.until_fed()
        assert ids(kept) == expected(1, 2)

    def test_a_new_day(self, kept: Kept) -> None:
        first, second = Records(kept.folder), Records(kept.folder, "20270116")
        tell(kept, first, first.write(1))
        tell(kept, second, second.write(2))
        kept.until_fed()
        assert ids(kept) == expected(1, 2)

    def test_a_lot_at_once(
        self, kept: Kept, opened: Opened, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(feeder, "CHUNK", 4096)
        kept.close()
        Records(kept.folder).write(*range(300))
        again = opened(kept.reopened())
        again.until_fed()
        assert ids(again) == expected(*range(300))


class TestRestart:
    def test_what_came_while_the_store_was_closed(self, kept: Kept, opened: Opened) -> None:
        records = Records(kept.folder)
        tell(kept, records, records.write(1))
        kept.until_fed()
        kept.close()
        records.write(2, 3)
        again = opened(kept.reopened())
        again.until_fed()
        assert ids(again) == expected(1, 2, 3)

    def test_nothing_is_read_twice(self, kept: Kept, opened: Opened) -> None:
        records = Records(kept.folder)
        tell(kept, records, records.write(1))
        kept.until_fed()
        kept.rows("DELETE FROM cdr")
        again = opened(kept.reopened())
        again.until_fed()
        assert ids(again) == []

    def test_nothing_is_doubled_when_the_position_was_lost(
        self, kept: Kept, opened: Opened
    ) -> None:
        records = Records(kept.folder)
        tell(kept, records, records.write(1, 2))
        kept.until_fed()
        kept.rows("DELETE FROM cdr_position")
        kept.local_rows("DELETE FROM cdr_position")
        kept.rows("DELETE FROM cdr WHERE record_id LIKE '%1-LO'")
        again = opened(kept.reopened())
        again.until_fed()
        assert ids(again) == expected(1, 2)

    def test_a_file_that_was_replaced_by_a_shorter_one(self, kept: Kept, opened: Opened) -> None:
        records = Records(kept.folder)
        tell(kept, records, records.write(1, 2, 3))
        kept.until_fed()
        kept.close()
        records.path.unlink()
        records.write(4)
        again = opened(kept.reopened())
        again.until_fed()
        assert ids(again) == expected(1, 2, 3, 4)

    def test_a_file_that_is_taken_away_while_it_runs(self, kept: Kept) -> None:
        """And the new one is longer than the old one was before the database hears of it."""
        records = Records(kept.folder)
        for first, second in ((range(1, 4), range(4, 6)), (range(6, 8), range(8, 14))):
            tell(kept, records, records.write(*first))
            kept.until_fed()
            records.path.unlink()
            for number in second:
                tell(kept, records, records.write(number))
            kept.until_fed()
            records.path.unlink()
        assert ids(kept) == expected(*range(1, 14))

    def test_two_exchanges_in_one_database(
        self, kept: Kept, opened: Opened, tmp_path: Path
    ) -> None:
        records = Records(kept.folder)
        tell(kept, records, records.write(1, 2))
        kept.until_fed()
        (tmp_path / "other").mkdir()
        other = opened(Kept(tmp_path / "other", kept.url, kept.server))
        theirs = Records(other.folder)
        tell(other, theirs, theirs.write(3))
        other.until_fed()
        assert set(expected(3)) <= set(ids(other))
        if kept.server:
            assert ids(kept) == expected(1, 2, 3)
            assert other.first.users == kept.first.users
            assert other.store.initial_passwords() == {}


class TestStrangeFiles:
    def test_a_torn_line_waits_until_it_is_mended(self, kept: Kept, opened: Opened) -> None:
        kept.close()
        records = Records(kept.folder)
        end = records.write(1)
        records.write(2)
        whole = records.path.read_bytes()
        records.path.write_bytes(whole[: end + 20])
        again = opened(kept.reopened())
        again.until_fed()
        assert ids(again) == expected(1)
        records.path.write_bytes(whole[:end])
        tell(again, records, records.write(3))
        again.until_fed()
        assert ids(again) == expected(1, 3)

    @pytest.mark.parametrize(
        "line",
        [
            b"a letter to my aunt\r\n",
            b'"an open quote,1,2\r\n',
            b"\xff\xfe\r\n",
            b"," * (len(COLUMNS) - 1) + b"\r\n",
            b"\r\n",
            HEADER,
        ],
    )
    def test_a_line_that_is_no_record_is_left_out(
        self, kept: Kept, caplog: pytest.LogCaptureFixture, line: bytes
    ) -> None:
        records = Records(kept.folder)
        records.write(1)
        records.append(line)
        tell(kept, records, records.write(2))
        kept.until_fed()
        assert ids(kept) == expected(1, 2)
        assert "left out of the database" in caplog.text

    @pytest.mark.parametrize("duration", ["x", "nan", "inf", "1e999"])
    def test_a_duration_that_is_none(self, kept: Kept, duration: str) -> None:
        records = Records(kept.folder)
        records.write(1, duration=duration)
        tell(kept, records, records.write(2, duration=""))
        kept.until_fed()
        assert ids(kept) == expected(2)

    def test_values_that_are_too_long_are_cut(self, kept: Kept) -> None:
        records = Records(kept.folder)
        long = dict.fromkeys(set(CDR_LENGTHS) - {"record_id"}, "é" * 2000)
        tell(kept, records, records.write(1, **long))
        kept.until_fed()
        (row,) = kept.rows("SELECT route, cdr_type FROM cdr")
        assert row == ("é" * 512, "éé")

    def test_the_files_own_header_counts(self, kept: Kept) -> None:
        records = Records(kept.folder)
        records.path.write_bytes(BOM + b"future,route,record_id,duration\r\n")
        with records.path.open("ab") as file:
            file.write(b"x,somewhere,7-LO,1.5\r\n")
        tell(kept, records, records.path.stat().st_size)
        kept.until_fed()
        assert kept.rows("SELECT record_id, route, duration, fci FROM cdr") == [
            ("7-LO", "somewhere", 1.5, "")
        ]

    @pytest.mark.parametrize("header", [b"no,header\r\n", b"\xff\r\n"])
    def test_without_a_header_our_own_columns_are_meant(self, kept: Kept, header: bytes) -> None:
        records = Records(kept.folder)
        records.path.write_bytes(header)
        tell(kept, records, records.write(1))
        kept.until_fed()
        assert ids(kept) == expected(1)

    def test_a_line_without_end(
        self, kept: Kept, opened: Opened, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(feeder, "CHUNK", 4096)
        kept.close()
        records = Records(kept.folder)
        records.write(1)
        records.append(b"x" * 9000 + b"\r\n")
        records.write(2)
        again = opened(kept.reopened())
        again.until_fed()
        assert ids(again) == expected(1, 2)

    def test_a_file_that_goes_away_meanwhile(
        self, kept: Kept, caplog: pytest.LogCaptureFixture
    ) -> None:
        kept.done_so_far()
        records = Records(kept.folder)
        kept.store.record_written(records.path, 100)
        kept.until_fed()
        assert "No such file" in caplog.text
        tell(kept, records, records.write(1))
        kept.until_fed()
        assert ids(kept) == expected(1)

    def test_a_file_that_is_none(
        self, tmp_path: Path, opened: Opened, caplog: pytest.LogCaptureFixture
    ) -> None:
        Records(tmp_path).path.mkdir(parents=True)
        second = Records(tmp_path, "20270116")
        second.write(1)
        kept = opened(Kept(tmp_path))
        kept.until_fed()
        assert ids(kept) == expected(1)
        assert "can't be brought" in caplog.text

    def test_the_positions_cannot_be_read_at_first(
        self, tmp_path: Path, opened: Opened, caplog: pytest.LogCaptureFixture
    ) -> None:
        first = Kept(tmp_path)
        first.close()
        Records(tmp_path).write(1)
        first.local_rows("ALTER TABLE cdr_position RENAME TO hidden")
        kept = opened(Kept(tmp_path))
        until("the failure is logged", lambda: "looked through, trying" in caplog.text)
        kept.local_rows("ALTER TABLE hidden RENAME TO cdr_position")
        until("the record arrives", lambda: ids(kept) == expected(1))
