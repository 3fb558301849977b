"""The files of recorded calls as the control API shows and removes them."""

from pathlib import Path

import pytest

from pbx.api.recordings import RecordedCalls
from pbx.errors import CommandError
from tests.recorded.days import left, make

A = "20261101/101112_100_101_aa.wav"
B = "20261130/101112_100_102_bb.wav"
C = "20261130/111112_102_100_cc.wav"


@pytest.fixture
def record(tmp_path: Path) -> Path:
    for number, name in enumerate((A, B, C)):
        make(tmp_path, name, seconds=number + 1)
    make(tmp_path, "20261130/mine.wav")
    return tmp_path


def calls(record: Path, *running: str) -> RecordedCalls:
    return RecordedCalls(record, lambda: frozenset(running))


async def names(record: Path, day: str = "", number: str = "", most: str = "") -> list[str]:
    return [one.file for one in (await calls(record).listed(day, number, most)).files]


async def refusal(record: Path, *running: str, file: str = "", before: str = "") -> str:
    served = calls(record, *running)
    with pytest.raises(CommandError) as caught:
        await (served.remove_before(before) if before else served.remove(file))
    return caught.value.code


class TestTheList:
    async def test_what_is_told_of_each(self, record: Path) -> None:
        found = await calls(record, C).listed("", "", "")
        assert (found.folder, found.total) == (str(record), 3)
        assert found.octets == 3 * 44 + 16000 * 6
        first, second, _ = found.files
        assert (first.file, first.running, first.seconds) == (C, True, 3.0)
        assert (second.begun, second.running) == ("2026-11-30T10:11:12", False)
        assert (second.caller, second.called, second.call) == ("100", "102", "bb")
        assert second.octets == 32_044

    async def test_choices(self, record: Path) -> None:
        assert await names(record) == [C, B, A]
        assert await names(record, day="20261101") == [A]
        assert await names(record, day="20261102") == []
        assert await names(record, day="2026-11-01") == [A]
        assert await names(record, number="102") == [C, B]
        assert await names(record, most="1") == [C]
        assert (await calls(record).listed("", "", "1")).total == 3

    async def test_before_the_first_recording(self, tmp_path: Path) -> None:
        found = await calls(tmp_path / "none").listed("", "", "")
        assert (found.total, found.files) == (0, [])

    @pytest.mark.parametrize(
        ("day", "most", "code"),
        [
            ("2026", "", "bad-day"),
            ("20261131", "", "bad-day"),
            ("2026-11-31", "", "bad-day"),
            ("２０２６１１０１", "", "bad-day"),
            ("", "-1", "bad-count"),
        ],
    )
    async def test_what_cannot_be_asked(self, record: Path, day: str, most: str, code: str) -> None:
        with pytest.raises(CommandError) as caught:
            await calls(record).listed(day, "", most)
        assert caught.value.code == code


class TestRemoving:
    async def test_the_last_of_a_day_takes_its_folder_along(self, record: Path) -> None:
        removed = await calls(record).remove(A)
        assert (removed.count, removed.octets) == (1, 16_044)
        assert left(record) == ["20261130", B, C, "20261130/mine.wav"]

    async def test_before_a_day(self, record: Path) -> None:
        removed = await calls(record).remove_before("2026-11-30")
        assert removed.count == 1
        removed = await calls(record, B).remove_before("20261201")
        assert removed.count == 1
        assert left(record) == ["20261130", B, "20261130/mine.wav"]

    @pytest.mark.parametrize(
        "file",
        [
            "20261130/mine.wav",
            "20261130/101112_100_102_xx.wav",
            "../20261130/101112_100_102_bb.wav",
            "/etc/passwd",
            "20261130",
        ],
    )
    async def test_what_is_no_recording(self, record: Path, file: str) -> None:
        before = left(record)
        assert await refusal(record, file=file) == "unknown-recording"
        assert left(record) == before

    async def test_what_goes_on(self, record: Path) -> None:
        assert await refusal(record, C, file=C) == "recording-runs"
        assert C in left(record)

    async def test_what_the_system_refuses(
        self, record: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(path: Path, missing_ok: bool = False) -> None:
            raise OSError(30, "Read-only file system")

        monkeypatch.setattr(Path, "unlink", refuse)
        assert await refusal(record, file=A) == "recording-stays"
        assert await refusal(record, before="20261201") == "recording-stays"

    async def test_no_day(self, record: Path) -> None:
        assert await refusal(record, before="tomorrow") == "bad-day"
