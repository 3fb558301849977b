"""`minisip doctor` and the provider profiles, against a real control socket."""

import json
from pathlib import Path

import pytest

from pbx.lines.profile import profiles
from tests.api.fake_examining import finding
from tests.api.fakes import FakeExchange
from tests.tui.here import minisip_here as minisip
from tests.tui.program import CHINESE
from tests.tui.terminal import terminal
from tui.doctor_report import sentence

SECRET = "geheim12"


class TestDoctor:
    async def test_each_step_with_its_mark_and_sentence(
        self, server: Path, exchange: FakeExchange
    ) -> None:
        ran = await minisip(server, "doctor", "telco")
        assert ran.out.splitlines() == [
            "Examining telco ...",
            "● well      Name          udp 198.51.100.1:5060 is an address: DNS is not needed.",
            "◐ note      Server        udp 198.51.100.1:5060 does not answer OPTIONS. Some carriers "
            "ignore it from who has not registered; the registration tells more.",
            "✗ wrong     Registration  REGISTER was sent to udp 198.51.100.1:5060 5 times, and "
            "nothing at all came back. The address or port is wrong, or a firewall on the way drops "
            "it; some servers also drop what they do not know without a word: check account and "
            "domain.",
            "○ left out  Password      Not reached: the server has not asked for a password.",
            "Something is wrong: see the marks above.",
        ]
        assert ran.code == 1
        assert exchange.examined.asked == [("telco", "")]

    async def test_in_chinese(self, server: Path) -> None:
        ran = await minisip(server, "doctor", "telco", locale=CHINESE)
        assert "✗ 错误  注册" in ran.out
        assert "没有任何应答" in ran.out

    async def test_a_line_that_is_well(self, server: Path, exchange: FakeExchange) -> None:
        exchange.examined.said = [finding("dns", "good", "dns-address", server="192.0.2.1")]
        ran = await minisip(server, "doctor", "telco", "--call", "+861012345678")
        assert (ran.code, ran.out.splitlines()[-1]) == (0, "All is well, as far as it was tried.")
        assert exchange.examined.asked == [("telco", "+861012345678")]

    async def test_as_json(self, server: Path) -> None:
        ran = await minisip(server, "doctor", "telco", "--json")
        found = json.loads(ran.out)
        assert found["done"] is True
        assert [one["mark"] for one in found["findings"]] == ["good", "note", "bad", "skipped"]

    async def test_there_is_no_such_line(self, server: Path) -> None:
        ran = await minisip(server, "doctor", "nobody")
        assert (ran.code, ran.err) == (1, "minisip: There is no line nobody.\n")

    async def test_ctrl_c_ends_the_examination(self, server: Path, exchange: FakeExchange) -> None:
        exchange.examined.endless = True
        async with terminal("tui.cli", "doctor", "telco", socket=server) as shown:
            await shown.until("Password")
            shown.type(b"\x03")
            assert await shown.ended() != 0
        assert exchange.examined.stopped == ["1"]

    def test_what_a_newer_exchange_says(self) -> None:
        found = finding("dns", "good", "dns-better", server="x\x1b[2J", ms="3")
        assert sentence(found) == "dns-better: server x\ufffd[2J, ms 3"


class TestProfiles:
    async def test_all_of_them(self, server: Path) -> None:
        ran = await minisip(server, "line", "profiles")
        assert ran.code == 0
        assert all(name in ran.out for name in profiles())
        assert "China Mobile IMS (account)" in ran.out

    async def test_one_with_what_it_asks_for_and_rests_on(self, server: Path) -> None:
        ran = await minisip(server, "line", "profiles", "china-telecom")
        assert ran.out.startswith("China Telecom IMS (CTC)\n")
        assert "{number}@{domain} unless given" in ran.out
        assert 'Source: miniSIPServer blog, "Work with Chinese CTC IMS network"' in ran.out
        assert (
            "minisip line add NAME --profile china-telecom number=... domain=... proxy=... --password"
            in ran.out
        )

    async def test_one_in_chinese(self, server: Path) -> None:
        ran = await minisip(server, "line", "profiles", "china-telecom", locale=CHINESE)
        assert ran.out.startswith("中国电信 IMS（CTC）\n")

    async def test_as_json(self, server: Path) -> None:
        ran = await minisip(server, "trunk", "profiles", "--json")
        trunks = [one.name for one in profiles().values() if one.kind == "sip-trunk"]
        assert [one["name"] for one in json.loads(ran.out)] == trunks

    async def test_one_that_is_not_there(self, server: Path) -> None:
        ran = await minisip(server, "line", "profiles", "nobody")
        assert (ran.code, ran.err) == (1, "minisip: There is no provider profile 'nobody'.\n")


class TestAdd:
    async def test_a_line_by_its_providers_profile(
        self, server: Path, exchange: FakeExchange
    ) -> None:
        ran = await minisip(
            server,
            *("line", "add", "ctc", "--profile", "china-telecom", "--password"),
            *("number=+8675512345678", "domain=gd.ctcims.cn", "proxy=192.0.2.9", "most=2"),
            text=SECRET.encode() + b"\n",
        )
        assert (ran.code, ran.out) == (0, "ctc is there.\n")
        line = exchange.configured.kept["ctc"]
        assert (line.profile, line.most) == ("china-telecom", 2)
        assert line.credentials_name == "+8675512345678@gd.ctcims.cn"
        assert (line.password, line.proxy) == (SECRET, "192.0.2.9")

    async def test_the_profile_knows_which_kind_it_is(
        self, server: Path, exchange: FakeExchange
    ) -> None:
        ran = await minisip(server, "line", "profiles", "twilio")
        assert "minisip trunk add NAME --profile twilio trunk=..." in ran.out
        ran = await minisip(server, "line", "add", "tw", "--profile", "twilio", "trunk=office")
        assert ran.code == 0
        assert ran.out == (
            "tw is there. With this provider it is a SIP trunk: minisip trunk show tw\n"
        )
        assert exchange.configured.kept["tw"].kind == "sip-trunk"
        ran = await minisip(server, "trunk", "add", "s", "--profile", "sipgate")
        assert (ran.code, ran.err) == (
            1,
            "minisip: sipgate is an external line: use minisip line.\n",
        )

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (["trunk="], "The profile twilio needs 'trunk'."),
            (["trunk=office", "country=x"], "cannot use what is given for 'country'."),
        ],
    )
    async def test_what_is_missing_or_wrong_is_named(
        self, server: Path, options: list[str], said: str
    ) -> None:
        ran = await minisip(server, "line", "add", "tw", "--profile", "twilio", *options)
        assert ran.code == 1
        assert said in ran.err

    async def test_a_person_at_the_terminal_is_asked(
        self, server: Path, exchange: FakeExchange
    ) -> None:
        args = ("line", "add", "dt", "--profile", "deutsche-telekom")
        async with terminal("tui.cli", *args, socket=server) as shown:
            await shown.until("+493012345678: ")
            shown.type(b"+493098765432\n")
            await shown.until("[anonymous@t-online.de]: ")
            shown.type(b"\n")
            await shown.until("(may be left out): ")
            shown.type(b"\n")
            await shown.until("the dial plan says: ")
            shown.type(b"100\n")
            assert await shown.ended() == 0
        line = exchange.configured.kept["dt"]
        assert line.destination == "100"
        assert (line.user, line.auth_name) == ("+493098765432", "anonymous@t-online.de")
