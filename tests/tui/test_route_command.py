"""`minisip route`: where a number would lead, in words."""

import json
from pathlib import Path
from unittest.mock import patch

import pytest

from pbx.api.schema import RouteTest, RouteWay
from pbx.config.dial_plan import AnalyzeCalled, DialPlan, Incoming, TimeCondition
from pbx.config.line import Line
from tests.api.fakes import FakeExchange
from tests.tui.here import minisip_here as minisip
from tests.tui.program import CHINESE
from tui.route_report import in_words


@pytest.fixture(autouse=True)
def _lines(exchange: FakeExchange) -> None:
    peer = Line(name="peer", kind="sip-trunk", server="192.0.2.1", destination="101")
    exchange.configured.kept = {"peer": peer}
    exchange.configured.dial_plan = DialPlan(
        analyze_called=(
            AnalyzeCalled(prefix="00", level=1),
            AnalyzeCalled(prefix="0", max_duration_s=3600.0),
        ),
        time_conditions=(TimeCondition(name="day", start="08:00", finish="18:00"),),
    )


class TestInWords:
    async def test_a_call_outside(self, server: Path) -> None:
        ran = await minisip(server, "route", "100", "9013800138000", "--at", "2026-12-24T20:00")
        assert (ran.code, ran.err) == (0, "")
        assert ran.out.splitlines() == [
            "9013800138000 at 2026-12-24 20:00:",
            "  1. analyse called number, row 2 (prefix 0): outside",
            "  2. no default route: every line, by name",
            "  3. way 1: line peer calls 013800138000 as 100",
            "It goes outside; ways in order: 1.",
            "It may last 1:00:00.",
        ]

    async def test_a_call_that_may_not_be_made(self, server: Path) -> None:
        ran = await minisip(server, "route", "100", "90049301234567")
        assert ran.out.splitlines()[1:] == [
            "  1. analyse called number, row 1 (prefix 00): outside",
            "  2. the call level of 100 is 0; this number needs 1",
            "It is refused.",
        ]

    async def test_a_call_from_outside_in_chinese(self, server: Path) -> None:
        args = ("route", "0138", "01062345678", "--line", "peer", "--at", "2026-12-24T20:00")
        ran = await minisip(server, *args, locale=CHINESE)
        assert ran.out.splitlines() == [
            "2026-12-24 20:00 拨 01062345678：",
            "  1. 线路 peer 的来话转到 101",
            "  2. 本地用户 101",
            "用户 101 振铃。",
        ]

    async def test_a_call_from_outside_to_nobody(
        self, server: Path, exchange: FakeExchange
    ) -> None:
        bare = Line(name="bare", kind="external-line", server="192.0.2.2", user="030555")
        exchange.configured.kept["bare"] = bare
        ran = await minisip(server, "route", "0138", "030555", "--line", "bare")
        assert ran.out.splitlines()[-2:] == [
            "It leads nowhere.",
            "To have calls by this line ring somewhere: "
            "minisip plan add incoming line=bare destination=100",
        ]
        led = Incoming(line="bare", destination="100")
        exchange.configured.dial_plan = DialPlan(incoming=(led,))
        ran = await minisip(server, "route", "0138", "030555", "--line", "bare")
        assert ran.out.splitlines()[-1] == "It rings at user 100."

    @pytest.mark.parametrize(
        ("dialed", "said"),
        [
            ("110", "It is an emergency call: nothing blocks it."),
            ("*43", "The exchange answers itself (*43)."),
            ("9", "More has to be dialled."),
            ("777", "It leads nowhere."),
        ],
    )
    async def test_what_becomes_of_it(self, server: Path, dialed: str, said: str) -> None:
        ran = await minisip(server, "route", "100", dialed)
        assert ran.code == 0
        assert ran.out.splitlines()[-1] == said

    async def test_a_step_of_a_newer_exchange_is_said_in_english(self, server: Path) -> None:
        with patch("tui.route_report.say_of_exchange", side_effect=KeyError):
            ran = await minisip(server, "route", "100", "101", locale=CHINESE)
        assert "  1. local user 101" in ran.out.splitlines()


class TestLineThatIsDown:
    @pytest.mark.parametrize(
        ("trouble", "said"),
        [
            ("silent", "Line telco: udp 192.0.2.7:5060 does not answer."),
            ("of-tomorrow", "The line telco can't be used at this moment."),
        ],
    )
    def test_it_is_said(self, capsys: pytest.CaptureFixture[str], trouble: str, said: str) -> None:
        values = {"server": "udp 192.0.2.7:5060"}
        way = RouteWay(
            line="telco", called="0138", caller="100", usable=False, trouble=trouble, values=values
        )
        answer = RouteTest(
            kind="outside",
            number="0138",
            at="2026-12-24T20:00+00:00",
            caller="100",
            emergency=False,
            max_duration_s=0.0,
            ways=[way],
            steps=[],
        )
        assert said in in_words(answer, "90138")


class TestForPrograms:
    async def test_json(self, server: Path) -> None:
        ran = await minisip(server, "route", "100", "9013800138000", "--json")
        answer = json.loads(ran.out)
        assert answer["kind"] == "outside"
        (way,) = answer["ways"]
        assert (way["line"], way["called"], way["caller"]) == ("peer", "013800138000", "100")
        assert way["usable"]
        assert answer["steps"][0]["key"] == "route-called-outside"


class TestRefused:
    @pytest.mark.parametrize(
        ("args", "said"),
        [
            (("999", "101"), "There is no user 999."),
            (("0138", "101", "--line", "x"), "There is no line x."),
            (("100", "101", "--at", "soon"), "A time is written as 18:30 or 2026-12-24T18:30."),
        ],
    )
    async def test_what_there_is_not(self, server: Path, args: tuple[str, ...], said: str) -> None:
        ran = await minisip(server, "route", *args)
        assert (ran.code, ran.out) == (1, "")
        assert said in ran.err


async def test_what_is_empty(server: Path) -> None:
    ran = await minisip(server, "route", "100", "", locale=CHINESE)
    assert (ran.code, ran.err) == (1, "minisip: 参数“called”为空\n")
    ran = await minisip(server, "route", "100", "101", "--at", "")
    assert (ran.code, ran.err.split()[1:3]) == (1, ["A", "time"])
    ran = await minisip(server, "doctor", "peer", "--call", "")
    assert (ran.code, ran.err.split()[1:5]) == (1, ["''", "is", "no", "number"])
