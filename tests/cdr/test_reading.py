"""Reading at once, by column, finds in any file what reading line by line finds; so do sums and the newest calls."""

import csv
import datetime
import io
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pbx.cdr import newest, reader
from pbx.cdr.archive import Archive
from pbx.cdr.packed import HEADER as BINARY_HEADER
from pbx.cdr.packed import encode_record
from pbx.cdr.reader import Complaint, Reader
from pbx.cdr.selection import Selection
from pbx.cdr.totals import By, Total, columns, totals
from pbx.store.record_file import BOM, COLUMNS, HEADER, encode_line

Row = tuple[str, ...]

MIDNIGHT = datetime.datetime(2026, 10, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=8)))

NUMBERS = st.sampled_from(["100", "101", "102", "", "+8613901088888", "=1", "'=x", "9555"])
ADDRESSES = st.sampled_from(["udp 192.0.2.1:5060", "tcp [2001:db8::1]:5060", "", "192.0.2.9"])
TEXTS = st.sampled_from(["line 电信", "a,b", 'say "x"', "line carrier", "'", "+", "", " ", "é—x"])
JUNK = st.binary(max_size=40).map(lambda data: data.replace(b"\n", b""))
ODD = st.sampled_from([b"", b"\0" * 20, b"x", b"," * 14, b"," * 15, b'"open', b"a\tb", b" "])


@st.composite
def calls(draw: st.DrawFn) -> list[Row]:
    """The records of a call, one or both sides, near midnight."""
    setup = MIDNIGHT + datetime.timedelta(seconds=draw(st.integers(-90, 90)))
    talk_s = draw(st.sampled_from([None, 0.0, 0.5, 59.25, 3000.125]))
    end = setup + datetime.timedelta(seconds=4 + (talk_s or 0.0))
    name, call_id = draw(st.sampled_from(["a1", "b2", "c3", "d4"])), draw(st.sampled_from("xyz"))
    values = [draw(one) for one in (NUMBERS, NUMBERS, NUMBERS, ADDRESSES, ADDRESSES, TEXTS, TEXTS)]
    caller, dialed, called, caller_addr, called_addr, route, fci = values
    sides = draw(st.sampled_from([("LO",), ("LO", "LT"), ("LO", "OT"), ("OO", "LT"), ("OO", "OT")]))
    return [
        (
            *(f"{name}-{side}", draw(st.sampled_from(["", call_id])), side, caller, dialed, called),
            *(setup.isoformat(), "", "" if talk_s is None else setup.isoformat(), end.isoformat()),
            *(f"{talk_s or 0.0:.3f}", caller_addr, called_addr, route, fci),
        )
        for side in sides
    ]


RECORDS = st.lists(calls(), max_size=12).map(lambda found: [row for one in found for row in one])


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """A file as an exchange, a person or a power cut has left it."""
    ends = st.just(draw(st.sampled_from([b"\r\n", b"\n"])))
    if draw(st.booleans()):
        ends = st.sampled_from([b"\r\n", b"\n"])
    lines = [encode_line(row).removesuffix(b"\r\n") for row in draw(RECORDS)]
    for _ in range(draw(st.sampled_from([0, 0, 1, 3]))):
        lines.insert(draw(st.integers(0, len(lines))), draw(ODD | JUNK))
    text = b"".join(line + draw(ends) for line in lines)
    text = draw(st.sampled_from([HEADER, HEADER.removeprefix(BOM), BOM, b""])) + text
    return text[: len(text) - draw(st.sampled_from([0, 0, 0, 1, 9]))]


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


@pytest.fixture(autouse=True)
def _small() -> Iterator[None]:
    """Files of some lines are cut into pieces as those of a million are."""
    with patch.multiple(reader, CHUNK=700, CLOSER=300), patch.object(newest, "SPARE", 3):
        yield


FEW = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None
)


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
    archive = Archive.find(paths, Selection(), unexpected)
    groups = archive.batches(Reader(unexpected), Selection(), columns(by))
    found, everything = totals(groups, by)
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
    archive = Archive.find([path], Selection(), unexpected)
    everything = list(archive.calls(Reader(unexpected), Selection()))
    few = list(archive.calls(Reader(unexpected), Selection(), most))
    assert few[:most] == everything[:most]
    ends = [one.first["release_time"] for one in everything]
    assert ends == sorted(ends, reverse=True)
    assert {record.values for one in everything for record in one.records} <= set(rows)
    assert len(everything) >= len({row[9] for row in rows})
