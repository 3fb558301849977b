"""Everything that is no good answer: wrong command lines, no exchange, odd terminals."""

import asyncio
import contextlib
import os
import pty
import string
import tomllib
from importlib import resources
from pathlib import Path

import pytest

from pbx import __version__
from pbx.locale import LANGUAGES
from tests.api.fakes import FakeExchange
from tests.tui.program import CHINESE, ENGLISH, minisip, outcome, start
from tui.places import SYSTEM_SOCKET, data_folder, socket_path

COMMANDS = ("status", "users", "calls", "hangup", "user", "welcome")


def sentences(language: str) -> dict[str, str]:
    text = resources.files("tui.locale").joinpath(f"{language}.toml").read_text("utf-8")
    return tomllib.loads(text)


class TestHelp:
    @pytest.mark.parametrize("args", [("--help",), ("user", "--help"), ("hangup", "--help")])
    async def test_english(self, args: tuple[str, ...]) -> None:
        ran = await minisip(None, *args)
        assert ran.code == 0
        assert "Usage: minisip" in ran.out
        assert "Show this text and exit." in ran.out
        assert ran.out.replace("─", "-").translate(str.maketrans("", "", "╭╮╰╯│")).isascii()

    @pytest.mark.parametrize(
        "args",
        [("--help",), ("user", "--help"), *((name, "--help") for name in COMMANDS)],
    )
    async def test_chinese_without_english_headings(self, args: tuple[str, ...]) -> None:
        ran = await minisip(None, *args, locale=CHINESE)
        assert ran.code == 0
        assert "用法： minisip" in ran.out
        assert "显示本说明并退出。" in ran.out
        for word in ("Usage", "Options", "Arguments", "Commands", "required", "Show"):
            assert word not in ran.out

    async def test_commands(self) -> None:
        ran = await minisip(None, "--help")
        for name in COMMANDS:
            assert f"│ {name} " in ran.out

    async def test_without_a_command(self) -> None:
        ran = await minisip(None)
        assert (ran.code, ran.err) == (2, "")
        assert "Usage: minisip" in ran.out

    async def test_version(self) -> None:
        assert (await minisip(None, "--version")).out == f"miniSIPServer {__version__}\n"


class TestWrongCommandLine:
    @pytest.mark.parametrize(
        ("args", "english", "chinese"),
        [
            (["frob"], "There is no command 'frob'.", "没有“frob”这个命令。"),
            (["user", "frob"], "There is no command 'frob'.", "没有“frob”这个命令。"),
            (["hangup"], "CALL is missing.", "缺少呼叫。"),
            (["user", "add"], "NUMBER is missing.", "缺少号码。"),
            (["status", "--frob"], "There is no option --frob.", "没有 --frob 这个选项。"),
            (["welcome", "--wait", "x"], "The value of --wait is wrong.", "--wait 的值不对。"),
            (["welcome", "--wait", "-1"], "The value of --wait is wrong.", "--wait 的值不对。"),
            (
                ["welcome", "--wait"],
                "The option --wait needs a value.",
                "选项 --wait 需要一个值。",
            ),
            (
                ["status", "--json=x"],
                "The option --json takes no value.",
                "选项 --json 不带值。",
            ),
            (
                ["status", "more"],
                "That is too much for this command: more",
                "这个命令不需要这么多参数：more",
            ),
        ],
    )
    async def test_one_sentence_and_a_hint(
        self, args: list[str], english: str, chinese: str
    ) -> None:
        for locale, sentence, hint in (
            (ENGLISH, english, "Try: minisip"),
            (CHINESE, chinese, "请看：minisip"),
        ):
            ran = await minisip(None, *args, locale=locale)
            first, second = ran.err.splitlines()
            assert (ran.code, ran.out) == (2, "")
            assert first.startswith(f"minisip: {sentence}")
            assert second.startswith(hint)

    async def test_not_utf_8(self, server: Path) -> None:
        ran = await minisip(server, "user", "add", b"\xff")
        assert (ran.code, ran.err) == (
            65,
            "minisip: That has characters that are not UTF-8 text.\n",
        )
        ran = await minisip(server, "user", "add", "1", "--password", "-", text=b"\xff\n")
        assert ran.code == 65

    async def test_control_characters_are_not_echoed(self, server: Path) -> None:
        ran = await minisip(server, "frob\x1b[2J")
        assert ran.err.startswith("minisip: There is no command 'frob\ufffd[2J'.\n")


class TestNoExchange:
    @pytest.mark.parametrize("args", [["status"], ["users", "--json"], ["user", "remove", "100"]])
    async def test_not_running(self, folder: Path, args: list[str]) -> None:
        ran = await minisip(folder / "none", *args)
        assert (ran.code, ran.out) == (69, "")
        sentence = f"The exchange is not running (nothing answers on {folder}/none)."
        assert ran.err == f"minisip: {sentence}\n"
        ran = await minisip(folder / "none", *args, locale=CHINESE)
        assert ran.err == f"minisip: 交换机没有运行（{folder}/none 无人应答）。\n"

    async def test_something_else_answers(self, folder: Path) -> None:
        def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"220 mail.example ESMTP\n")
            writer.close()

        other = await asyncio.start_unix_server(greet, folder / "s")
        ran = await minisip(folder / "s", "status")
        other.close()
        assert ran.code == 69
        assert ran.err.count("\n") == 1

    def test_every_way_has_a_sentence(self) -> None:
        for way in ("not-running", "forbidden", "silent", "gone", "strange"):
            assert f"exchange-{way}" in sentences("en")


class TestSocketPath:
    """Asked for, MINISIP_SOCKET, MINISIP_DATA, the system's, one's own."""

    @pytest.fixture(autouse=True)
    def _no_variables(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        monkeypatch.delenv("MINISIP_SOCKET", raising=False)
        monkeypatch.delenv("MINISIP_DATA", raising=False)
        monkeypatch.setenv("HOME", str(folder))
        monkeypatch.setattr("tui.places.SYSTEM_SOCKET", folder / "run.sock")

    def test_order(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        assert socket_path(None) == folder / ".minisipserver/control.sock"
        (folder / "run.sock").touch()
        assert socket_path(None) == folder / "run.sock"
        monkeypatch.setenv("MINISIP_DATA", "/data")
        assert socket_path(None) == Path("/data/control.sock")
        monkeypatch.setenv("MINISIP_SOCKET", "/else/where")
        assert socket_path(None) == Path("/else/where")
        assert socket_path(Path("asked")) == Path("asked")

    async def test_variables(self, server: Path, folder: Path) -> None:
        for name, value in (("MINISIP_SOCKET", server), ("MINISIP_DATA", server.parent)):
            ran = await outcome(await start("calls", env={name: str(value)}))
            assert ran.code == 0


def test_system_socket() -> None:
    assert SYSTEM_SOCKET.name == "control.sock"


class TestDataFolder:
    """That of the exchange which `socket_path` leads to."""

    @pytest.fixture(autouse=True)
    def _no_variables(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        monkeypatch.delenv("MINISIP_DATA", raising=False)
        monkeypatch.setenv("HOME", str(folder / "own"))
        monkeypatch.setattr("tui.places.SYSTEM_SOCKET", folder / "run.sock")
        monkeypatch.setattr("tui.places.SERVICE_HOME", folder / "pi")

    def test_order(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        own, service = folder / "own/.minisipserver", folder / "pi/.minisipserver"
        assert data_folder() == own
        service.parent.mkdir()
        assert data_folder() == service
        own.mkdir(parents=True)
        assert data_folder() == own
        (folder / "run.sock").touch()
        assert data_folder() == service
        monkeypatch.setenv("MINISIP_DATA", "/data")
        assert data_folder() == Path("/data")


class TestTerminals:
    async def test_reader_that_leaves(self, server: Path) -> None:
        reading, writing = os.pipe()
        os.close(reading)
        process = await start("--socket", server, "users", stdout=writing)
        os.close(writing)
        ran = await outcome(process)
        assert ran.err == ""
        assert ran.code != 0

    async def test_full_disk(self, server: Path) -> None:
        with contextlib.closing(open("/dev/full", "wb")) as full:  # noqa: ASYNC230, PTH123
            ran = await outcome(
                await start("--socket", server, "users", "--json", stdout=full.fileno())
            )
        assert (ran.code, ran.err) == (
            74,
            "minisip: The output cannot be written: No space left on device.\n",
        )

    async def test_terminal_without_unicode(self, server: Path) -> None:
        ran = await minisip(server, "users", PYTHONIOENCODING="ascii")
        assert (ran.code, "??" in ran.out) == (0, True)

    async def test_password_typed_at_a_terminal_is_not_shown(
        self, server: Path, exchange: FakeExchange
    ) -> None:
        terminal, slave = pty.openpty()
        process = await start(
            "--socket", server, "user", "password", "101", "--password", "-", stdin=slave
        )
        os.close(slave)
        assert process.stderr is not None
        prompt = await process.stderr.readuntil(b": ")
        assert prompt == b"Password: "
        os.write(terminal, b"typed in\n")
        ran = await outcome(process)
        shown = b""
        with contextlib.suppress(OSError):
            # EIO: the other end has closed, and nothing is left to read.
            shown = os.read(terminal, 1000)
        os.close(terminal)
        assert ran.code == 0
        assert b"typed" not in shown
        assert exchange.passwords["101"] == "typed in"


STEPS = ["new", "install", "check", "go-back", "check-last", "done", "returned", "failed"]


class TestCatalogues:
    def test_same_keys_in_the_same_order(self) -> None:
        assert list(sentences("en")) == list(sentences("zh"))
        assert set(LANGUAGES) == {"en", "zh"}

    @pytest.mark.parametrize("key", sentences("en"))
    def test_same_values(self, key: str) -> None:
        names = [
            {name for _, name, _, _ in string.Formatter().parse(sentences(one)[key]) if name}
            for one in LANGUAGES
        ]
        assert names[0] == names[1]
        assert sentences("en")[key].isascii()
        assert not sentences("zh")[key].isascii()

    def test_every_sentence_is_used(self) -> None:
        source = "".join(path.read_text() for path in Path("tui").rglob("*.py"))
        families = (
            *("state-", "exchange-", "title-", "column-", "console-", "home-", "add-"),
            *("level-", "log-from-", "symbol-", "bind-", "update-why-", "what-"),
            *("line-usable-", "step-", "mark-", "route-", "option-"),
            *("help-external-line-", "help-sip-trunk-", "errno-"),
            # Each of them by `test_line_forms` and `test_user_form`
            *("field-", "right-"),
        )
        # Of the steps of an update, each has a sentence.
        source += "".join(f'"update-{step}"' for step in STEPS)
        unused = [
            key
            for key in sentences("en")
            if f'"{key}"' not in source
            and f"'{key}'" not in source
            and not key.startswith(families)
        ]
        assert unused == []
