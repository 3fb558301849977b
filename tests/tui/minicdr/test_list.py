"""`minicdr`: which calls it lists, and how."""

import csv
import io
import json
from pathlib import Path

import pytest
from rich.cells import cell_len

from pbx.store.record_file import COLUMNS, HEADER
from tests.tui.minicdr.conftest import Exchange, Run
from tests.tui.program import CHINESE, ENGLISH, outcome, start
from tests.tui.terminal import terminal


def callers(minicdr: Run, *args: str) -> list[str]:
    """The callers of the calls listed, without filtering what one line is."""
    ran = minicdr(*args, "--json")
    assert (ran.code, ran.err) == (0, "")
    calls = {one["call_id"]: one["caller_number"] for one in map(json.loads, ran.out.splitlines())}
    return list(calls.values())


class TestTable:
    def test_newest_first_a_line_a_call(self, minicdr: Run) -> None:
        ran = minicdr()
        assert (ran.code, ran.err) == (0, "")
        head, _, *rows, count = ran.out.splitlines()
        assert head.split()[:4] == ["Begin", "Caller", "Called", "Talk"]
        assert [row.split()[2] for row in rows] == ["103", "100", "+8613901088888", "102", "100"]
        assert rows[1].startswith("2027-01-15 06:49:56  100 ")
        ended = "0:10:00 caller: hung up (BYE) LO OT 16 Normal call clearing PCMA/G722"
        assert ended in " ".join(rows[1].split())
        assert "-  exchange: there is no such number" in rows[0]
        assert count == "Calls: 5"

    def test_limit(self, minicdr: Run) -> None:
        ran = minicdr("--limit", "2")
        assert len(ran.out.splitlines()) == 5
        assert ran.out.endswith("The newest 2 calls; --limit 0 shows all.\n")
        assert minicdr("--limit", "5").out.endswith("Calls: 5\n")
        assert minicdr("--limit", "0").out.endswith("Calls: 5\n")

    def test_a_table_has_a_hundred_where_nobody_says(self, minicdr: Run, office: Exchange) -> None:
        for _ in range(100):
            office.call(talk_s=1.0)
        assert minicdr().out.endswith("The newest 100 calls; --limit 0 shows all.\n")
        assert minicdr("--limit", "0").out.endswith("Calls: 105\n")

    def test_chinese(self, minicdr: Run) -> None:
        ran = minicdr("--limit", "1", locale=CHINESE)
        assert ran.out.splitlines()[0].split()[:4] == ["开始时间", "主叫", "被叫", "通话"]
        assert "交换机：空号" in ran.out
        assert "1  空号" in ran.out

    def test_none(self, minicdr: Run) -> None:
        assert minicdr("--user", "999").out == "No calls.\n"
        assert minicdr("--user", "999", locale=CHINESE).out == "没有呼叫。\n"

    @pytest.mark.parametrize("locale", ["C.UTF-8", "zh_CN.UTF-8"])
    async def test_it_fits_the_terminal(self, office: Exchange, locale: str) -> None:
        heads = []
        for columns in (40, 80, 200):
            command = ("tui.minicdr.cli", str(office.folder))
            socket = office.folder / "none"
            env = {"LC_ALL": locale}
            async with terminal(*command, socket=socket, size=(columns, 24), env=env) as shown:
                assert await shown.ended() == 0
                lines = shown.text.splitlines()
            assert len(lines) == 8
            assert max(map(cell_len, lines)) <= columns
            # The columns are in line, whatever width their characters have.
            talk = {cell_len(line[: line.index("0:")]) for line in lines if "0:0" in line}
            assert len(talk) == 1
            heads.append(lines[0].split())
        assert [len(head) for head in heads] == sorted({len(head) for head in heads})
        assert len(heads[0]) >= 4


class TestFilters:
    @pytest.mark.parametrize(
        ("args", "expected"),
        [
            (["--user", "103"], ["103", "102"]),
            (["--user", "=1+1"], ["103"]),
            (["--user", "10"], []),
            (["--number", "555"], ["100"]),
            (["--number", "86139"], ["+8613901088888"]),
            (["--cause", "17"], ["102"]),
            (["--cause", "17", "--cause", "1"], ["103", "102"]),
            (["--tag", "201"], ["102"]),
            (["--missed"], ["103", "102"]),
            (["--answered"], ["100", "+8613901088888", "100"]),
            (["--min-s", "30.5"], ["100", "+8613901088888", "100"]),
            (["--min-s", "30.6"], ["100", "100"]),
            (["--from", "2027-01-15"], ["103", "100"]),
            (["--from", "2027-01-15 07:00"], ["103"]),
            (["--from", "2027-01-15T14:00+07:00"], ["103"]),
            (["--to", "2027-01-13"], ["100"]),
            (["--from", "20270114", "--to", "2027-01-14"], ["+8613901088888", "102"]),
            (["--answered", "--user", "100", "--from", "2027-01-14"], ["100"]),
            (["--limit", "1"], ["103"]),
        ],
    )
    def test_what_is_left(self, minicdr: Run, args: list[str], expected: list[str]) -> None:
        assert callers(minicdr, *args) == expected

    def test_a_call_over_midnight_is_in_the_next_days_file(
        self, minicdr: Run, office: Exchange
    ) -> None:
        office.call(ago_s=8 * 3600 - 5, talk_s=60.0, caller_number="107")
        assert callers(minicdr, "--from", "2027-01-14 23:59", "--to", "2027-01-14") == ["107"]


class TestPaths:
    def test_files_and_folders_each_once(self, minicdr: Run, office: Exchange) -> None:
        ran = minicdr(office.newest, office.folder, office.newest, "--json")
        assert len(ran.out.splitlines()) == 9

    def test_a_copy_adds_no_record(self, minicdr: Run, office: Exchange, tmp_path: Path) -> None:
        (tmp_path / "copy.csv").write_bytes(office.newest.read_bytes())
        assert callers(minicdr, str(tmp_path / "copy.csv"), str(office.folder)) == callers(minicdr)

    def test_an_empty_folder(self, minicdr: Run, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        ran = minicdr(tmp_path / "empty")
        assert (ran.code, ran.out, ran.err) == (0, "No calls.\n", "")


class TestJson:
    def test_an_object_a_record(self, minicdr: Run) -> None:
        ran = minicdr("--json")
        records = [json.loads(line) for line in ran.out.splitlines()]
        assert [one["cdr_type"] for one in records] == [
            *("LO", "LO", "OT", "OO", "LT", "LO", "LT", "LO", "LT")
        ]
        assert set(records[0]) == set(COLUMNS)
        assert records[0]["dialed_number"] == "=1+1"
        assert (records[0]["talk_time"], records[0]["duration"]) == (None, 0.0)
        assert records[1]["fci"]["recording"] == "20270115/a,b.wav"
        assert records[1]["duration"] == 600.0


class TestCsv:
    def test_the_same_form_on_the_standard_output(self, minicdr: Run, office: Exchange) -> None:
        ran = minicdr("--csv", "-", "--from", "2027-01-15", "--limit", "1")
        assert ran.out.encode().startswith(HEADER)
        (row,) = csv.DictReader(io.StringIO(ran.out.removeprefix("\ufeff"), newline=""))
        assert row["dialed_number"] == "'=1+1"
        assert ran.out.splitlines()[1].encode() in office.newest.read_bytes()

    def test_a_file_that_can_be_read_again(self, minicdr: Run, tmp_path: Path) -> None:
        made = tmp_path / "made.csv"
        ran = minicdr("--csv", str(made))
        assert (ran.code, ran.out, ran.err) == (0, "", "")
        assert made.stat().st_mode & 0o777 == 0o600
        assert minicdr(str(made), "--json").out == minicdr("--json").out

    def test_it_writes_over_nothing(self, minicdr: Run, office: Exchange) -> None:
        before = office.newest.read_bytes()
        ran = minicdr("--csv", str(office.newest))
        assert ran.code == 74
        assert ran.err == f"minicdr: {office.newest} exists already; it was left as it is.\n"
        assert office.newest.read_bytes() == before

    def test_where_nothing_can_be_written(self, minicdr: Run, tmp_path: Path) -> None:
        ran = minicdr("--csv", str(tmp_path / "no" / "x.csv"), locale=CHINESE)
        assert ran.code == 74
        assert ran.err == f"minicdr: 无法写入 {tmp_path}/no/x.csv：没有这个文件或目录。\n"


class TestCommandLine:
    @pytest.mark.parametrize(
        ("args", "sentence"),
        [
            (["--from", "noon"], "The value of --from is wrong."),
            (["--to", "2027-13-01"], "The value of --to is wrong."),
            (["--to", "9999-12-31"], "The value of --to is wrong."),
            (["--from", "0001-01-01T00:00+14:00"], "The value of --from is wrong."),
            (["--cause", "x"], "The value of --cause is wrong."),
            (["--limit", "-1"], "The value of --limit is wrong."),
            (["--json", "--csv", "-"], "--csv and --json exclude each other."),
            (["--missed", "--answered"], "--missed and --answered exclude each other."),
            (["--frob"], "There is no option --frob."),
            (["total", "--by", "week"], "The value of --by is wrong."),
            (["show"], "RECORD|CALL is missing."),
        ],
    )
    def test_one_sentence_and_a_hint(self, minicdr: Run, args: list[str], sentence: str) -> None:
        ran = minicdr(*args)
        first, second = ran.err.splitlines()
        assert (ran.code, ran.out, first) == (2, "", f"minicdr: {sentence}")
        assert second.startswith("Try: minicdr")

    def test_help_and_version(self, minicdr: Run) -> None:
        ran = minicdr("--help")
        assert ran.code == 0
        for command in ("list", "total", "show", "convert", "view"):
            assert f"│ {command} " in ran.out
        ran = minicdr("list", "--help")
        for option in ("--from", "--to", "--user", "--number", "--cause", "--tag", "--missed"):
            assert option in ran.out
        assert minicdr("--version").out.startswith("miniSIPServer ")

    @pytest.mark.parametrize("command", ["--help", "list", "total", "show", "convert", "view"])
    @pytest.mark.parametrize("locale", ["C.UTF-8", "zh_CN.UTF-8"])
    async def test_help_is_whole(self, command: str, locale: str) -> None:
        args = dict.fromkeys((command, "--help"))
        ran = await outcome(await start(*args, module="tui.minicdr.cli", locale=locale))
        assert ran.code == 0
        assert "…" not in ran.out
        assert ("用法" in ran.out) == (locale == CHINESE)
        assert ("Usage" in ran.out) == (locale == ENGLISH)
