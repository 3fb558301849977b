"""`minisip callback`: the call-back service in words, and its settings."""

import json
from pathlib import Path

import pytest

from pbx.api.schema import CallBack
from pbx.config.callback import CallBackSettings
from tests.api.fakes import FakeExchange
from tests.tui.here import minisip_here as minisip
from tests.tui.program import CHINESE
from tui.report import callback_sentence


def callback(**values: object) -> CallBack:
    usual: dict[str, object] = {
        "port": 5080,
        "application_server": "127.0.0.1",
        "caller": "",
        "call_level": 0,
        "most": 20,
        "address": "udp 127.0.0.1:5080",
    }
    return CallBack(**{**usual, **values})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        (callback(open=2), "udp 127.0.0.1:5080, for 127.0.0.1; 2 going on"),
        (callback(application_server=""), "udp 127.0.0.1:5080, for ANYBODY; 0 going on"),
        (callback(port=0, address=""), "off"),
        (
            callback(address="", why="Address already in use"),
            "no port 5080: Address already in use",
        ),
    ],
)
def test_how_it_is_in_words(how: CallBack, sentence: str) -> None:
    assert callback_sentence(how) == sentence


class TestTheCommand:
    async def test_show(self, server: Path) -> None:
        ran = await minisip(server, "callback", "show")
        assert (ran.code, ran.err) == (0, "")
        lines = ran.out.splitlines()
        assert lines[0] == "off"
        assert [line.split() for line in lines[1:3]] == [
            ["port", "5080"],
            ["application_server", "127.0.0.1"],
        ]
        assert lines[-1].startswith("Requests 0, repeated 0, refused 0;")

    async def test_set(self, server: Path, exchange: FakeExchange) -> None:
        ran = await minisip(server, "callback", "set", "port=0", "caller=5551", "--json")
        assert ran.code == 0
        assert json.loads(ran.out)["caller"] == "5551"
        assert exchange.configured.call_back == CallBackSettings(port=0, caller="5551")

    async def test_what_is_wrong_is_told(self, server: Path) -> None:
        ran = await minisip(server, "callback", "set", "port=x")
        assert ran.code != 0
        assert "port is 'x', but must be a whole number." in ran.err
        ran = await minisip(server, "callback", "set", "port")
        assert ran.code == 2

    async def test_in_chinese(self, server: Path) -> None:
        ran = await minisip(server, "callback", "show", locale=CHINESE)
        assert ran.out.splitlines()[0] == "关闭"
