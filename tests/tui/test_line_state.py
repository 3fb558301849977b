"""How `minisip line` shows how lines are."""

from pathlib import Path

import pytest

from pbx.api.schema import LineState
from pbx.config.line import Line
from tests.api.fakes import FakeExchange
from tests.tui.here import minisip_here as minisip
from tests.tui.program import CHINESE, ENGLISH

TELCO = Line(name="telco", kind="external-line", server="ims.example", user="100")
PEER = Line(name="peer", kind="sip-trunk", server="192.0.2.9")
GOOD = LineState(
    phase="up",
    usable=True,
    since_s=60.0,
    server="udp 192.0.2.7:5060",
    rtt_ms=12.4,
    expires_s=540.0,
    next_try_s=508.0,
    incoming_s=3605.0,
    identities=["sip:+8610@ims.example", "tel:+8610"],
    public="203.0.113.7:40000",
    prack_refused_s=90.0,
)
BAD = LineState(
    phase="down",
    usable=False,
    since_s=60.0,
    trouble="silent",
    values={"server": "udp 192.0.2.9:5060"},
    next_try_s=12.0,
)


@pytest.fixture(autouse=True)
def lines(exchange: FakeExchange) -> FakeExchange:
    exchange.configured.kept = {"telco": TELCO, "peer": PEER}
    exchange.configured.states = {"telco": GOOD, "peer": BAD}
    return exchange


async def shown(server: Path, *args: str, locale: str = ENGLISH) -> str:
    ran = await minisip(server, *args, locale=locale)
    assert (ran.code, ran.err) == (0, "")
    return ran.out


async def test_in_a_word(server: Path) -> None:
    assert "registered" in await shown(server, "line", "list")
    assert "in trouble" in await shown(server, "trunk", "list")
    assert "已注册" in await shown(server, "line", "list", locale=CHINESE)


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (LineState(phase="asking", usable=False, since_s=1.0), "being tried"),
        (LineState(phase="up", usable=True, since_s=1.0), "answers"),
        (None, "on"),
    ],
)
async def test_other_words(
    server: Path, exchange: FakeExchange, state: LineState | None, word: str
) -> None:
    exchange.configured.states = {"peer": state} if state else {}
    out = await shown(server, "trunk", "list")
    assert word in out
    assert "Last call" not in await shown(server, "trunk", "show", "peer") or state


async def test_one_that_works(server: Path) -> None:
    out = await shown(server, "line", "show", "telco")
    for text in (
        "udp 192.0.2.7:5060",
        "203.0.113.7:40000",
        "0:01:30 ago, not offered since (prack=supported tries again)",
        "12 ms",
        "in 0:09:00",
        "1:00:05 ago",
        "sip:+8610@ims.example, tel:+8610",
    ):
        assert text in out
    assert "Next try" not in out


async def test_one_that_does_not_says_why_and_what_to_do(server: Path) -> None:
    out = await shown(server, "trunk", "show", "peer")
    assert "Line peer: udp 192.0.2.9:5060 does not answer." in out
    assert "Check the line's server" in out
    assert "in 0:00:12" in out
    assert "never since the start" in out
    out = await shown(server, "trunk", "show", "peer", locale=CHINESE)
    assert "线路 peer：udp 192.0.2.9:5060 没有回应。" in out


async def test_one_that_is_off_tells_nothing_else(server: Path, exchange: FakeExchange) -> None:
    exchange.configured.kept["telco"] = Line(
        name="telco", kind="external-line", server="ims.example", enabled=False
    )
    out = await shown(server, "line", "show", "telco")
    assert "off" in out
    assert "minisip line enable telco switches it on" in " ".join(out.split())
    assert "Round trip" not in out
    out = await shown(server, "line", "show", "telco", locale=CHINESE)
    assert "minisip line enable telco" in out
    exchange.configured.kept["peer"] = Line(
        name="peer", kind="sip-trunk", server="192.0.2.9", enabled=False
    )
    out = await shown(server, "trunk", "show", "peer")
    assert "minisip trunk enable peer switches it on" in " ".join(out.split())
    assert "does not answer" not in out
