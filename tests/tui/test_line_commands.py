"""`minisip line`, `trunk`, `plan` and `user set`, against a real control socket."""

import json
import tomllib
from pathlib import Path

import pytest

from pbx.config.dial_plan import DialPlan, Holiday, Route
from pbx.config.line import Line
from pbx.config.user_rights import UserRights
from tests.api.fakes import FakeExchange
from tests.tui.here import minisip_here as minisip
from tests.tui.program import CHINESE, ENGLISH, outcome, start
from tests.tui.terminal import terminal
from tui.report import in_words
from tui.toml_text import document

SECRET = "geheim12"

IMS = Line(
    name="ims",
    kind="external-line",
    server="ims.example",
    user="+861012345678",
    password=SECRET,
    codecs=("PCMA", "G722"),
    enabled=False,
)
PEER = Line(name="peer", kind="sip-trunk", server="192.0.2.1", description="总部\x1b[2J")


@pytest.fixture
def lines(exchange: FakeExchange) -> dict[str, Line]:
    exchange.configured.kept = {"ims": IMS, "peer": PEER}
    return exchange.configured.kept


class TestLineAdd:
    async def test_with_the_password_from_the_standard_input(
        self, server: Path, exchange: FakeExchange
    ) -> None:
        options = ("server=ims.example", "user=+861012345678", "expires_s=3600")
        text = SECRET.encode() + b"\n"
        ran = await minisip(server, "line", "add", "ims", *options, "--password", text=text)
        assert (ran.code, ran.out, ran.err) == (0, "ims is there.\n", "")
        line = exchange.configured.kept["ims"]
        assert (line.kind, line.user, line.expires_s) == ("external-line", "+861012345678", 3600)
        assert line.password == SECRET

    async def test_with_the_password_from_the_environment(
        self, server: Path, exchange: FakeExchange
    ) -> None:
        args = ("line", "add", "ims", "server=x", "user=u", "--password")
        ran = await minisip(server, *args, MINISIP_LINE_PASSWORD=SECRET)
        assert ran.code == 0
        assert exchange.configured.kept["ims"].password == SECRET

    async def test_with_the_password_typed_unseen(
        self, server: Path, exchange: FakeExchange
    ) -> None:
        args = ("line", "add", "ims", "server=x", "user=u", "--password")
        async with terminal("tui.cli", *args, socket=server) as shown:
            await shown.until("Password: ")
            shown.type(SECRET.encode() + b"\n")
            assert await shown.ended() == 0
            assert SECRET not in shown.text
        assert exchange.configured.kept["ims"].password == SECRET

    async def test_a_destination_that_is_nobodys(
        self, server: Path, lines: dict[str, Line]
    ) -> None:
        nobody = "But 555 is nobody's number, and leads nowhere: who calls is told so.\n"
        ran = await minisip(server, "line", "set", "ims", "destination=555")
        assert (ran.code, ran.out) == (0, f"ims is changed. {nobody}")
        assert lines["ims"].destination == "555"
        ran = await minisip(server, "trunk", "add", "more", "server=x", "destination=555")
        assert (ran.code, ran.out) == (0, f"more is there. {nobody}")
        ran = await minisip(server, "line", "set", "ims", "destination=101")
        assert (ran.code, ran.out) == (0, "ims is changed.\n")
        ran = await minisip(server, "line", "set", "ims", "destination=")
        assert (ran.code, ran.out) == (0, "ims is changed.\n")

    async def test_without_one_it_says_how(self, server: Path) -> None:
        ran = await minisip(server, "line", "add", "ims", "server=x", "user=u")
        assert "`minisip line set ims --password`" in ran.out
        ran = await minisip(server, "trunk", "add", "peer", "server=x")
        assert ran.out == "peer is there.\n"

    async def test_an_empty_one_is_none(self, server: Path) -> None:
        args = ("line", "add", "ims", "server=x", "user=u", "--password")
        ran = await minisip(server, *args, text=b"")
        assert "`minisip line set ims --password`" in ran.out

    async def test_a_password_that_everybody_could_read(
        self, server: Path, exchange: FakeExchange
    ) -> None:
        ran = await minisip(server, "line", "add", "ims", "server=x", f"password={SECRET}")
        assert ran.code == 2
        assert "MINISIP_LINE_PASSWORD" in ran.err
        assert SECRET not in ran.out + ran.err
        assert exchange.configured.kept == {}

    async def test_refusals_in_both_languages(self, server: Path, lines: dict[str, Line]) -> None:
        ran = await minisip(server, "line", "add", "ims", "server=x")
        assert (ran.code, ran.err) == (1, "minisip: There is a line ims already.\n")
        ran = await minisip(server, "line", "add", "ims", "server=x", locale=CHINESE)
        assert (ran.code, ran.err) == (1, "minisip: 线路 ims 已经存在。\n")
        ran = await minisip(server, "line", "set", "ims", "expires_s=soon", locale=CHINESE)
        assert ran.err == "minisip: expires_s 是“soon”，但必须是整数。\n"
        ran = await minisip(server, "line", "add", "x", "server")
        assert (ran.code, ran.err.splitlines()[0]) == (2, "minisip: 'server' is not NAME=VALUE.")


class TestLineShow:
    async def test_list(self, server: Path, lines: dict[str, Line]) -> None:
        ran = await minisip(server, "line", "list")
        assert ran.out.splitlines()[-1].split() == [
            *("ims", "○", "off", "ims.example", "0", "+861012345678")
        ]
        assert "peer" not in ran.out
        assert "192.0.2.1" in (await minisip(server, "trunk", "list")).out
        lines.clear()
        assert (await minisip(server, "trunk", "list")).out == "There are none.\n"
        assert (await minisip(server, "trunk", "list", locale=CHINESE)).out == "一条也没有。\n"

    async def test_show(self, server: Path, lines: dict[str, Line]) -> None:
        out = (await minisip(server, "line", "show", "ims")).out
        assert "ims ○ off" in out
        assert "codecs    PCMA,G722" in out
        assert "password  there is one" in out
        assert "expires_s" not in out
        out = (await minisip(server, "line", "show", "ims", "--all")).out
        assert {"expires_s 600", "diversion yes"} <= {
            " ".join(row.split()) for row in out.split("\n")
        }
        assert "总部\ufffd[2J" in (await minisip(server, "trunk", "show", "peer")).out
        ran = await minisip(server, "line", "show", "none", locale=CHINESE)
        assert (ran.code, ran.err) == (1, "minisip: 没有线路 none。\n")

    async def test_json(self, server: Path, lines: dict[str, Line]) -> None:
        ran = await minisip(server, "line", "show", "ims", "--json")
        assert json.loads(ran.out)["options"]["codecs"] == ["PCMA", "G722"]
        ran = await minisip(server, "trunk", "list", "--json")
        assert [line["name"] for line in json.loads(ran.out)] == ["peer"]

    @pytest.mark.parametrize(
        "args",
        [
            ("line", "list", "--json"),
            ("line", "show", "ims", "--all"),
            ("line", "show", "ims", "--json"),
            ("line", "set", "ims", "most=-5000"),
        ],
    )
    async def test_no_password(
        self, server: Path, lines: dict[str, Line], args: tuple[str, ...]
    ) -> None:
        ran = await minisip(server, *args)
        assert "ims" in ran.out
        assert SECRET not in ran.out + ran.err


class TestLineChange:
    async def test_set_enable_disable_remove(self, server: Path, lines: dict[str, Line]) -> None:
        ran = await minisip(server, "line", "set", "ims", "codecs=PCMU", "most=3")
        assert (ran.code, ran.out) == (0, "ims is changed.\n")
        assert (lines["ims"].codecs, lines["ims"].most) == (("PCMU",), 3)
        ran = await minisip(server, "line", "enable", "ims")
        assert (ran.out, lines["ims"].enabled) == ("ims is used again.\n", True)
        ran = await minisip(server, "line", "disable", "ims", "--json")
        assert (ran.out, lines["ims"].enabled) == ("null\n", False)
        ran = await minisip(server, "trunk", "remove", "peer")
        assert (ran.out, list(lines)) == ("peer is gone.\n", ["ims"])

    async def test_a_new_password(self, server: Path, lines: dict[str, Line]) -> None:
        ran = await minisip(server, "line", "set", "ims", "--password", text=b"another1\n")
        assert (ran.code, lines["ims"].password) == (0, "another1")
        ran = await minisip(server, "line", "set", "ims", "--password", text=b"\n")
        assert (ran.code, lines["ims"].password) == (0, "")

    @pytest.mark.parametrize("command", ["show", "remove", "enable", "disable", "set"])
    async def test_each_kind_by_its_own_command(
        self, server: Path, lines: dict[str, Line], command: str
    ) -> None:
        more = ("most=1",) if command == "set" else ()
        before = dict(lines)
        ran = await minisip(server, "trunk", command, "ims", *more)
        assert (ran.code, ran.err) == (
            1,
            "minisip: ims is an external line: use minisip line.\n",
        )
        ran = await minisip(server, "line", command, "peer", *more, locale=CHINESE)
        assert (ran.code, ran.err) == (
            1,
            "minisip: peer：SIP 中继，请用 minisip trunk。\n",
        )
        ran = await minisip(server, "trunk", command, "nobody", *more)
        assert (ran.code, ran.err) == (1, "minisip: There is no SIP trunk nobody.\n")
        assert lines == before

    @pytest.mark.parametrize("args", [("set", "ims"), ("add", "x", "server=x", "user=u")])
    async def test_none_becomes_the_other(
        self, server: Path, lines: dict[str, Line], args: tuple[str, ...]
    ) -> None:
        ran = await minisip(server, "line", *args, "kind=sip-trunk")
        assert ran.code == 2
        assert "`minisip trunk add` the other" in ran.err
        assert (list(lines), lines["ims"].kind) == (["ims", "peer"], "external-line")

    async def test_nothing_to_change(self, server: Path, lines: dict[str, Line]) -> None:
        ran = await minisip(server, "line", "set", "ims")
        assert ran.code == 2
        assert "There is nothing to change" in ran.err


class TestOptions:
    async def test_each_is_explained(self, server: Path) -> None:
        for locale in (ENGLISH, CHINESE):
            ran = await minisip(server, "line", "options", locale=locale)
            assert (ran.code, ran.err) == (0, "")
            named = {row.split()[0] for row in ran.out.splitlines()[2:]}
            assert named == set(Line.__struct_fields__) - {"name", "kind"}
        assert "给人看的说明" in ran.out


class TestPs:
    async def test_no_password_in_the_command_line(
        self, server: Path, exchange: FakeExchange
    ) -> None:
        def command_line(pid: int) -> bytes:
            return Path(f"/proc/{pid}/cmdline").read_bytes()

        args = ("--socket", server, "line", "add", "ims", "server=x", "user=u", "--password")
        process = await start(*args)
        # It waits for its standard input.
        seen = command_line(process.pid)
        ran = await outcome(process, SECRET.encode() + b"\n")
        assert ran.code == 0
        assert b"--password" in seen
        assert SECRET.encode() not in seen
        assert exchange.configured.kept["ims"].password == SECRET


class TestPlan:
    async def test_show(self, server: Path, exchange: FakeExchange) -> None:
        exchange.configured.dial_plan = DialPlan(
            routes=(Route(name="out", lines=("ims", "peer")), Route(name="b", lines=("peer",))),
            holidays=(Holiday(date="10-01", description="国庆节\x1b[2J"),),
        )
        out = (await minisip(server, "plan", "show")).out
        assert "out_prefix         9" in out
        assert "ims,peer" in out
        assert "国庆节\ufffd[2J" in out
        assert "Without rows: analyze_caller, analyze_called" in out
        rows = (await minisip(server, "plan", "show", "routes")).out.splitlines()
        assert [row.split() for row in rows[1:2] + rows[3:]] == [
            ["#", "name", "lines"],
            ["1", "out", "ims,peer"],
            ["2", "b", "peer"],
        ]
        assert "no rows" in (await minisip(server, "plan", "show", "rates")).out
        ran = await minisip(server, "plan", "show", "routes", "--json")
        assert json.loads(ran.out)["routes"][1]["name"] == "b"
        ran = await minisip(server, "plan", "show", "toll", locale=CHINESE)
        assert (ran.code, ran.err.partition("；")[0]) == (1, "minisip: 拨号规则没有表 toll")

    async def test_rows_come_change_and_go(self, server: Path, exchange: FakeExchange) -> None:
        def routes() -> list[str]:
            return [route["name"] for route in exchange.configured.plan().tables["routes"]]

        for name in ("name=a", "name=c"):
            assert (await minisip(server, "plan", "add", "routes", name, "lines=ims")).code == 0
        ran = await minisip(server, "plan", "add", "routes", "name=b", "lines=x", "--at", "2")
        assert (ran.out, routes()) == ("routes has one more row.\n", ["a", "b", "c"])
        ran = await minisip(server, "plan", "set", "routes", "2", "name=B")
        assert (ran.out, routes()) == ("routes is changed.\n", ["a", "B", "c"])
        ran = await minisip(server, "plan", "remove", "routes", "1")
        assert (ran.out, routes()) == ("routes has one row less.\n", ["B", "c"])
        ran = await minisip(server, "plan", "add", "routes", "name=d", "lines=x", "--at", "4")
        assert (ran.code, ran.err) == (
            1,
            "minisip: routes has 2 rows: none can come to place 4.\n",
        )
        for args in (["set", "routes", "4", "name=x"], ["remove", "routes", "0"]):
            ran = await minisip(server, "plan", *args)
            assert ran.code == 1
            assert ran.err.startswith("minisip: routes has no row")

    async def test_calls_from_outside_to_nobody(self, server: Path, lines: dict[str, Line]) -> None:
        ran = await minisip(server, "plan", "add", "incoming", "destination=555")
        assert (ran.code, ran.out) == (
            0,
            "incoming has one more row. But 555 is nobody's number, and leads nowhere: "
            "who calls is told so.\n",
        )
        ran = await minisip(server, "plan", "set", "incoming", "1", "destination=9555")
        assert (ran.code, ran.out) == (0, "incoming is changed.\n")
        ran = await minisip(server, "plan", "set", "incoming", "1", "destination=101")
        assert (ran.code, ran.out) == (0, "incoming is changed.\n")

    async def test_wrong_command_lines(self, server: Path) -> None:
        for args, sentence in (
            (["set", "routes", "name=x"], "Name the row of routes by its number"),
            (["set", "routes", "²", "name=x"], "Name the row of routes by its number"),
            (["remove", "basics", "1"], "basics has no rows"),
            (["set", "number_change", "1"], "There is nothing to change: minisip plan set"),
            (["set", "number_change", "-1"], "-1 begins with a minus"),
            (["set", "routes", "9" * 16, "name=x"], "Name the row of routes by its number"),
            (["add", "routes", "name"], "'name' is not NAME=VALUE."),
        ):
            ran = await minisip(server, "plan", *args)
            assert ran.code == 2
            assert sentence in ran.err

    async def test_somebody_else_was_faster(self, server: Path, exchange: FakeExchange) -> None:
        original = exchange.configured.plan

        def plan() -> object:
            seen = original()
            exchange.configured.version += 1
            return seen

        exchange.configured.plan = plan  # type: ignore[method-assign, assignment]
        ran = await minisip(server, "plan", "add", "holidays", "date=10-01", locale=CHINESE)
        assert (ran.code, ran.err) == (1, "minisip: 配置同时被别人修改了；请重新查看后再修改。\n")

    async def test_basics(self, server: Path, exchange: FakeExchange) -> None:
        ran = await minisip(server, "plan", "set", "basics", "out_prefix=0")
        assert (ran.code, ran.out) == (0, "basics is changed.\n")
        assert exchange.configured.plan().tables["basics"] == {"out_prefix": "0"}
        ran = await minisip(server, "plan", "set", "basics", "emergency_numbers=")
        assert (ran.code, ran.out.partition(":")[0]) == (
            0,
            "basics is changed. There is no emergency number now",
        )

    async def test_country(self, server: Path, exchange: FakeExchange) -> None:
        for locale, told in (
            (ENGLISH, "basics is changed. Emergency numbers are now: 110, 112, 911\n"),
            (CHINESE, "basics 已修改。现在的紧急号码：110, 112, 911\n"),
        ):
            ran = await minisip(server, "plan", "set", "basics", "country=de", locale=locale)
            assert (ran.code, ran.out) == (0, told)


class TestPlanFile:
    async def test_out_and_in_again(
        self, server: Path, exchange: FakeExchange, tmp_path: Path
    ) -> None:
        exchange.configured.dial_plan = DialPlan(
            routes=(Route(name="out", lines=("ims", "peer"), cheapest_first=True),),
            holidays=(Holiday(date="10-01", description='国庆节 "\\\x7f\n'),),
        )
        wanted = json.loads(json.dumps(exchange.configured.plan().tables))
        file = tmp_path / "plan.toml"
        ran = await minisip(server, "plan", "export", str(file))
        assert ran.code == 0
        told = f"Written to {file}: basics, routes, holidays\n"
        assert (ran.out, ran.err) == (told, "")
        text = (await minisip(server, "plan", "export")).out
        assert tomllib.loads(text) == tomllib.loads(file.read_text("utf-8"))
        for args, given in (([str(file)], b""), ([], text.encode())):
            exchange.configured.dial_plan = DialPlan()
            ran = await minisip(server, "plan", "import", *args, text=given)
            assert (ran.code, ran.out) == (0, "Taken over: basics, routes, holidays\n")
            tables = exchange.configured.plan().tables
            assert (tables["routes"], tables["holidays"]) == (wanted["routes"], wanted["holidays"])

    async def test_as_an_editor_on_windows_saves_it(
        self, server: Path, exchange: FakeExchange
    ) -> None:
        text = '[[holidays]]\r\ndate = "10-01"\r\ndescription = "国庆节"\r\n'
        ran = await minisip(server, "plan", "import", text=text.encode("utf-8-sig"))
        assert (ran.code, ran.out) == (0, "Taken over: holidays\n")
        assert exchange.configured.plan().tables["holidays"][0]["description"] == "国庆节"
        ran = await minisip(server, "plan", "import", text=text.encode("gbk"), locale=CHINESE)
        assert (ran.code, ran.err) == (
            1,
            "minisip: - 不是 UTF-8 编码：请在编辑器中另存为 UTF-8。\n",
        )

    async def test_files_that_are_none(self, server: Path, tmp_path: Path) -> None:
        ran = await minisip(server, "plan", "import", str(tmp_path / "none"))
        assert (ran.code, ran.err) == (
            1,
            f"minisip: {tmp_path}/none cannot be read: No such file or directory.\n",
        )
        ran = await minisip(server, "plan", "import", text=b"[[routes]")
        assert ran.code == 1
        assert ran.err == "minisip: - is no TOML: there is a mistake in line 1, column 9.\n"
        ran = await minisip(server, "plan", "import", text=b"[[rou", locale=CHINESE)
        assert (ran.code, ran.err) == (1, "minisip: - 不是 TOML：末尾有错误。\n")
        ran = await minisip(server, "plan", "import", "/dev/null")
        assert (ran.code, ran.err) == (1, "minisip: /dev/null has no table: nothing is changed.\n")
        ran = await minisip(server, "plan", "export", str(tmp_path))
        assert ran.code == 74

    def test_values(self) -> None:
        tables = {"a": {"yes": True, "number": -1, "price": 0.05, "list": ["x", "y"]}, "b": []}
        assert tomllib.loads(document(tables)) == {"a": tables["a"]}
        assert [in_words(value) for value in (True, False, ["a", "b"], 1.5)] == [
            "yes",
            "no",
            "a,b",
            "1.5",
        ]


class TestRights:
    async def test_set_and_show(self, server: Path, exchange: FakeExchange) -> None:
        ran = await minisip(server, "user", "set", "101", "call_level=2", "most_calls=1")
        assert (ran.code, ran.out) == (0, "User 101 is changed.\n")
        assert exchange.configured.rights == {"101": UserRights(call_level=2, most_calls=1)}
        ran = await minisip(server, "user", "show", "100")
        assert ran.out.splitlines()[0] == "100 前台"
        assert "most_calls        -1" in ran.out
        assert "record_by_code    yes" in ran.out
        ran = await minisip(server, "user", "show", "199")
        assert (ran.code, ran.err) == (1, "minisip: There is no user 199.\n")
