"""The journal of calls in progress."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.cdr import journal
from pbx.cdr.journal import Alive, End, Journal, Put, Unended, encode, replay
from tests.cdr.samples import EPOCH, entry

ONE, TWO = entry(id="1", talk=None), entry(id="2", talk=None)
ANSWERED = entry(id="1")


class TestLines:
    def test_a_call_that_never_ended(self) -> None:
        data = encode(Put(ONE)) + encode(Put(TWO)) + encode(Put(ANSWERED)) + encode(End("2"))
        assert replay(data) == [Unended(ANSWERED, EPOCH + 4.5)]

    def test_a_sign_of_life_is_for_every_call_that_runs(self) -> None:
        data = encode(Put(ONE)) + encode(Alive(EPOCH + 9)) + encode(Put(TWO))
        assert replay(data) == [Unended(ONE, EPOCH + 9), Unended(TWO, EPOCH + 0.25)]

    def test_a_clock_set_back_ends_no_call_before_it_began(self) -> None:
        data = encode(Put(ONE)) + encode(Alive(1.0))
        assert replay(data) == [Unended(ONE, ONE.last_wall_s)]

    def test_an_end_of_an_unknown_call(self) -> None:
        assert replay(encode(End("7"))) == []

    @pytest.mark.parametrize(
        "torn",
        [
            encode(Put(TWO))[:40],
            b"\0" * 512,
            b"\0\0" + encode(Put(TWO))[:-1][:-3],
            b'{"type":"other"}\n',
            b"\xff\xfe\n",
            b'{"type":"end","id":"\xff"}\n',
            b"\r\n\r\n",
        ],
    )
    def test_a_torn_end_costs_nothing_else(self, torn: bytes) -> None:
        assert replay(encode(Put(ONE)) + torn) == [Unended(ONE, EPOCH + 0.25)]

    @given(st.binary())
    def test_nothing_makes_it_fail(self, data: bytes) -> None:
        assert replay(data) == []

    def test_every_cut_leaves_the_calls_before_it(self) -> None:
        data = encode(Put(ONE)) + encode(Put(TWO))
        for length in range(len(encode(Put(ONE))), len(data)):
            ids = [unended.call.id for unended in replay(data[:length])]
            assert ids in (["1"], ["1", "2"])


class TestFile:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "calls.journal"

    def test_no_file_no_calls(self, path: Path) -> None:
        assert Journal(path).recover() == []
        assert path.read_bytes() == b""

    def test_a_crash_leaves_the_calls(self, path: Path) -> None:
        first = Journal(path)
        first.recover()
        first.put(ONE)
        first.put(TWO)
        first.beat(EPOCH + 60)
        second = Journal(path)
        assert second.recover() == [Unended(ONE, EPOCH + 60), Unended(TWO, EPOCH + 60)]

    def test_they_stay_until_their_records_are_written(self, path: Path) -> None:
        Journal(path).put(ONE)
        Journal(path).recover()
        third = Journal(path)
        assert [each.call for each in third.recover()] == [ONE]
        third.end("1")
        third.sync()
        assert Journal(path).recover() == []

    def test_an_end_waits_for_the_sync(self, path: Path) -> None:
        one = Journal(path)
        one.put(ONE)
        one.end("1")
        one.beat(EPOCH + 10)
        assert len(replay(path.read_bytes())) == 1
        one.sync()
        assert replay(path.read_bytes()) == []
        one.sync()

    def test_a_call_that_never_ran_needs_no_end(self, path: Path) -> None:
        one = Journal(path)
        one.recover()
        one.end("1")
        one.sync()
        assert path.read_bytes() == b""

    def test_no_calls_no_signs_of_life(self, path: Path) -> None:
        one = Journal(path)
        one.recover()
        one.beat(EPOCH)
        assert path.read_bytes() == b""

    def test_it_does_not_grow_for_ever(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(journal, "COMPACT_AT", 2000)
        one = Journal(path)
        one.put(TWO)
        for number in range(20):
            one.put(entry(id=f"x{number}"))
            one.end(f"x{number}")
        one.sync()
        assert path.stat().st_size < 1000
        assert [each.call for each in replay(path.read_bytes())] == [TWO]
        one.end("2")
        one.sync()
        assert replay(path.read_bytes()) == []

    def test_what_changes_in_a_call_leaves_its_last_sign_of_life(self, path: Path) -> None:
        one = Journal(path)
        one.put(TWO)
        one.beat(EPOCH + 3600)
        one.put(TWO)
        assert [each.last_wall_s for each in replay(path.read_bytes())] == [EPOCH + 3600]

    def test_so_does_a_file_that_is_written_anew(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(journal, "COMPACT_AT", 1)
        one = Journal(path)
        one.put(TWO)
        one.beat(EPOCH + 3600)
        one.sync()
        assert [each.last_wall_s for each in replay(path.read_bytes())] == [EPOCH + 3600]
        again = Journal(path)
        assert [each.last_wall_s for each in again.recover()] == [EPOCH + 3600]
        again.sync()
        assert [each.last_wall_s for each in replay(path.read_bytes())] == [EPOCH + 3600]
