"""`minisip configuration`: what gave way to another configuration, and the way back."""

import json
from pathlib import Path

import pytest

from pbx.api.schema import ReplacedConfiguration
from tests.api.fakes import FakeExchange
from tests.tui.here import minisip_here as minisip
from tests.tui.program import CHINESE


@pytest.fixture
def replaced(exchange: FakeExchange) -> None:
    """A configuration is kept as number 2."""
    one = ReplacedConfiguration(
        number=2,
        replaced="2026-11-30T18:30:00+00:00",
        users=["100", "103"],
        lines=["ims"],
    )
    exchange.configured.replaced["2"] = one


async def test_where_none_is_kept(server: Path) -> None:
    ran = await minisip(server, "configuration", "show")
    assert (ran.code, ran.out) == (0, "No configuration has been replaced by another one.\n")


async def test_show(server: Path, replaced: None) -> None:
    ran = await minisip(server, "configuration", "show")
    last = ran.out.splitlines()[-1].split()
    assert last == ["2", "2026-11-30", "18:30:00", "100,", "103", "ims"]
    ran = await minisip(server, "configuration", "show", "--json")
    assert json.loads(ran.out)[0]["users"] == ["100", "103"]


async def test_its_number_is_no_telephone_number(server: Path, replaced: None) -> None:
    ran = await minisip(server, "configuration", "show", locale=CHINESE)
    assert "编号" in ran.out
    assert "号码" not in ran.out


async def test_restore(server: Path, exchange: FakeExchange, replaced: None) -> None:
    ran = await minisip(server, "configuration", "restore", "2")
    assert ran.code == 0
    assert ran.out.startswith("Configuration 2 is in use.")
    assert exchange.configured.restored == ["2"]


async def test_discard_in_chinese(server: Path, exchange: FakeExchange, replaced: None) -> None:
    ran = await minisip(server, "configuration", "discard", "2", locale=CHINESE)
    assert (ran.code, ran.out) == (0, "2 号配置已删除。\n")
    assert not exchange.configured.replaced


@pytest.mark.parametrize("command", ["restore", "discard"])
async def test_one_that_is_not_there(server: Path, command: str) -> None:
    ran = await minisip(server, "configuration", command, "7")
    assert (ran.code, ran.out) == (1, "")
    assert "No configuration is kept as number 7." in ran.err
