"""`minicdr` on files in every state: left out, told of in one sentence, never a traceback."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pbx.store.record_file import BOM, COLUMNS, HEADER
from tests.tui.minicdr.conftest import Exchange, Run
from tests.tui.program import CHINESE, outcome, start


def ids(minicdr: Run, path: Path) -> tuple[list[str], str, int]:
    """The records read, what was said, and the exit code."""
    ran = minicdr(path, "--json")
    return [json.loads(line)["record_id"] for line in ran.out.splitlines()], ran.err, ran.code


@pytest.fixture
def file(office: Exchange) -> Path:
    """The newest file: three records."""
    return office.newest


WHOLE = [*("0000000000000005-LO", "0000000000000004-LO", "0000000000000004-OT")]


class TestLines:
    @pytest.mark.parametrize(
        "line",
        [
            b"nonsense",
            b"\0" * 40,
            b'"open',
            b",".join([b"x"] * 15),
            b"," * 14,
            b"," * 20,
        ],
    )
    def test_a_broken_line_is_left_out(self, minicdr: Run, file: Path, line: bytes) -> None:
        head, first, rest = file.read_bytes().split(b"\r\n", 2)
        file.write_bytes(b"\r\n".join([head, first, line, rest]))
        sentence = f"{file}: 1 lines are no call records (the first is line 3); they were left out."
        assert ids(minicdr, file) == (WHOLE, f"minicdr: {sentence}\n", 0)

    def test_so_is_one_in_another_encoding(self, minicdr: Run, file: Path) -> None:
        """A spreadsheet program in China saves GB 18030 unless it is told otherwise."""
        whole = file.read_bytes()
        file.write_bytes(whole.replace(b"trunk", "中继".encode("gb18030")))
        assert whole != file.read_bytes()
        found, err, code = ids(minicdr, file)
        assert (found, code) == (WHOLE[:1], 0)
        assert err == (
            f"minicdr: {file}: 2 lines are not UTF-8 (the first is line 2); they were left out.\n"
        )

    def test_so_is_one_with_a_value_that_is_none(self, minicdr: Run, file: Path) -> None:
        whole = file.read_bytes()
        for good, bad in (
            (b",600.000,", b",nan,"),
            (b",600.000,", b",-1,"),
            (b",600.000,", b",1e300,"),
            (b",2027-01-15T06:49", b",x"),
        ):
            file.write_bytes(whole.replace(good, bad))
            found, err, code = ids(minicdr, file)
            assert (found, code) == (WHOLE[:1], 0)
            assert "2 lines are no call records (the first is line 2)" in err

    def test_chinese(self, minicdr: Run, file: Path) -> None:
        file.write_bytes(file.read_bytes() + b"x\r\n")
        ran = minicdr(file, locale=CHINESE)
        assert ran.err == f"minicdr: {file}：有 1 行不是话单（第一处在第 5 行），已略过。\n"

    @pytest.mark.parametrize("tail", [b"", b"\0\0\0\0"])
    def test_half_a_last_line(self, minicdr: Run, file: Path, tail: bytes) -> None:
        file.write_bytes(file.read_bytes()[:-20] + tail)
        sentence = f"minicdr: {file}: the last record is not whole; it was left out.\n"
        assert ids(minicdr, file) == (WHOLE[1:], sentence, 0)

    def test_a_last_line_that_lacks_only_its_line_feed(self, minicdr: Run, file: Path) -> None:
        file.write_bytes(file.read_bytes()[:-1])
        assert ids(minicdr, file) == (WHOLE, "", 0)

    def test_empty_lines_are_none(self, minicdr: Run, file: Path) -> None:
        file.write_bytes(file.read_bytes().replace(b"\r\n", b"\r\n\r\n"))
        assert ids(minicdr, file) == (WHOLE, "", 0)

    def test_a_line_without_end(self, minicdr: Run, file: Path) -> None:
        whole = file.read_bytes()
        file.write_bytes(
            whole
            + b"x" * 3_000_000
            + b"\r\n"
            + whole.split(b"\r\n")[1].replace(b"4-", b"6-")
            + b"\r\n"
        )
        found, err, code = ids(minicdr, file)
        assert code == 0
        assert set(WHOLE) < set(found)
        assert len(found) == 4
        assert "1 lines are no call records (the first is line 5)" in err


class TestForms:
    def test_line_feeds_and_no_mark(self, minicdr: Run, file: Path) -> None:
        file.write_bytes(file.read_bytes().removeprefix(BOM).replace(b"\r\n", b"\n"))
        assert ids(minicdr, file) == (WHOLE, "", 0)

    def test_both_line_ends(self, minicdr: Run, file: Path) -> None:
        file.write_bytes(file.read_bytes().replace(b"\r\n", b"\n", 2))
        assert ids(minicdr, file) == (WHOLE, "", 0)

    def test_no_header(self, minicdr: Run, file: Path) -> None:
        file.write_bytes(file.read_bytes().removeprefix(HEADER))
        assert ids(minicdr, file) == (WHOLE, "", 0)

    def test_chinese_and_apostrophes(self, minicdr: Run, office: Exchange) -> None:
        office.call(route="前门, “门”", caller_number="'=x", dialed_number='a"b')
        ran = minicdr("show", "6@phone", "--json")
        record = json.loads(ran.out.splitlines()[0])
        assert (record["route"], record["caller_number"]) == ("前门, “门”", "'=x")
        assert record["dialed_number"] == 'a"b'

    def test_another_versions_columns(self, minicdr: Run, tmp_path: Path) -> None:
        path = tmp_path / "other.csv"
        path.write_text(
            "setup_time,new,record_id,caller_number,call_id\n"
            "2027-01-15T08:00:00+00:00,x,r1,100,c1\n"
            "2027-01-15T09:00:00,x,r2,101,c2\n"
        )
        assert ids(minicdr, path) == (["r2", "r1"], "", 0)
        record = json.loads(minicdr(path, "--json", "--user", "100").out)
        assert (record["caller_number"], record["route"], record["talk_time"]) == ("100", "", None)
        assert minicdr("show", "r1", path).code == 0
        assert '"calls":2' in minicdr("total", path, "--json").out
        assert len(ids(minicdr, path)[0]) == 2

    def test_years_that_no_calendar_has(self, minicdr: Run, file: Path) -> None:
        path = file.with_name("CDR_99991231.csv")
        path.write_text(
            "record_id,setup_time,release_time\n"
            "r1,0001-01-01T00:00:00,0001-01-01T00:00:00\n"
            "r2,9999-12-31T23:59:59,9999-12-31T23:59:59-14:00\n"
        )
        for args in ([], ["--from", "0001-01-02"], ["--to", "9999-12-30"], ["--json"]):
            assert (minicdr(path, *args).code, minicdr(path, *args).err) == (0, "")


class TestFiles:
    def test_none(self, minicdr: Run, tmp_path: Path) -> None:
        missing = tmp_path / "missing.csv"
        assert ids(minicdr, missing) == ([], f"minicdr: There is no {missing}.\n", 1)
        ran = minicdr("total", missing, locale=CHINESE)
        assert (ran.code, ran.out, ran.err) == (1, "", f"minicdr: 没有 {missing}。\n")
        assert minicdr("show", "x", missing).err.count("\n") == 1

    def test_one_of_two(self, minicdr: Run, file: Path, tmp_path: Path) -> None:
        ran = minicdr(tmp_path / "missing", file, "--json")
        assert (ran.code, len(ran.out.splitlines()), ran.err.count("\n")) == (0, 3, 1)

    def test_an_old_file(self, minicdr: Run, tmp_path: Path) -> None:
        old = tmp_path / "20200101.CDR"
        old.write_bytes(b"\0\1\2")
        for path in (old, tmp_path):
            ran = minicdr(path)
            assert ran.code == 1
            assert f"{old} is a binary file in a layout that is not known" in ran.err
        assert "未知格式的二进制文件" in minicdr(old, locale=CHINESE).err

    @pytest.mark.parametrize(
        "content", [b"a,b,c\n1,2,3\n", b"\x89PNG\r\n\x1a\n\0\0", b"\0" * 5000, b"x"]
    )
    def test_no_record_file(self, minicdr: Run, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "x.csv"
        path.write_bytes(content)
        assert ids(minicdr, path) == ([], f"minicdr: {path} is no call record file.\n", 1)

    def test_one_that_a_spreadsheet_program_has_saved_in_another_form(
        self, minicdr: Run, file: Path
    ) -> None:
        text = file.read_text(encoding="utf-8-sig")
        file.write_text(text.replace(",", ";"))
        sentence = f"minicdr: {file} has other separators than commas, as a spreadsheet program"
        found, err, code = ids(minicdr, file)
        assert (found, code) == ([], 1)
        assert err.startswith(sentence)
        file.write_text(text, encoding="utf-16")
        found, err, code = ids(minicdr, file)
        assert (found, code) == ([], 1)
        assert err.startswith(f"minicdr: {file} is UTF-16 text")
        assert "UTF-16 文本" in minicdr(file, locale=CHINESE).err

    def test_one_odd_line_among_thousands(self, minicdr: Run, office: Exchange) -> None:
        """The rest is still read fast, and nothing gets lost where it is cut."""
        for number in range(3000):
            odd = number == 1234
            office.call(talk_s=1.0, route='"odd"' if odd else "plain", ago_s=10.0)
        lines = office.newest.read_bytes().split(b"\r\n")
        lines[2000] = b"nonsense"
        office.newest.write_bytes(b"\r\n".join(lines))
        found, err, code = ids(minicdr, office.newest)
        assert (len(found), len(set(found)), code) == (6002, 6002, 0)
        assert "1 lines are no call records (the first is line 2001)" in err
        # asking for few of them keeps no more than it must, and still the right ones
        few = minicdr(office.newest, "--json", "--limit", "2").out.splitlines()
        assert [json.loads(one)["record_id"] for one in few] == found[: len(few)]

    @pytest.mark.parametrize("content", [b"", HEADER, ",".join(COLUMNS).encode() + b"\n"])
    def test_no_records_yet(self, minicdr: Run, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "x.csv"
        path.write_bytes(content)
        assert ids(minicdr, path) == ([], "", 0)

    def test_what_must_not_be_read(
        self, minicdr: Run, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # root may read everything
        real = Path.open

        def refuse(path: Path, *args: object, **more: object) -> object:
            if path == file:
                raise PermissionError(13, "Permission denied")
            return real(path, *args, **more)  # type: ignore[call-overload]

        monkeypatch.setattr(Path, "open", refuse)
        sentence = f"minicdr: {file} cannot be read: Permission denied.\n"
        assert ids(minicdr, file) == ([], sentence, 1)
        told = minicdr(file, locale=CHINESE).err
        assert told == f"minicdr: 无法读取 {file}：没有权限。\n"

    def test_a_pipe(self, minicdr: Run, file: Path) -> None:
        reading, writing = os.pipe()
        os.write(writing, file.read_bytes())
        os.close(writing)
        assert ids(minicdr, Path(f"/dev/fd/{reading}")) == (WHOLE, "", 0)
        os.close(reading)

    def test_a_folder_with_a_pipe_and_a_folder_in_it(self, minicdr: Run, office: Exchange) -> None:
        os.mkfifo(office.folder / "pipe.csv")
        (office.folder / "folder.csv").mkdir()
        assert minicdr("--limit", "0").out.endswith("Calls: 5\n")


class TestGarbage:
    @given(st.binary(max_size=400), st.integers(0, 5), st.booleans())
    @settings(
        suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None
    )
    def test_never_a_traceback(
        self, minicdr: Run, tmp_path: Path, octets: bytes, cuts: int, after: bool
    ) -> None:
        path = tmp_path / "garbage.csv"
        good = b"r,c,LO,1,2,3,2027-01-15T08:00:00+00:00,,,,1,,,,callTag=102\r\n"
        path.write_bytes(HEADER + good + octets if after else octets + b"," * cuts + good)
        for args in (
            [path],
            [path, "--json"],
            ["total", path, "--by", "user"],
            ["show", "r", path],
            [path, "--from", "2027-01-01", "--user", "1"],
        ):
            ran = minicdr(*args)
            assert ran.code in (0, 1)
            assert ran.err.count("\n") <= 3
            assert "went wrong" not in ran.err

    @given(st.lists(st.text(max_size=40), min_size=15, max_size=15))
    @settings(
        suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None
    )
    def test_nor_with_any_values(self, minicdr: Run, tmp_path: Path, values: list[str]) -> None:
        path = tmp_path / "values.csv"
        values[6], values[10] = "2027-01-15T08:00:00+00:00", "1"
        cells = [
            '"' + "".join(filter(str.isprintable, one)).replace('"', '""') + '"' for one in values
        ]
        path.write_bytes(HEADER + ",".join(cells).encode("utf-8", "replace") + b"\r\n")
        for args in (
            [path],
            [path, "--json"],
            ["total", path, "--by", "line"],
            ["--csv", "-", path],
        ):
            ran = minicdr(*args)
            assert "went wrong" not in ran.err


class TestAsAProgram:
    async def test_a_reader_that_leaves(self, office: Exchange) -> None:
        reading, writing = os.pipe()
        os.close(reading)
        process = await start(office.folder, "--json", stdout=writing, module="tui.minicdr.cli")
        os.close(writing)
        ran = await outcome(process)
        assert ran.err == ""
        assert ran.code != 0

    async def test_it_loads_no_console_and_no_server(self, office: Exchange) -> None:
        env = {"PYTHONPROFILEIMPORTTIME": "1"}
        ran = await outcome(await start("total", office.folder, module="tui.minicdr.cli", env=env))
        assert ran.code == 0
        for module in ("textual", "sqlalchemy", "numpy", "starlette"):
            assert module not in ran.err
