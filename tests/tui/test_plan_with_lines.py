"""`minisip plan export` and `import` with lines: from one box to others, whole and without secrets."""

import asyncio
import json
import stat
import tomllib
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pbx.api.configuring import Configuring
from pbx.api.server import ControlServer
from pbx.config.dial_plan import AnalyzeCalled, DialPlan, Holiday, PlanBasics, Route
from pbx.config.line import Line
from pbx.config.settings import Settings
from pbx.store.repository import Store
from tests.api.fakes import FakeExchange
from tests.store.kept import Kept
from tests.tui.program import CHINESE, minisip
from tui.toml_text import document

SECRET = "geheim12"
IMS = Line(
    name="ims",
    kind="external-line",
    server="ims.example:5070",
    user="+861012345678",
    password=SECRET,
    codecs=("PCMA", "G722"),
    no_answer_s=12.5,
    description='总机 "1"\\',
)
PEER = Line(name="peer", kind="sip-trunk", server="192.0.2.9", enabled=False)


class Box:
    """An exchange of its own, as far as its configuration goes."""

    def __init__(self, folder: Path) -> None:
        (folder / "cdr").mkdir(parents=True)
        self.socket = folder / "s"
        self.store = Store(folder, Settings(), asyncio.get_running_loop().call_soon_threadsafe)
        self.store.open()
        exchange = FakeExchange()
        exchange.configuring = Configuring(self.store, Settings().services)
        self._server = ControlServer(exchange, self.socket)

    async def start(self, *lines: Line) -> None:
        await self._server.start()
        for line in lines:
            done = asyncio.get_running_loop().create_future()
            self.store.set_line(line, done.set_result)
            assert await done is None

    async def stop(self) -> None:
        await self._server.stop()
        self.store.close()

    @property
    def lines(self) -> dict[str, Line]:
        return dict(self.store.snapshot.lines)


@pytest.fixture
async def here(folder: Path) -> AsyncIterator[Box]:
    box = Box(folder / "a")
    await box.start(IMS, PEER)
    yield box
    await box.stop()


@pytest.fixture
async def there(folder: Path) -> AsyncIterator[Box]:
    box = Box(folder / "b")
    await box.start()
    yield box
    await box.stop()


class TestFromBoxToBox:
    async def test_with_secrets_the_other_is_the_same(
        self, here: Box, there: Box, tmp_path: Path
    ) -> None:
        rows = ["name=out", "lines=ims,peer"]
        assert (await minisip(here.socket, "plan", "add", "routes", *rows)).code == 0
        file = tmp_path / "plan.toml"
        file.write_text("was here before", "utf-8")
        file.chmod(0o644)
        ran = await minisip(here.socket, "plan", "export", "--secrets", str(file))
        assert (ran.code, ran.err) == (0, "")
        assert ran.out == f"Written to {file}: lines, basics, routes\n"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        ran = await minisip(there.socket, "plan", "import", str(file))
        assert (ran.code, ran.out) == (0, "Taken over: lines, basics, routes\n")
        assert there.lines == here.lines
        assert there.store.snapshot.plan == here.store.snapshot.plan
        again = await minisip(there.socket, "plan", "export", "--secrets")
        assert again.out == file.read_text("utf-8")

    async def test_without_them_no_password_leaves_the_box(
        self, here: Box, there: Box, tmp_path: Path
    ) -> None:
        text = (await minisip(here.socket, "plan", "export")).out
        assert SECRET not in text
        assert tomllib.loads(text)["lines"][1] == {
            "name": "peer",
            "kind": "sip-trunk",
            "enabled": False,
            "server": "192.0.2.9",
        }
        ran = await minisip(there.socket, "plan", "import", text=text.encode())
        assert ran.out == (
            "Taken over: lines, basics\nThese lines have no password: ims. To give one:"
            " minisip line set ims --password\n"
        )
        assert there.lines == {"ims": msgspec.structs.replace(IMS, password=""), "peer": PEER}

    async def test_a_file_without_them_says_so(self, here: Box, tmp_path: Path) -> None:
        file = tmp_path / "plan.toml"
        ran = await minisip(here.socket, "plan", "export", str(file))
        assert (ran.code, ran.err) == (0, "")
        assert ran.out == (
            f"Written to {file}: lines, basics\nThe passwords of the lines are left out;"
            " the option --secrets takes them along.\n"
        )
        ran = await minisip(here.socket, "plan", "export", str(file), locale=CHINESE)
        assert ran.out == (
            f"已写入 {file}：lines, basics\n线路的密码没有写入；需要时请加选项 --secrets。\n"
        )

    async def test_a_device_has_nothing_but_the_tables(self, here: Box) -> None:
        assert (await minisip(here.socket, "plan", "export", "/dev/null")).out == ""

    async def test_a_box_keeps_the_passwords_that_it_has(self, here: Box) -> None:
        text = (await minisip(here.socket, "plan", "export")).out
        text = text.replace("ims.example:5070", "other.example")
        ran = await minisip(here.socket, "plan", "import", text=text.encode())
        assert (ran.code, ran.out) == (0, "Taken over: lines, basics\n")
        assert here.lines["ims"] == msgspec.structs.replace(IMS, server="other.example")

    async def test_lines_that_the_file_lacks_go_and_are_named(self, here: Box) -> None:
        text = b'[[lines]]\nname = "x"\nkind = "sip-trunk"\nserver = "x.example"\n'
        ran = await minisip(here.socket, "plan", "import", text=text, locale=CHINESE)
        assert ran.out == "已导入：lines\n文件中没有这些线路，已删除：ims, peer\n"
        assert sorted(here.lines) == ["x"]

    async def test_a_file_without_lines_leaves_them(self, here: Box) -> None:
        ran = await minisip(here.socket, "plan", "import", text=b'[basics]\nout_prefix = "0"\n')
        assert ran.code == 0
        assert here.lines == {"ims": IMS, "peer": PEER}


FIRST = '[[lines]]\nname = "x"\nkind = "sip-trunk"\nserver = "x.example"\n'


class TestAllOrNothing:
    @pytest.mark.parametrize(
        ("text", "english", "chinese"),
        [
            (
                '[[lines]]\nname = "y"\nkind = "sip-trunk"\nserver = "a b"\n',
                "lines[2].server is 'a b', but must be a host name",
                "lines[2].server 是“a b”，但必须是主机名",
            ),
            (
                '[[lines]]\nname = "y"\nkind = "sip-trunk"\nserver = "b"\nsession_s = 10\n',
                "lines[2].min_se_s must not be greater than lines[2].session_s.",
                "lines[2].min_se_s 不能大于 lines[2].session_s。",
            ),
            (
                '[[lines]]\nname = "y"\nkind = "sip-trunk"\nserver = "b"\nowner = "199"\n',
                "lines[2].owner names the user '199', who does not exist.",
                "lines[2].owner 指向用户“199”，但该用户不存在。",
            ),
            (
                '[[lines]]\nname = "x"\nkind = "sip-trunk"\nserver = "b"\n',
                "lines[2].name is 'x', which is there already.",
                "lines[2].name 是“x”，已经存在。",
            ),
            (
                '[[lines]]\nname = "y"\nkind = "sip-trunk"\nserver = 5\n',
                "lines[2].server has the wrong kind of value: it must be a text, not a whole",
                "lines[2].server 的值类型不对：应为文本，而不是整数。",
            ),
            (
                '[[lines]]\nkind = "sip-trunk"\nserver = "b"\n',
                "lines[2].name is missing.",
                "缺少 lines[2].name。",
            ),
            (
                '[[routes]]\nname = "out"\nlines = ["ims"]\n',
                "routes[1].lines names the line 'ims', which does not exist.",
                "routes[1].lines 指向线路“ims”，但它不存在。",
            ),
        ],
    )
    async def test_what_is_wrong_is_named_and_nothing_changes(
        self, here: Box, text: str, english: str, chinese: str
    ) -> None:
        before = here.store.snapshot
        given_text = f'{FIRST}{text}[basics]\nout_prefix = "0"\n'.encode()
        ran = await minisip(here.socket, "plan", "import", text=given_text)
        assert (ran.code, ran.err[: 9 + len(english)]) == (1, f"minisip: {english}")
        ran = await minisip(here.socket, "plan", "import", text=given_text, locale=CHINESE)
        assert (ran.code, ran.err[: 9 + len(chinese)]) == (1, f"minisip: {chinese}")
        assert here.store.snapshot is before

    @pytest.mark.parametrize("text", ['lines = "x"', "lines = [1]", '[lines]\nname = "x"'])
    async def test_lines_that_are_none(self, here: Box, text: str) -> None:
        before = here.store.snapshot
        ran = await minisip(here.socket, "plan", "import", text=text.encode())
        assert (ran.code, ran.err) == (1, "minisip: The rows of lines must be a list.\n")
        assert here.store.snapshot is before


TEXTS = st.text(max_size=8).filter(str.isprintable)
DIGITS = st.text("0123456789*#", max_size=6)
LINES = st.builds(
    Line,
    name=st.sampled_from(["a", "b-1", "c.d"]),
    kind=st.sampled_from(["external-line", "sip-trunk"]),
    server=st.sampled_from(["a.example", "[2001:db8::1]:5070"]),
    user=st.just("u"),
    password=TEXTS,
    description=TEXTS,
    auth_name=TEXTS,
    enabled=st.booleans(),
    peers=st.lists(st.sampled_from(["192.0.2.0/24", "b.example"]), max_size=2).map(tuple),
    keep_alive_s=st.floats(1, 3600),
    max_duration_s=st.floats(0, 31_536_000),
    most=st.integers(-1, 10_000),
    destination=DIGITS,
    codecs=st.lists(st.sampled_from(["PCMA", "opus"]), max_size=2).map(tuple),
)
PLANS = st.builds(
    DialPlan,
    basics=st.builds(PlanBasics, out_prefix=DIGITS, emergency_numbers=st.just(("112",))),
    analyze_called=st.lists(
        st.builds(AnalyzeCalled, prefix=DIGITS, max_duration_s=st.floats(0, 1000)), min_size=1
    ).map(tuple),
    holidays=st.just((Holiday(date="10-01"),)),
    routes=st.just((Route(name="out", lines=("a",)),)),
)


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    store = Kept(tmp_path)
    yield store
    store.close()


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(st.lists(LINES, max_size=2, unique_by=lambda line: line.name), PLANS)
def test_whatever_there_is_comes_back_the_same(
    kept: Kept, more: list[Line], plan: DialPlan
) -> None:
    lines = {"a": Line(name="a", kind="sip-trunk", server="x")} | {one.name: one for one in more}
    tables: dict[str, Any] = {"lines": list(lines.values()), **msgspec.structs.asdict(plan)}
    assert kept.ask(partial(kept.store.set_plan, tables)) is None
    before = kept.store.snapshot
    assert before.lines == lines
    told = Configuring(kept.store, Settings().services).export(secrets=True).tables
    text = document(json.loads(msgspec.json.encode(told)))
    none: dict[str, list[Any]] = {"lines": [], "routes": []}
    assert kept.ask(partial(kept.store.set_plan, none)) is None
    assert kept.ask(partial(kept.store.set_plan, tomllib.loads(text))) is None
    assert (kept.store.snapshot.lines, kept.store.snapshot.plan) == (before.lines, before.plan)
