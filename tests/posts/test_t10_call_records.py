"""The post "新的呼叫记录文件格式" (the new form of call record files), statement by statement.

The counterparts are programs of others that read CSV: Gnumeric, and SQLite's command line.
"""

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pbx.cdr.csv_writer import CsvWriter
from pbx.cdr.packed import HEADER, encode_record
from pbx.store.record_file import decode_line
from tests.cdr.samples import EPOCH, UTC, record
from tests.interop.baresip import Baresip
from tests.interop.exchange import Exchange
from tests.interop.ports import Ports
from tests.interop.waiting import until
from tests.posts.spreadsheet import Spreadsheet
from tests.tui.program import Outcome, outcome, start

pytestmark = pytest.mark.interop

DAY_S = 86400.0

PASSWORD = "secret-of-a-phone"


@pytest.fixture
def talked(tmp_path: Path) -> Iterator[Path]:
    """Yield the data folder of an exchange over which 110 has talked to 111."""
    with ExitStack() as stack:
        ports = stack.enter_context(Ports())
        (tmp_path / "exchange").mkdir()
        exchange = Exchange(tmp_path / "exchange", ports)
        stack.callback(exchange.close)
        exchange.start()
        phones = []
        for number, tone_hz in (("111", 880.0), ("110", 440.0)):
            exchange.add_user(number, PASSWORD)
            phone = Baresip(
                tmp_path / number,
                ports,
                number=number,
                password=PASSWORD,
                server=exchange.host,
                tone_hz=tone_hz,
            )
            stack.callback(phone.close)
            phone.registered()
            phones.append(phone)
        callee, caller = phones
        caller.dial("111")
        for phone in phones:
            phone.wait_event("CALL_ESTABLISHED")
        caller.hang_up()
        callee.wait_event("CALL_CLOSED")
        until("the call's record", exchange.records, why_not=exchange.why)
        yield exchange.folder


def imported(path: Path, query: str) -> list[list[str]]:
    """What SQLite's command line answers about a CSV file that it has imported."""
    lines = [".mode json", f".import --csv {path} records", query]
    command = ["sqlite3", ":memory:", *lines]
    answer = subprocess.run(command, check=True, timeout=60, capture_output=True).stdout
    return [list(map(str, row.values())) for row in json.loads(answer or b"[]")]


async def minicdr(*args: str | Path) -> Outcome:
    """Run the program."""
    return await outcome(await start(*args, module="tui.minicdr.cli"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of record files whose exchange had calls on two days, and none on the day between."""
    made = tmp_path / "cdr"
    writer = CsvWriter(made, lambda path, end: None, UTC)
    numbers = ("+8613901088888", "0049301234", "=1+1", "-5", "@x", "+1", "*74")
    for place, number in enumerate(numbers):
        one = record(place, EPOCH, dialed_number=number, called_number="", route="前门, “门”")
        writer.append(one)
    writer.append(record(8, EPOCH + 2 * DAY_S))
    return made


class TestT10:
    def test_T10_1_records_are_csv_text_that_a_spreadsheet_opens(
        self, talked: Path, tmp_path: Path
    ) -> None:
        """One call between two phones: its record, by an editor, a spreadsheet and a database."""
        (path,) = (talked / "cdr").iterdir()
        assert path.suffix == ".csv"
        text = path.read_bytes().decode()
        assert len(text.splitlines()) == 2
        assert text.replace("\r\n", "").lstrip("\ufeff").isprintable()
        (row,) = Spreadsheet(path, tmp_path).rows
        assert (row["caller_number"], row["called_number"]) == ("110", "111")
        assert row["cdr_type"] == "LO"
        assert row["fci"].startswith("callTag=102;cause=16;")
        query = "select caller_number, called_number from records"
        assert imported(path, query) == [["110", "111"]]

    async def test_T10_2_minicdr_opens_old_and_new_files_and_converts(
        self, folder: Path, tmp_path: Path
    ) -> None:
        """The old layout is ours: the maker's was never published."""
        new = folder / "CDR_20270115.csv"
        old = tmp_path / "old.cdr"
        rows = [decode_line(line) for line in new.read_bytes().splitlines()[1:]]
        assert len(rows) == 7
        old.write_bytes(HEADER + b"".join(map(encode_record, rows)))
        assert (await minicdr("--json", old)).out == (await minicdr("--json", new)).out
        ran = await minicdr("convert", old)
        assert (ran.code, ran.err) == (0, "")
        made = Spreadsheet(old.with_suffix(".csv"), tmp_path)
        assert made.rows == Spreadsheet(new, tmp_path).rows
        assert made.rows[0]["dialed_number"] == "+8613901088888"

    def test_T10_3_a_file_a_day_if_there_was_a_call_and_a_line_a_record(
        self, folder: Path, tmp_path: Path
    ) -> None:
        first, second = sorted(path.name for path in folder.iterdir())
        assert (first, second) == ("CDR_20270115.csv", "CDR_20270117.csv")
        for name, count in ((first, 7), (second, 1)):
            path = folder / name
            assert path.read_bytes().count(b"\n") == 1 + count
            assert len(Spreadsheet(path, tmp_path).rows) == count
            assert imported(path, "select count(*) from records") == [[str(count)]]

    def test_T10_4_numbers_stay_numbers_and_become_no_formulas(
        self, folder: Path, tmp_path: Path
    ) -> None:
        path = folder / "CDR_20270115.csv"
        sheet = Spreadsheet(path, tmp_path)
        assert sheet.formulas == []
        plus, _, *others = [row["dialed_number"] for row in sheet.rows]
        assert (plus, others) == ("+8613901088888", ["=1+1", "-5", "@x", "+1", "*74"])
        # A file that does not guard them shows that the spreadsheet would have: 1+1 is 2 there.
        bare = tmp_path / "bare.csv"
        bare.write_bytes(path.read_bytes().replace(b"'", b""))
        assert "1+1" in Spreadsheet(bare, tmp_path).formulas
        # Leading zeros are in the file, for whoever takes the column for text, as a database does.
        zeros = "select dialed_number from records where dialed_number like '0%'"
        assert imported(path, zeros) == [["0049301234"]]
