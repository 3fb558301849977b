"""`minisip rooms` and `minisip room`: who is in conference rooms, and what can be done about it."""

from pathlib import Path

import pytest

from tests.api.fakes import FakeExchange
from tests.tui.here import minisip_here as minisip
from tests.tui.program import CHINESE


class TestTheList:
    async def test_members(self, server: Path) -> None:
        ran = await minisip(server, "rooms", COLUMNS="200")
        assert (ran.code, ran.err) == (0, "")
        head, _, first, second = [line for line in ran.out.splitlines() if line.strip()]
        assert head.split() == ["Room", "Number", "Name", "Since", "State", "Gain", "Level", "Call"]
        assert first.split()[:4] == ["1,", "password", "100", "前台"]
        assert first.split()[-1] == "c1"
        assert second.split()[0] == "101"
        assert second.split()[-7:] == ["muted,", "speaks", "-6", "dB", "-23", "dBov", "c2"]

    async def test_chinese(self, server: Path) -> None:
        ran = await minisip(server, "rooms", locale=CHINESE)
        for word in ("会议室", "增益", "有密码", "静音", "正在说话"):
            assert word in ran.out

    async def test_nobody(self, server: Path, exchange: FakeExchange) -> None:
        exchange.conferences.rooms = []
        assert (await minisip(server, "rooms")).out == "Nobody is in a conference room.\n"


@pytest.mark.parametrize(
    ("args", "english", "chinese"),
    [
        (("mute", "1", "101"), "Conference room 1: 101 muted.", "会议室 1：101 已静音。"),
        (
            ("unmute", "1", "all"),
            "Conference room 1: all no longer muted.",
            "会议室 1：all 已取消静音。",
        ),
        (
            ("gain", "1", "101", "-6"),
            "Conference room 1: gain of 101 now -6 dB.",
            "会议室 1：101 的增益现为 -6 dB。",
        ),
        (
            ("gain", "1", "101", "+6.5"),
            "Conference room 1: gain of 101 now +6.5 dB.",
            "会议室 1：101 的增益现为 +6.5 dB。",
        ),
        (("remove", "1", "101"), "Conference room 1: 101 removed.", "会议室 1：101 已移出。"),
    ],
)
async def test_what_is_done(
    server: Path, exchange: FakeExchange, args: tuple[str, ...], english: str, chinese: str
) -> None:
    ran = await minisip(server, "room", *args)
    assert (ran.code, ran.out, ran.err) == (0, f"{english}\n", "")
    assert exchange.conferences.asked == [args]
    assert (await minisip(server, "room", *args, locale=CHINESE)).out == f"{chinese}\n"
    assert (await minisip(server, "room", *args, "--json")).out == "null\n"


@pytest.mark.parametrize(
    ("args", "english", "chinese"),
    [
        (
            ("mute", "7", "101"),
            "There is nobody in a conference room 7; minisip rooms lists those with somebody in them.",
            "会议室 7 里没有人；用 minisip rooms 查看有人的会议室。",
        ),
        (
            ("remove", "1", "102"),
            "There is no 102 in conference room 1; minisip rooms tells who is.",
            "会议室 1 里没有 102；用 minisip rooms 查看有哪些人。",
        ),
        (
            ("gain", "1", "101", "99"),
            "A gain is a number of dB, from -40 to 18.",
            "增益以 dB 为单位，为 -40 到 18 之间的数字。",
        ),
    ],
)
async def test_refusals(server: Path, args: tuple[str, ...], english: str, chinese: str) -> None:
    ran = await minisip(server, "room", *args)
    assert (ran.code, ran.out, ran.err) == (1, "", f"minisip: {english}\n")
    assert (await minisip(server, "room", *args, locale=CHINESE)).err == f"minisip: {chinese}\n"


@pytest.mark.parametrize("args", [("mute", "1"), ("gain", "1", "101"), ("mute", "1", "101", "2")])
async def test_too_few_or_too_many(
    server: Path, exchange: FakeExchange, args: tuple[str, ...]
) -> None:
    assert (await minisip(server, "room", *args)).code == 2
    assert not exchange.conferences.asked
