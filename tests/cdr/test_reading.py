"""Reading at once, by column, finds in any file what reading line by line finds; so do sums and the newest calls."""

import csv
import datetime
import io
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.cdr import newest, pieces, reader
from pbx.cdr.archive import Archive
from pbx.cdr.finding import Complaint
from pbx.cdr.packed import HEADER as BINARY_HEADER
from pbx.cdr.packed import encode_record
from pbx.cdr.query import Query
from pbx.cdr.reader import Reader
from pbx.cdr.selection import Selection
from pbx.cdr.totals import By, Total
from pbx.store.record_file import BOM, COLUMNS, HEADER, encode_line
from tests.cdr.any_files import FEW, RECORDS, Row, files


def plainly(data: bytes) -> tuple[list[Row], list[int]]:
    """The records of a file, line by line, and the numbers of the lines that are none."""
    good: list[Row] = []
    left_out = []
    *lines, rest = data.removeprefix(BOM).split(b"\n")
    if rest.endswith(b"\r"):
        lines.append(rest)
    for number, line in enumerate(lines, 1):
        try:
            row = one_line(line.rstrip(b"\r\n").decode())
        except ValueError:
            if line.strip():
                left_out.append(number)
            continue
        if not (number == 1 and "record_id" in row):
            good.append(row)
    return good, left_out


def one_line(text: str) -> Row:
    if not text.replace("—", "").isprintable():
        raise ValueError("control characters")
    try:
        (row,) = csv.reader(io.StringIO(text), strict=True)
    except csv.Error as error:
        raise ValueError from error
    if row == list(COLUMNS):
        return tuple(row)
    if len(row) != len(COLUMNS) or not row[0]:
        raise ValueError("no record")
    datetime.datetime.fromisoformat(row[6])
    if not 0 <= float(row[10] or 0) < 1e9:
        raise ValueError("no duration")
    return tuple(value[1:] if defused(value) else value for value in row)


def defused(value: str) -> bool:
    """Whether a spreadsheet would take a value for a formula but for its apostrophe."""
    return value[:1] == "'" and value[1:].lstrip(" '")[:1] in ("=", "+", "-", "@") and value != "'"


def read(path: Path, names: Sequence[str] = COLUMNS) -> tuple[list[Row], list[Complaint]]:
    complaints: list[Complaint] = []
    rows: list[Row] = []
    for batch in Reader(complaints.append).batches(path, names):
        rows += zip(*(batch[name] for name in names), strict=True)
    return rows, complaints


def unexpected(complaint: Complaint) -> None:
    raise AssertionError(complaint)


def query(*paths: Path) -> Query:
    archive = Archive.find(paths, Selection(), unexpected)
    return Query(archive, Selection(), Reader(unexpected))


@pytest.fixture(autouse=True)
def _small() -> Iterator[None]:
    """Files of some lines are cut into pieces as those of a million are."""
    small = ((pieces, "CHUNK", 700), (reader, "CLOSER", 300), (newest, "SPARE", 3))
    with ExitStack() as patches:
        for place in small:
            patches.enter_context(patch.object(*place))
        yield


@given(data=files())
@FEW
def test_any_csv_file(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "any.csv"
    path.write_bytes(data)
    good, left_out = plainly(data)
    rows, complaints = read(path)
    assert rows == good
    if good:
        odd = [one for one in complaints if one.key in ("broken", "encoding")]
        assert sum(one.lines for one in odd) == len(left_out)
        assert min((one.first for one in odd), default=0) == min(left_out, default=0)
    assert read(path, ("call_id", "fci"))[0] == [(row[1], row[14]) for row in good]


@given(rows=RECORDS, damaged=st.booleans())
@FEW
def test_any_binary_file(tmp_path: Path, rows: list[Row], damaged: bool) -> None:
    path = tmp_path / "any.cdr"
    data = BINARY_HEADER + b"".join(map(encode_record, rows))
    path.write_bytes(data[:-1] if damaged and rows else data)
    found, complaints = read(path)
    assert found == (rows[:-1] if damaged else rows)
    assert [one.key for one in complaints] == (["torn"] if damaged and rows else [])


def sums(rows: Sequence[Row], by: By) -> dict[str | None, list[float]]:
    """Calls, answered and seconds by row; those of all calls by None."""
    met: set[object] = set()
    found: defaultdict[str | None, list[float]] = defaultdict(lambda: [0, 0, 0.0])
    for row in rows:
        one = dict(zip(COLUMNS, row, strict=True))
        called = one["called_number"] or one["dialed_number"]
        outside = one["cdr_type"][0] == "O"
        ending = one["cdr_type"][1] == "T"
        name = {
            By.DAY: one["setup_time"][:10],
            By.HOUR: one["setup_time"][11:13],
            By.DESTINATION: called,
            By.USER: called if ending else one["caller_number"],
            By.LINE: (one["called_addr"] if ending else one["caller_addr"]).rpartition(" ")[2],
        }[by]
        sides = by in (By.USER, By.LINE)
        call = ((one["call_id"] or one["record_id"]), one["setup_time"])
        wanted: list[str | None] = [None]
        if (outside == (by is By.LINE)) if sides else (call not in met):
            wanted.append(name)
        for where in wanted:
            key = call if where is None else (call, where)
            if key not in met:
                met.add(key)
                answered = bool(one["talk_time"])
                found[where][0] += 1
                found[where][1] += answered
                found[where][2] += float(one["duration"]) if answered else 0.0
    return dict(found)


@given(rows=RECORDS, by=st.sampled_from(By), binary=st.booleans(), twice=st.booleans())
@FEW
def test_sums(tmp_path: Path, rows: list[Row], by: By, binary: bool, twice: bool) -> None:
    """Each call once, whatever sides it has left, and if a copy of the file is named, too."""
    paths = []
    for name in ["a", "b"][: 1 + twice]:
        path = tmp_path / (f"{name}.cdr" if binary else f"{name}.csv")
        packed = BINARY_HEADER + b"".join(map(encode_record, rows))
        path.write_bytes(packed if binary else HEADER + b"".join(map(encode_line, rows)))
        paths.append(path)
    found, everything = query(*paths).totals(by)
    made: list[tuple[str | None, Total]] = [*found.items()]
    if rows:
        made.append((None, everything))
    expected = sums(rows, by)
    assert {name: [one.calls, one.answered, round(one.talk_s, 6)] for name, one in made} == expected


@given(rows=RECORDS, most=st.integers(1, 5))
@FEW
def test_the_newest_calls(tmp_path: Path, rows: list[Row], most: int) -> None:
    """To want few of them changes nothing but how many there are."""
    path = tmp_path / "a.csv"
    path.write_bytes(HEADER + b"".join(map(encode_line, rows)))
    everything = list(query(path).calls())
    few = list(query(path).calls(most))
    assert few[:most] == everything[:most]
    ends = [one.first["release_time"] for one in everything]
    assert ends == sorted(ends, reverse=True)
    assert {record.values for one in everything for record in one.records} <= set(rows)
    assert len(everything) >= len({row[9] for row in rows})
