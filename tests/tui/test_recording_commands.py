"""`minisip recordings`: what is there, and its end."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.api.fakes import FakeExchange
from tests.tui.here import minisip_here as minisip
from tests.tui.program import CHINESE

NEWEST = "20261130/183000_100_101_9f3c.wav"
OLDEST = "20261101/120000_102_100_9f3c.wav"


class TestTheList:
    async def test_the_newest_first(self, server: Path) -> None:
        ran = await minisip(server, "recordings", COLUMNS="200")
        assert (ran.code, ran.err) == (0, "")
        head, _, first, second, third, summary = [
            line for line in ran.out.splitlines() if line.strip()
        ]
        assert head.split() == ["Since", "From", "To", "Length", "Size", "File"]
        assert first.split() == [
            *("2026-11-30", "18:30:00", "100", "101", "0:01:01,", "recorded", "2.0", "MB", NEWEST)
        ]
        assert "*43" in second
        assert OLDEST in third
        assert summary == "3 of 3 recordings, 6.0 MB in all, in /data/record"

    async def test_chinese(self, server: Path) -> None:
        ran = await minisip(server, "recordings", locale=CHINESE)
        assert "共 3 个录音，6.0 MB，这里列出 3 个，位于 /data/record" in ran.out

    async def test_none(self, server: Path) -> None:
        ran = await minisip(server, "recordings", "--number", "999")
        assert (ran.code, ran.out) == (0, "There are no such recordings in /data/record.\n")

    @pytest.mark.parametrize(
        ("typed", "day"), [("2026-11-30", "20261130"), ("20261130", "20261130")]
    )
    async def test_of_a_day_and_a_number(
        self, server: Path, exchange: FakeExchange, typed: str, day: str
    ) -> None:
        ran = await minisip(server, "recordings", "--day", typed, "--number", "101", "--most", "5")
        assert ran.code == 0
        assert exchange.record_files.asked == [(day, "101", "5")]
        assert "1 of 1 recordings" in ran.out

    async def test_yesterday(self, server: Path, exchange: FakeExchange) -> None:
        await minisip(server, "recordings", "--day", "yesterday", "--most", "0")
        yesterday = datetime.now().astimezone() - timedelta(days=1)
        assert exchange.record_files.asked == [(f"{yesterday:%Y%m%d}", "", "")]

    @pytest.mark.parametrize("day", ["2026-02-30", "soon", ""])
    async def test_no_day(self, server: Path, exchange: FakeExchange, day: str) -> None:
        ran = await minisip(server, "recordings", "remove", f"--before={day or ' '}")
        assert (ran.code, ran.err) == (1, "minisip: A day is written as 2026-12-24.\n")
        assert len(exchange.record_files.files) == 3


class TestRemoving:
    async def test_one(self, server: Path, exchange: FakeExchange) -> None:
        ran = await minisip(server, "recordings", "remove", OLDEST)
        assert (ran.code, ran.out) == (0, "Recordings removed: 1, 2.0 MB.\n")
        assert OLDEST not in [one.file for one in exchange.record_files.files]

    async def test_before_a_day(self, server: Path, exchange: FakeExchange) -> None:
        ran = await minisip(server, "recordings", "remove", "--before", "2026-11-30")
        assert (ran.code, ran.out) == (0, "Recordings removed: 1, 2.0 MB.\n")
        assert len(exchange.record_files.files) == 2

    async def test_what_is_not_there(self, server: Path) -> None:
        ran = await minisip(server, "recordings", "remove", "x.wav", locale=CHINESE)
        assert ran.code == 1
        assert ran.err == "minisip: 没有这个录音；用 minisip recordings 查看录音的名称。\n"

    @pytest.mark.parametrize("args", [(), (OLDEST, "--before", "2026-11-30")])
    async def test_neither_or_both(self, server: Path, args: tuple[str, ...]) -> None:
        ran = await minisip(server, "recordings", "remove", *args)
        assert ran.code == 2
        assert ran.err.startswith("minisip: Name a recording, or a day by --before.\n")
