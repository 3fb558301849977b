"""Each command, as a real process against a real control socket, in both languages."""

import json
from pathlib import Path

import msgspec
import pytest
from rich.cells import cell_len

from pbx.api.schema import METHODS, Problem
from tests.api.fakes import PASSWORDS, FakeExchange
from tests.tui.program import CHINESE, ENGLISH, minisip


class TestStatus:
    async def test_english(self, server: Path) -> None:
        ran = await minisip(server, "status")
        assert (ran.code, ran.err) == (0, "")
        assert ran.out.splitlines() == [
            "miniSIPServer 0.1.0, running for 26:03:04 (process 4711)",
            "  Addresses  udp 192.0.2.1:5060",
            "             tcp 192.0.2.1:5060",
            "  Users      3, of them 1 registered",
            "  Calls      1 now, 12 since the start",
            "  Sound      process 4712, room for 500 more streams",
            "  Database   sqlite, in order",
        ]

    async def test_chinese(self, server: Path) -> None:
        ran = await minisip(server, "status", locale=CHINESE)
        assert "  用户    3 个，其中 1 个已注册" in ran.out.splitlines()
        assert "  数据库  sqlite，正常" in ran.out.splitlines()

    async def test_certificate(self, server: Path, exchange: FakeExchange) -> None:
        exchange.status_values = {"certificate": ":".join(["AB"] * 32)}
        half = ":".join(["AB"] * 16)
        out = (await minisip(server, "status")).out.splitlines()
        place = out.index(f"  Certificate  SHA-256 {half}")
        assert out[place + 1] == f"                       {half}"
        out = (await minisip(server, "status", locale=CHINESE)).out.splitlines()
        assert f"  证书    SHA-256 {half}" in out

    async def test_what_is_wrong(self, server: Path, exchange: FakeExchange) -> None:
        exchange.status_values = {
            "database": "mysql",
            "database_ok": False,
            "records_waiting": 9,
            "engine_restarts": 2,
        }
        ran = await minisip(server, "status")
        assert "mysql, not answering; 9 call records wait for it" in ran.out
        assert "was started again 2 times" in ran.out
        exchange.status_values = {"engine_pid": 0}
        assert "no media engine is running" in (await minisip(server, "status")).out

    async def test_what_wants_looking_at(self, server: Path, exchange: FakeExchange) -> None:
        values = {"contact": "sip:gw@192.0.2.9"}
        exchange.problems = [Problem(slug="prack-refused", severity="attention", values=values)]
        ran = await minisip(server, "status")
        assert ran.code == 0
        assert "sip:gw@192.0.2.9 asks for PRACK and refuses it" in ran.out
        ran = await minisip(server, "status", locale=CHINESE)
        assert "sip:gw@192.0.2.9 要求 PRACK" in ran.out
        json.loads((await minisip(server, "status", "--json")).out)


class TestHealth:
    async def test_ready(self, server: Path) -> None:
        ran = await minisip(server, "health")
        assert (ran.code, ran.out.strip(), ran.err) == (0, "● ready", "")

    @pytest.mark.parametrize(("severity", "code"), [("attention", 1), ("failed", 2)])
    async def test_what_is_wrong_and_what_to_do(
        self, server: Path, exchange: FakeExchange, severity: str, code: int
    ) -> None:
        values = {"number": "105\x1b[2J", "minutes": "7"}
        exchange.problems = [
            Problem(slug="phone-lost", severity=severity, values=values),
            Problem(slug="from-the-future", severity="attention", values={}),
        ]
        ran = await minisip(server, "health")
        assert ran.code == code
        assert "The phone of 105\N{REPLACEMENT CHARACTER}[2J has been away for 7 min " in ran.out
        assert "Check its power and network" in ran.out
        assert "from-the-future" in ran.out
        ran = await minisip(server, "health", locale=CHINESE)
        assert "105\N{REPLACEMENT CHARACTER}[2J 的话机已离线 7 分钟" in ran.out
        ran = await minisip(server, "health", "--json")
        assert (ran.code, json.loads(ran.out)["state"]) == (code, severity)


class TestUsers:
    async def test_columns_line_up_whatever_the_width_of_a_character(self, server: Path) -> None:
        for locale, state, offline in (
            (ENGLISH, "talking", "offline"),
            (CHINESE, "通话中", "离线"),
        ):
            ran = await minisip(server, "users", locale=locale)
            _, _, first, second, third = ran.out.splitlines()
            assert first.startswith("100")
            assert "前台" in first
            columns = {
                cell_len(line[: line.index(word)])
                for line, word in ((first, state), (second, offline), (third, offline))
            }
            assert len(columns) == 1
            assert "udp 192.0.2.7:5062  Linphone/5.1" in first
            assert "0:09:58" in first

    async def test_none(self, server: Path, exchange: FakeExchange) -> None:
        exchange.passwords.clear()
        assert (await minisip(server, "users")).out == "There are no users.\n"
        assert (await minisip(server, "users", locale=CHINESE)).out == "没有用户。\n"

    async def test_a_phone_cannot_steer_the_terminal(
        self, server: Path, exchange: FakeExchange
    ) -> None:
        exchange.user_agent = "evil\x1b[2J\x9b31m\r\n[bold]:smile:"
        ran = await minisip(server, "users")
        assert "evil\ufffd[2J\ufffd31m\ufffd\ufffd[bold]:smile:" in ran.out


class TestCalls:
    async def test_both_languages(self, server: Path, exchange: FakeExchange) -> None:
        ran = await minisip(server, "calls")
        assert ran.out.splitlines()[-1].split() == [
            "c1", "100", "101", "talking", "2026-11-23", "04:00:39", "0:01:01", "PCMA/G722", "4.4/3.8",
        ]  # fmt: skip
        assert "主叫" in (await minisip(server, "calls", locale=CHINESE)).out
        exchange.running.clear()
        assert (await minisip(server, "calls")).out == "There are no calls.\n"

    async def test_hangup(self, server: Path, exchange: FakeExchange) -> None:
        ran = await minisip(server, "hangup", "c1")
        assert (ran.code, ran.out) == (0, "The call c1 has been ended.\n")
        assert exchange.running == {}
        ran = await minisip(server, "hangup", "c1")
        assert (ran.code, ran.out, ran.err) == (1, "", "minisip: There is no such call.\n")

    async def test_record(self, server: Path, exchange: FakeExchange) -> None:
        ran = await minisip(server, "record", "c1")
        sentence = "The call c1 is being recorded to /data/record/20261123/c1.wav\n"
        assert (ran.code, ran.out) == (0, sentence)
        assert exchange.recorded == {"c1": False}
        assert "talking, recorded" in (await minisip(server, "calls")).out
        ran = await minisip(server, "record", "c1", locale=CHINESE)
        assert (ran.code, ran.err) == (1, "minisip: 这个呼叫已经在录音。\n")
        ran = await minisip(server, "record", "c1", "--stop")
        assert (ran.code, ran.out) == (0, "The recording of the call c1 has ended.\n")
        assert exchange.recorded == {}
        ran = await minisip(server, "record", "c1", "--stop")
        assert (ran.code, ran.err) == (1, "minisip: The call is not being recorded.\n")

    async def test_record_a_track_each(self, server: Path, exchange: FakeExchange) -> None:
        await minisip(server, "record", "c1", "--stereo")
        assert exchange.recorded == {"c1": True}


class TestUser:
    async def test_add(self, server: Path, exchange: FakeExchange) -> None:
        ran = await minisip(server, "user", "add", "103", "--name", "李明", "--password", "pass")
        assert ran.out == "User 103 is there. Its password is: pass\n"
        assert (exchange.passwords["103"], exchange.names["103"]) == ("pass", "李明")
        ran = await minisip(server, "user", "add", "104", locale=CHINESE)
        assert ran.out == "用户 104 已添加，密码为：made-up\n"

    async def test_remove(self, server: Path, exchange: FakeExchange) -> None:
        ran = await minisip(server, "user", "remove", "102")
        assert (ran.code, ran.out) == (0, "User 102 is gone.\n")
        assert "102" not in exchange.passwords

    async def test_password_at_random(self, server: Path) -> None:
        ran = await minisip(server, "user", "password", "101")
        assert ran.out == "User 101 has a new password: made-up\n"

    @pytest.mark.parametrize("text", [b"from stdin", b"from stdin\n", b"from stdin\r\nmore\n"])
    async def test_password_from_stdin(
        self, server: Path, exchange: FakeExchange, text: bytes
    ) -> None:
        ran = await minisip(server, "user", "password", "101", "--password", "-", text=text)
        assert ran.code == 0
        assert exchange.passwords["101"] == "from stdin"

    @pytest.mark.parametrize("args", [("--password", "-"), ("--password", "")])
    async def test_empty_password(
        self, server: Path, exchange: FakeExchange, args: tuple[str, str]
    ) -> None:
        ran = await minisip(server, "user", "add", "103", *args)
        assert (ran.code, ran.err) == (1, "minisip: The password is empty.\n")
        assert exchange.asked == []

    @pytest.mark.parametrize(
        ("args", "english", "chinese"),
        [
            (("user", "remove", "999"), "There is no user 999.", "没有用户 999。"),
            (("user", "add", "100"), "There is a user 100 already.", "用户 100 已经存在。"),
            (
                ("user", "add", "119"),
                "119 is an emergency number: whoever dials it reaches the emergency services, not a"
                " user. Choose another number, or say in which country this is, if it has others:"
                " minisip plan set basics country=DE.",
                "119 是紧急号码：拨打它的人会接到紧急服务，而不是用户。请换一个号码；若所在国家的紧急号码"
                "不同，请设置国家：minisip plan set basics country=CN。",
            ),
            (("hangup", "x"), "There is no such call.", "没有这个呼叫。"),
            (
                ("user", "add", "103", "--password", "x"),
                "A password has 4 to 64 visible ASCII characters, without spaces.",
                "密码必须是 4 到 64 个可见的 ASCII 字符，不含空格。",
            ),
        ],
    )
    async def test_refusals_in_both_languages(
        self, server: Path, args: tuple[str, ...], english: str, chinese: str
    ) -> None:
        assert (await minisip(server, *args)).err == f"minisip: {english}\n"
        ran = await minisip(server, *args, locale=CHINESE)
        assert (ran.code, ran.err) == (1, f"minisip: {chinese}\n")

    async def test_a_failure_inside_the_exchange(
        self, server: Path, exchange: FakeExchange
    ) -> None:
        exchange.failure = ValueError("x")
        ran = await minisip(server, "users", locale=CHINESE)
        assert (ran.code, ran.err) == (1, "minisip: 交换机未能完成此操作；原因见日志。\n")


class TestJson:
    @pytest.mark.parametrize(
        ("method", "args"),
        [
            ("status", ("status",)),
            ("users", ("users",)),
            ("calls", ("calls",)),
            ("hangup", ("hangup", "c1")),
            ("rooms", ("rooms",)),
            ("room.mute", ("room", "mute", "1", "101")),
            ("record", ("record", "c1")),
            ("recordings", ("recordings",)),
            ("recordings.remove", ("recordings", "remove", "20261101/120000_102_100_9f3c.wav")),
            ("user.add", ("user", "add", "103")),
            ("user.remove", ("user", "remove", "102")),
            ("user.password", ("user", "password", "101")),
            ("user.algorithm", ("user", "algorithm", "101", "SHA-256")),
            ("welcome", ("welcome",)),
            ("route", ("route", "100", "101")),
        ],
    )
    async def test_every_command_has_it(
        self, server: Path, method: str, args: tuple[str, ...]
    ) -> None:
        ran = await minisip(server, *args, "--json", locale=CHINESE, PYTHONIOENCODING="gb18030")
        assert ran.code == 0
        msgspec.json.decode(ran.out, type=METHODS[method])

    async def test_content(self, server: Path) -> None:
        ran = await minisip(server, "welcome", "--json")
        found = {user["number"]: user["password"] for user in json.loads(ran.out)["users"]}
        assert found == PASSWORDS
        users = json.loads((await minisip(server, "users", "--json")).out)
        assert users[0]["display_name"] == "前台"
