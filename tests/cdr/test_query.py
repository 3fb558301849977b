"""Large files are read in spans, apart from each other: with the answers of one pass, and the same complaints."""

import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.cdr import newest, pieces, reader, span
from pbx.cdr.archive import Archive
from pbx.cdr.call import Call
from pbx.cdr.finding import Complaint
from pbx.cdr.packed import HEADER as BINARY_HEADER
from pbx.cdr.packed import encode_record
from pbx.cdr.query import Query
from pbx.cdr.reader import Reader
from pbx.cdr.selection import Selection
from pbx.cdr.span import Span, cut
from pbx.cdr.spread import Spread, Stopped, here, never
from pbx.cdr.totals import By, Total
from pbx.store.record_file import BOM, COLUMNS, HEADER, encode_line
from tests.cdr.any_files import FEW, Row, files

Part = TypeVar("Part")
Result = TypeVar("Result")


@pytest.fixture(autouse=True)
def _small() -> Iterator[None]:
    """Files of some lines are cut as those of a million are."""
    small = (
        *((pieces, "CHUNK", 700), (span, "CHUNK", 700), (pieces, "LONGEST", 600)),
        *((reader, "CLOSER", 300), (newest, "SPARE", 3), (span, "SPAN", 400)),
    )
    with ExitStack() as patches:
        for place in small:
            patches.enter_context(patch.object(*place))
        yield


def elsewhere(
    work: Callable[[Part, Stopped], Result], parts: Sequence[Part], stopped: Stopped = never
) -> Iterator[Result]:
    """As if it were done in another process."""
    for part in parts:
        yield pickle.loads(pickle.dumps(work(pickle.loads(pickle.dumps(part)), stopped)))


@dataclass
class Heard:
    """What was said of files, and how many of them are record files."""

    complaints: list[Complaint]
    files: int = 0


def asked(
    paths: Sequence[Path], ask: Callable[[Query], Result], size: int, spread: Spread = elsewhere
) -> tuple[Result, Heard]:
    """The answer where files are cut that are larger than `size`, and what was said."""
    complaints: list[Complaint] = []
    with patch.object(span, "SPAN", size):
        teller = Reader(complaints.append)
        archive = Archive.find(paths, Selection(), complaints.append)
        answer = ask(Query(archive, Selection(), teller, spread))
    return answer, Heard(complaints, teller.files)


WHOLE = 1_000_000


@dataclass(frozen=True)
class Sums:
    """Totals as far as the order of adding doesn't change them."""

    rows: list[tuple[str, Total]]
    everything: Total


def totals(by: By) -> Callable[[Query], Sums]:
    def ask(query: Query) -> Sums:
        rows, everything = query.totals(by)
        return Sums([(name, rounded(one)) for name, one in rows.items()], rounded(everything))

    return ask


def rounded(total: Total) -> Total:
    return total._replace(talk_s=round(total.talk_s, 6))


def calls(most: int) -> Callable[[Query], list[Call]]:
    def ask(query: Query) -> list[Call]:
        # as `minicdr` does: what is beyond those was asked for by nobody
        return list(query.calls(most))[:most]

    return ask


@st.composite
def folders(draw: st.DrawFn) -> list[bytes]:
    """A file or two; perhaps copies, perhaps with the sides of calls far apart, with a line that is too long."""
    made = draw(st.lists(files(), min_size=1, max_size=2))
    if draw(st.booleans()):
        made.append(made[0])
    if draw(st.booleans()):
        head, *lines = made[0].split(b"\r\n")
        made[0] = b"\r\n".join([head, *draw(st.permutations(lines))])
    if draw(st.booleans()):
        place = draw(st.integers(0, len(made[0])))
        length = draw(st.integers(590, 2000))
        made[0] = made[0][:place] + b"x" * length + made[0][place:]
    return made


def write(folder: Path, contents: Sequence[bytes]) -> list[Path]:
    paths = []
    for number, data in enumerate(contents):
        path = folder / f"{number}.csv"
        path.write_bytes(data)
        paths.append(path)
    return paths


SIZES = st.integers(120, 900)


@given(contents=folders(), by=st.sampled_from(By), size=SIZES)
@FEW
def test_totals(tmp_path: Path, contents: list[bytes], by: By, size: int) -> None:
    paths = write(tmp_path, contents)
    assert asked(paths, totals(by), size) == asked(paths, totals(by), WHOLE)


@given(contents=folders(), most=st.integers(1, 5), size=SIZES)
@FEW
def test_the_newest_calls(tmp_path: Path, contents: list[bytes], most: int, size: int) -> None:
    paths = write(tmp_path, contents)
    assert asked(paths, calls(most), size) == asked(paths, calls(most), WHOLE)


@given(contents=folders(), size=SIZES)
@FEW
def test_spans_are_the_file(tmp_path: Path, contents: list[bytes], size: int) -> None:
    (path, *_) = write(tmp_path, contents)
    with patch.object(span, "SPAN", size):
        spans = cut(path)
    data = path.read_bytes()
    assert b"".join(data[one.begin : one.end] for one in spans) == data
    assert all(data[one.begin - 1 : one.begin] == b"\n" for one in spans[1:])


def record(number: int, side: str, **more: str) -> Row:
    values = {
        "record_id": f"{number:04}-{side}",
        "call_id": f"{number}@phone",
        "cdr_type": side,
        "caller_number": "100",
        "called_number": f"{number % 7}",
        "setup_time": f"2026-10-01T08:{number // 60:02}:{number % 60:02}.000+08:00",
        "talk_time": "2026-10-01T08:00:00.000+08:00",
        "release_time": f"2026-10-01T09:{number // 60:02}:{number % 60:02}.000+08:00",
        "duration": f"{number}",
        **more,
    }
    return tuple(values.get(name, "") for name in COLUMNS)


ROWS = [record(number, side) for number in range(100) for side in ("LO", "LT")]


@pytest.fixture
def hundred(tmp_path: Path) -> Path:
    """The file of a hundred calls, both sides of each."""
    path = tmp_path / "hundred.csv"
    path.write_bytes(HEADER + b"".join(map(encode_line, ROWS)))
    return path


def test_a_call_stays_in_one_span(hundred: Path) -> None:
    spans = cut(hundred)
    assert len(spans) > hundred.stat().st_size // 500
    data = hundred.read_bytes()
    for one in spans:
        lines = data[one.begin : one.end].removeprefix(HEADER).splitlines()
        assert len(lines) % 2 == 0
        assert one.names == (COLUMNS if one.begin else ())


def test_nothing_is_read_twice_where_no_call_is_in_two_spans(hundred: Path) -> None:
    """The proof is not that all is added up once more."""
    done: list[object] = []

    def counting(
        work: Callable[[Part, Stopped], Result], parts: Sequence[Part], stopped: Stopped = never
    ) -> Iterator[Result]:
        for part in parts:
            # A file that is gone can't be read here once more.
            done.append(part)
            answer = work(part, stopped)
            if part is parts[-1]:
                hundred.unlink()
            yield answer

    answer, heard = asked([hundred], totals(By.USER), 1000, counting)
    assert len(done) > 10
    assert answer.everything.calls == 100
    assert heard == Heard([], 1)


def test_sides_that_are_far_apart(hundred: Path) -> None:
    apart = [row for side in ("LO", "LT") for row in ROWS if row[2] == side]
    hundred.write_bytes(HEADER + b"".join(map(encode_line, apart)))
    for by in By:
        answer, _ = asked([hundred], totals(by), 1000)
        assert answer.everything == (100, 100, 4950.0, 99.0)


def test_a_binary_file_is_not_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.cdr"
    path.write_bytes(BINARY_HEADER + b"".join(map(encode_record, ROWS)))
    assert cut(path) == [Span(path)]
    assert asked([path], totals(By.HOUR), 1000)[0].everything.calls == 100


def test_complaints_have_the_numbers_of_the_file(hundred: Path) -> None:
    lines = hundred.read_bytes().split(b"\r\n")
    lines[57] = lines[157] = b"nonsense"
    lines[120] = b"\xff"
    hundred.write_bytes(b"\r\n".join(lines)[:-9])
    _, heard = asked([hundred], totals(By.DAY), 1000)
    assert heard == Heard(
        [
            Complaint("broken", hundred, lines=2, first=58),
            Complaint("encoding", hundred, lines=1, first=121),
            Complaint("torn", hundred, lines=1, first=201),
        ],
        1,
    )


def test_a_line_is_too_long_wherever_it_begins(hundred: Path) -> None:
    """It would be a record if it were shorter."""
    for before in range(0, 200, 9):
        lines = [*ROWS[:before], record(200, "LO", fci="x" * 600), *ROWS[before:]]
        hundred.write_bytes(HEADER + b"".join(map(encode_line, lines)))
        for size in (1000, WHOLE):
            answer, heard = asked([hundred], totals(By.DAY), size)
            assert answer.everything.calls == 100
            assert heard == Heard([Complaint("broken", hundred, lines=1, first=before + 2)], 1)


@pytest.mark.parametrize("name", ["utf-16", "separators", "foreign"])
def test_what_is_no_record_file_is_told_once(hundred: Path, name: str) -> None:
    text = hundred.read_text("utf-8-sig")
    made = {
        "utf-16": text.encode("utf-16"),
        "separators": BOM + text.replace(",", ";").encode(),
        "foreign": text.replace("record_id", "x").replace(",", "").encode(),
    }
    hundred.write_bytes(made[name])
    answer, heard = asked([hundred], totals(By.DAY), 1000)
    assert (answer.rows, heard) == ([], Heard([Complaint(name, hundred)]))


def between(change: Callable[[], object]) -> Spread:
    """Do the first part, then `change`, then the rest."""

    def changing(
        work: Callable[[Part, Stopped], Result], parts: Sequence[Part], stopped: Stopped = never
    ) -> Iterator[Result]:
        for part in parts:
            yield work(part, stopped)
            if part is parts[0]:
                change()

    return changing


class TestWhileItIsRead:
    """One pass reads on in a file that has been removed; what is read in spans says that it's gone."""

    def test_it_grows(self, hundred: Path) -> None:
        def grow() -> None:
            with hundred.open("ab") as file:
                file.write(encode_line(record(100, "LO")) + b"half")

        answer, heard = asked([hundred], totals(By.DAY), 1000, between(grow))
        assert answer.everything.calls == 101
        assert heard == Heard([Complaint("torn", hundred, lines=1, first=203)], 1)

    def test_it_shrinks(self, hundred: Path) -> None:
        half = hundred.read_bytes()[:9000]

        answer = asked([hundred], totals(By.DAY), 1000, between(lambda: hundred.write_bytes(half)))
        assert answer == asked([hundred], totals(By.DAY), WHOLE)

    def test_it_goes(self, hundred: Path) -> None:
        for ask in (totals(By.DAY), calls(5)):
            whole = hundred.read_bytes()
            answer, heard = asked([hundred], ask, 1000, between(hundred.unlink))
            assert answer in ([], Sums([], Total()))
            assert heard == Heard([Complaint("not-there", hundred)])
            hundred.write_bytes(whole)


def test_one_of_two_is_not_there(hundred: Path) -> None:
    missing = hundred.with_name("missing.csv")
    answer, heard = asked([missing, hundred], totals(By.DAY), 1000)
    assert answer.everything.calls == 100
    assert heard == Heard([Complaint("not-there", missing)], 1)


def test_it_goes_before_it_is_cut(hundred: Path) -> None:
    with patch.object(Path, "open", side_effect=FileNotFoundError):
        assert asked([hundred], totals(By.DAY), 1000)[1].complaints[0].key == "not-there"


def test_many_small_files_are_few_parts(hundred: Path) -> None:
    """For each part is work by itself."""
    rows = [encode_line(row) for row in ROWS]
    paths = write(hundred.parent, [HEADER + b"".join(rows[n : n + 2]) for n in range(0, 200, 2)])
    counts: list[int] = []

    def counting(
        work: Callable[[Part, Stopped], Result], parts: Sequence[Part], stopped: Stopped = never
    ) -> Iterator[Result]:
        counts.append(len(parts))
        yield from here(work, parts, stopped)

    answer, heard = asked(paths, totals(By.DAY), 10_000, counting)
    assert (answer.everything.calls, heard.files) == (100, 100)
    assert counts[0] < 15
