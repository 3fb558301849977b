"""`minicdr` on binary files: read as CSV files are, converted, and refused where nothing proves them."""

import json
import struct
import sys
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pbx.cdr.packed import HEADER, encode_record
from pbx.store.record_file import BOM, COLUMNS, decode_line
from tests.tui.minicdr.conftest import Exchange, Run
from tests.tui.program import CHINESE


def rows(path: Path) -> list[list[str]]:
    """The records of a CSV file."""
    return [decode_line(line) for line in path.read_bytes().splitlines()[1:]]


def packed(records: Sequence[Sequence[str]]) -> bytes:
    return HEADER + b"".join(map(encode_record, records))


@pytest.fixture
def old(office: Exchange) -> Path:
    """The newest file in binary; it has three records, and there is no CSV file of that day."""
    office.call(route="前门, “门”", caller_number="+8613901088888")
    csv = office.newest
    path = csv.with_suffix(".cdr")
    path.write_bytes(packed(rows(csv)))
    csv.rename(csv.with_name("kept.csv.aside"))
    return path


class TestReading:
    def test_it_is_listed_and_added_up_as_the_csv_file_is(self, minicdr: Run, old: Path) -> None:
        csv = old.with_name("kept.csv.aside")
        for args in (["--json"], ["total", "--json"], ["total", "--by", "user"], []):
            ran = minicdr(*args, old)
            assert (ran.code, ran.err) == (0, "")
            assert ran.out == minicdr(*args, csv).out
        assert len(minicdr("--json", old).out.splitlines()) == 5

    def test_a_folder_has_both_kinds(self, minicdr: Run, old: Path) -> None:
        assert minicdr("--limit", "0").out.endswith("Calls: 6\n")
        assert '"caller_number":"+8613901088888"' in minicdr("show", "6@phone", "--json").out

    def test_the_days_of_both_kinds_are_in_order(self, minicdr: Run, old: Path) -> None:
        ends = [json.loads(one)["release_time"] for one in minicdr("--json").out.splitlines()]
        assert ends == sorted(ends, reverse=True)

    def test_the_layout_is_what_its_document_says(self, minicdr: Run, tmp_path: Path) -> None:
        """Written here by the document alone, so that a change of the layout shows."""
        values = ["r1-LO", "c1", "LO", "100", "101", "101", "2020-01-02T03:04:05.000+08:00"]
        values += ["", "", "2020-01-02T03:04:09.000+08:00", "0.000", "", "", "", "callTag=101"]
        start = b"MSSCDR\r\n" + struct.pack("<HH", 1, 15)
        body = b"".join(struct.pack("<H", len(one)) + one.encode() for one in values)
        body = struct.pack("<H", len(body)) + body
        crc = zlib.crc32(start)
        path = tmp_path / "x.cdr"
        path.write_bytes(
            start + struct.pack("<I", crc) + body + struct.pack("<I", zlib.crc32(body, crc))
        )
        record = json.loads(minicdr("--json", path).out)
        assert record["setup_time"] == values[6]
        assert record["fci"] == {"callTag": "101"}


class TestConverting:
    def test_every_record_with_every_value(self, minicdr: Run, old: Path) -> None:
        ran = minicdr("convert", old)
        made = old.with_suffix(".csv")
        assert (ran.code, ran.err) == (0, "")
        assert ran.out == f"{old}: 5 records are now in {made}.\n"
        assert made.read_bytes() == old.with_name("kept.csv.aside").read_bytes()
        assert made.stat().st_mode & 0o777 == 0o600
        # no call counts twice now
        assert minicdr("--limit", "0").out.endswith("Calls: 6\n")
        assert '"calls":6' in minicdr("total", "--json").out.splitlines()[-1]

    def test_a_folder_into_another(self, minicdr: Run, old: Path, tmp_path: Path) -> None:
        (old.parent / "CDR_20200102.CDR").write_bytes(HEADER)
        made = tmp_path / "made"
        made.mkdir()
        ran = minicdr("convert", old.parent, "--into", made, "--json")
        assert (ran.code, ran.err) == (0, "")
        answers = [json.loads(line) for line in ran.out.splitlines()]
        assert [(one["csv"], one["records"]) for one in answers] == [
            (f"{made}/CDR_20200102.csv", 0),
            (f"{made}/{old.stem}.csv", 5),
        ]
        assert {one.name for one in made.iterdir()} == {"CDR_20200102.csv", f"{old.stem}.csv"}
        assert (made / "CDR_20200102.csv").read_bytes() == BOM + ",".join(
            COLUMNS
        ).encode() + b"\r\n"

    def test_chinese(self, minicdr: Run, old: Path) -> None:
        ran = minicdr("convert", old, locale=CHINESE)
        assert ran.out == f"{old}：5 条话单已写入 {old.with_suffix('.csv')}。\n"
        ran = minicdr("convert", old, locale=CHINESE)
        assert ran.err == f"minicdr: {old.with_suffix('.csv')} 已经存在，没有改动它。\n"

    def test_it_writes_over_nothing(self, minicdr: Run, old: Path, tmp_path: Path) -> None:
        made = old.with_suffix(".csv")
        made.write_text("mine")
        assert minicdr("convert", old).code == 74
        assert made.read_text() == "mine"
        ran = minicdr("convert", old, "--into", tmp_path / "none")
        assert ran.code == 74
        assert "cannot be written" in ran.err

    def test_nothing_to_convert(self, minicdr: Run, office: Exchange) -> None:
        ran = minicdr("convert", office.newest)
        assert (ran.code, ran.out) == (1, "")
        assert ran.err == "minicdr: There is no binary file (.cdr) to be converted.\n"


class TestProof:
    def test_a_truncated_file(self, minicdr: Run, old: Path) -> None:
        old.write_bytes(old.read_bytes()[:-3])
        ran = minicdr("--json", old)
        assert (ran.code, len(ran.out.splitlines())) == (0, 4)
        assert ran.err == f"minicdr: {old}: the last record is not whole; it was left out.\n"
        ran = minicdr("convert", old)
        assert ran.code == 65
        assert len(rows(old.with_suffix(".csv"))) == 4

    def test_a_changed_digit(self, minicdr: Run, old: Path) -> None:
        whole = old.read_bytes()
        place = whole.rindex(b"callTag=102")
        old.write_bytes(whole[: place + 8] + b"3" + whole[place + 9 :])
        ran = minicdr("--json", old)
        told = ran.err.removeprefix(f"minicdr: {old}: its records are damaged from record ")
        assert told == f"{len(ran.out.splitlines()) + 1} on; the rest was left out.\n"

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"\0" * 5000,
            HEADER[:-1],
            HEADER.replace(b"\r\n", b"\n"),
            HEADER[:8] + b"\2" + HEADER[9:],
            b"100  101  2020-01-02 03:04:05\n" * 20,
        ],
    )
    def test_another_layout_is_refused_whole(
        self, minicdr: Run, tmp_path: Path, content: bytes
    ) -> None:
        path = tmp_path / "20200102.cdr"
        path.write_bytes(content)
        for command in ([], ["convert"], ["total"]):
            ran = minicdr(*command, path)
            assert ran.code in (1, 65)
            assert ran.out == ""
            assert f"{path} is a binary file in a layout that is not known" in ran.err
        assert list(tmp_path.glob("*.csv")) == []

    @given(st.data())
    @settings(
        suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None
    )
    def test_no_damage_makes_a_record(self, minicdr: Run, old: Path, data: st.DataObject) -> None:
        """Whatever octet changes: what is still read is what was written."""
        records = rows(old.with_name("kept.csv.aside"))
        whole = packed(records)
        place = data.draw(st.integers(0, len(whole) - 1))
        change = data.draw(st.integers(1, 255))
        cut = data.draw(st.integers(place + 1, len(whole)))
        old.write_bytes(whole[:place] + bytes([whole[place] ^ change]) + whole[place + 1 : cut])
        ran = minicdr("--csv", "-", old)
        assert ran.err.count("\n") == 1
        assert "went wrong" not in ran.err
        read = [decode_line(line) for line in ran.out.encode().splitlines()[1:]]
        assert len(read) < len(records)
        assert all(one in records for one in read)


class Columns:
    """A layout of another maker: a line of text for each record, behind a mark."""

    name = "columns"

    def fits(self, head: bytes) -> bool:
        return head.startswith(b"COLUMNS\0")

    def rows(self, file: BinaryIO) -> Iterator[Sequence[str]]:
        for line in file.read().removeprefix(b"COLUMNS\0").splitlines():
            number, setup = line.decode().split()
            yield [number, number, "LO", number, "", "", setup, "", "", setup, "", "", "", "", ""]


def test_a_package_brings_a_layout(
    minicdr: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "site" / "columns-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: columns\nVersion: 1\n")
    names = f"[minisipserver.cdr_layouts]\ncolumns = {__name__}:LAYOUT\n"
    (info / "entry_points.txt").write_text(names)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    path = tmp_path / "1.cdr"
    path.write_bytes(b"COLUMNS\x00100 2020-01-02T03:04:05+00:00\n101 nonsense\n")
    ran = minicdr("--json", path)
    assert json.loads(ran.out)["caller_number"] == "100"
    # it has no proof of its own, but what is no record is none
    assert "its records are damaged from record 2 on" in ran.err
    assert sys.modules[__name__].LAYOUT.name == "columns"


LAYOUT = Columns()
