"""The post "新的呼叫记录文件格式" (the new form of call record files), statement by statement.

The counterparts are programs of others that read CSV: Gnumeric, and SQLite's command line.
"""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from pbx.cdr.packed import HEADER, encode_record
from pbx.store.record_file import decode_line
from tests.interop import scenario
from tests.interop.baresip import Baresip
from tests.interop.conversation import talk, two_phones
from tests.interop.exchange import Exchange
from tests.interop.ports import Ports
from tests.interop.sipp import Sipp, account
from tests.posts.spreadsheet import Spreadsheet
from tests.tui.program import Outcome, outcome, start

pytestmark = pytest.mark.interop

PASSWORD = "secret-of-a-phone"

CALLER = "110"
DIALLED = ("+8613901088888", "0049301234", "=1+1", "-5", "@x", "+1", "*74")
"""Numbers that lead nowhere here, some of which a spreadsheet could take for formulas."""


@pytest.fixture
def talked(new_exchange: Callable[..., Exchange], new_phone: Callable[..., Baresip]) -> Path:
    """Return the data folder of an exchange over which 100 has talked to 101."""
    exchange = new_exchange()
    caller, callee = two_phones(exchange, new_phone)
    talk(caller, callee)
    caller.hang_up()
    exchange.wait_records(1)
    return exchange.folder


def imported(path: Path, query: str) -> list[list[str]]:
    """What SQLite's command line answers about a CSV file that it has imported."""
    lines = [".mode json", f".import --csv {path} records", query]
    command = ["sqlite3", ":memory:", *lines]
    answer = subprocess.run(command, check=True, timeout=60, capture_output=True).stdout
    return [list(map(str, row.values())) for row in json.loads(answer or b"[]")]


async def minicdr(*args: str | Path) -> Outcome:
    """Run the program."""
    return await outcome(await start(*args, module="tui.minicdr.cli"))


def noons() -> tuple[str, str]:
    """Return two time zones (POSIX TZ) in which it is about noon now, of one day and of the next."""
    west = max(1, (datetime.now(UTC).hour + 12) % 24)
    return f"WEST{west}", f"EAST-{24 - west}"


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Path]]:
    """Yield the record files of an exchange over which sipp has called on two days.

    It had `DIALLED` on the first one, and its first number alone on the second.
    """
    with ExitStack() as stack:
        ports = stack.enter_context(Ports())
        today, tomorrow = noons()
        base = tmp_path_factory.mktemp("days")
        exchange = Exchange(base / "data", ports, through=["env", f"TZ={today}"])
        stack.callback(exchange.close)
        exchange.start()
        exchange.add_user(CALLER, PASSWORD)
        phone = account(ports, CALLER, PASSWORD, exchange.host)

        def dial(number: str) -> None:
            before = len(exchange.records())
            text, dialled = scenario.caller_refused(404), number.replace("@", "%40")
            caller = Sipp(f"caller-{before}", base, text, phone, number=dialled)
            stack.callback(caller.close)
            caller.finish()
            exchange.wait_records(before + 1)

        for number in DIALLED:
            dial(number)
        assert exchange.stop() == 0
        exchange.argv[1] = f"TZ={tomorrow}"
        exchange.start()
        dial(DIALLED[0])
        exchange.assert_sane()
        yield sorted((exchange.folder / "cdr").iterdir())


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
        assert (row["caller_number"], row["called_number"]) == ("100", "101")
        assert row["cdr_type"] == "LO"
        assert row["fci"].startswith("callTag=102;cause=16;")
        query = "select caller_number, called_number from records"
        assert imported(path, query) == [["100", "101"]]

    async def test_T10_2_minicdr_opens_old_and_new_files_and_converts(
        self, days: list[Path], tmp_path: Path
    ) -> None:
        """The old layout is ours: the maker's was never published."""
        new, _ = days
        old = tmp_path / "old.cdr"
        rows = [decode_line(line) for line in new.read_bytes().splitlines()[1:]]
        assert len(rows) == len(DIALLED)
        old.write_bytes(HEADER + b"".join(map(encode_record, rows)))
        assert (await minicdr("--json", old)).out == (await minicdr("--json", new)).out
        ran = await minicdr("convert", old)
        assert (ran.code, ran.err) == (0, "")
        made = Spreadsheet(old.with_suffix(".csv"), tmp_path)
        assert made.rows == Spreadsheet(new, tmp_path).rows
        assert made.rows[0]["dialed_number"] == "+8613901088888"

    def test_T10_3_a_file_a_day_if_there_was_a_call_and_a_line_a_record(
        self, days: list[Path], tmp_path: Path
    ) -> None:
        first = date.fromisoformat(days[0].stem.removeprefix("CDR_"))
        for path, day, count in zip(
            days, (first, first + timedelta(days=1)), (len(DIALLED), 1), strict=True
        ):
            assert path.name == f"CDR_{day:%Y%m%d}.csv"
            assert path.read_bytes().count(b"\n") == 1 + count
            assert len(Spreadsheet(path, tmp_path).rows) == count
            of_each_day = "select substr(setup_time, 1, 10), count(*) from records group by 1"
            assert imported(path, of_each_day) == [[str(day), str(count)]]

    def test_T10_4_numbers_stay_numbers_and_become_no_formulas(
        self, days: list[Path], tmp_path: Path
    ) -> None:
        path, _ = days
        sheet = Spreadsheet(path, tmp_path)
        assert sheet.formulas == []
        seen = [row["dialed_number"] for row in sheet.rows]
        # What has nothing but digits, a spreadsheet takes for a number
        assert seen == [one.lstrip("0") for one in DIALLED]
        # A file that does not guard them shows that the spreadsheet would have: 1+1 is 2 there.
        bare = tmp_path / "bare.csv"
        bare.write_bytes(path.read_bytes().replace(b"'=", b"="))
        assert "1+1" in Spreadsheet(bare, tmp_path).formulas
        # Leading zeros are in the file, for whoever takes the column for text, as a database does.
        zeros = "select dialed_number from records where dialed_number like '0%'"
        assert imported(path, zeros) == [["0049301234"]]
