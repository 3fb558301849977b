"""`minisip` and `minisip-console` in a terminal: real processes, real keys."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pbx.api.server import ControlServer
from tests.tui.office import Office
from tests.tui.program import minisip
from tests.tui.terminal import LIMIT_S, Terminal, terminal
from tui import console

CHINESE = {"LC_ALL": "zh_CN.UTF-8"}


@pytest.fixture
def socket(doors: ControlServer, folder: Path) -> Path:
    return folder / "control.sock"


def children(process: int) -> list[int]:
    text = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(number) for number in text.split()]


def state(process: int) -> str:
    """Return a process's state as `ps` names it; T is stopped."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]


class TestMinisip:
    async def test_without_a_command_it_fills_the_screen(
        self, socket: Path, office: Office
    ) -> None:
        async with terminal("tui.cli", socket=socket) as shown:
            await shown.until("● ready")
            shown.type(b"2")
            await shown.until("+4930123456")
            shown.type(b"h")
            await shown.until("End the call from 100 to +4930123456?")
            shown.type(b"\x1b[D\r")
            await shown.until("has been ended")
            assert [one.id for one in office.calls_now] == ["c2"]
            shown.type(b"q")
            assert await shown.ended() == 0
            assert b"\x1b[?1049l" in shown.raw

    async def test_what_is_typed_ahead_goes_into_the_right_field(
        self, socket: Path, office: Office
    ) -> None:
        async with terminal("tui.cli", socket=socket) as shown:
            await shown.until("● ready")
            shown.type(b"3")
            await shown.until("Linphone")
            shown.type(b"a")
            await shown.until("Add a user")
            shown.type(b"105\rAnna\rtop-secret\r")
            await shown.until("User 105 is there")
            assert office.names["105"] == "Anna"
            assert office.passwords["105"] == "top-secret"

    async def test_chinese_and_no_exchange(self, folder: Path) -> None:
        async with terminal("tui.cli", socket=folder / "none", env=CHINESE) as shown:
            await shown.until("无法连接交换机")
            shown.type(b"q")
            assert await shown.ended() == 0

    @pytest.mark.parametrize(
        ("env", "size"), [({"TERM": "dumb"}, (80, 24)), ({}, (59, 24)), ({}, (80, 15))]
    )
    async def test_where_there_is_no_room_it_shows_its_help(
        self, socket: Path, env: dict[str, str], size: tuple[int, int]
    ) -> None:
        async with terminal("tui.cli", socket=socket, env=env, size=size) as shown:
            assert await shown.ended() == 2
            assert "Usage: minisip" in shown.text

    async def test_a_line_that_knows_no_size(self, socket: Path) -> None:
        async with terminal("tui.cli", socket=socket, size=(0, 0)) as shown:
            await shown.until("● ready")

    async def test_without_colours(self, socket: Path) -> None:
        async with terminal("tui.cli", socket=socket, env={"NO_COLOR": "1"}) as shown:
            await shown.until("● ready")
            colours = {b"31", b"32", b"33", b"34", b"36"}
            codes = {
                code
                for part in shown.raw.split(b"\x1b[")[1:]
                if b"m" in part
                for code in part.split(b"m")[0].split(b";")
            }
            assert not codes & colours

    async def test_its_own_fault_is_one_sentence(self, folder: Path, socket: Path) -> None:
        broken = folder / "broken.py"
        broken.write_text(
            "from tui.screens.home import HomeScreen\n"
            "def show(self, picture): raise KeyError('not [bold]there')\n"
            "HomeScreen.show = show\n"
            "from tui.cli import main\n"
            "main()\n"
        )
        env = {"PYTHONPATH": f"{Path.cwd()}:{folder}"}
        async with terminal("broken", socket=socket, env=env) as shown:
            assert await shown.ended() == 70
            assert "minisip: That went wrong: KeyError('not [bold]there')." in shown.text
            assert "locals" not in shown.text

    async def test_commands_do_not_load_what_only_the_console_needs(self, socket: Path) -> None:
        ran = await minisip(socket, "status", PYTHONPROFILEIMPORTTIME="1")
        assert "tui.commands" in ran.err
        assert "textual" not in ran.err


class TestLoginShell:
    async def test_it_fills_the_screen_until_the_user_leaves(self, socket: Path) -> None:
        async with terminal("tui.console", socket=socket) as shown:
            await shown.until("● ready")
            shown.type(b"q")
            assert await shown.ended() == 0

    async def test_it_starts_again_after_a_crash(self, socket: Path) -> None:
        async with terminal("tui.console", socket=socket) as shown:
            await shown.until("● ready")
            shown.forget()
            (crashed,) = children(shown.process.pid)
            os.kill(crashed, signal.SIGKILL)
            await shown.until("The console ended unexpectedly")
            assert b"\x1b[?1049l" in shown.raw
            await shown.until("● ready")
            shown.type(b"q")
            assert await shown.ended() == 0

    async def test_no_key_stops_it(self, socket: Path) -> None:
        async with terminal("tui.console", socket=socket) as shown:
            async with asyncio.timeout(LIMIT_S):
                # A terminal tells nobody when its settings change.
                while shown.makes_signals:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            # Before the screen is up.
            shown.type(b"\x1a\x03\x1c")
            await shown.until("● ready")
            shown.type(b"\x1a\x1c\x10\x03")
            await shown.until("q leaves the console.")
            states = [state(one) for one in (shown.process.pid, *children(shown.process.pid))]
            assert len(states) == 2
            assert "T" not in states
            shown.type(b"q")
            assert await shown.ended() == 0

    @pytest.mark.parametrize("arguments", [["-c", "sh"], ["-l"], ["/bin/sh"]])
    async def test_it_runs_no_commands(self, socket: Path, arguments: list[str]) -> None:
        async with terminal("tui.console", *arguments, socket=socket) as shown:
            assert await shown.ended() == 2
            assert shown.text.strip() == "This login has the console only; it runs no commands."

    async def test_it_needs_a_terminal(self) -> None:
        for locale, sentence in (
            ("C.UTF-8", "The console needs a terminal."),
            ("zh_CN.UTF-8", "控制台需要终端。"),
        ):
            ran = await asyncio.to_thread(
                subprocess.run,
                [sys.executable, "-m", "tui.console"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                env={**os.environ, "LC_ALL": locale},
                check=False,
            )
            assert (ran.returncode, ran.stdout, ran.stderr) == (1, "", f"{sentence}\n")


class TestPlainMenu:
    async def choose(self, shown: Terminal, key: bytes, seen: str) -> None:
        shown.forget()
        shown.type(key + b"\n")
        await shown.until(seen)
        await shown.until("Number: ")

    async def test_all_of_it(self, socket: Path, office: Office) -> None:
        async with terminal("tui.console", socket=socket, env={"TERM": "dumb"}) as shown:
            await shown.until("Number: ")
            assert "this is its plain form" in shown.text
            await self.choose(shown, b"1", "room for 500 more streams")
            await self.choose(shown, b"2", "Linphone/5.1")
            assert b"\x1b" not in shown.raw
            await self.choose(shown, b"3", "0791 555")
            await self.choose(shown, b"4", "udp 192.0.2.7:5060")
            await self.choose(shown, b"9", "There is nothing under that number.")
            await self.choose(shown, b"\x03\x1a\xff", "There is nothing under that number.")
            shown.forget()
            shown.type(b"5\n")
            await shown.until("Which call? ")
            await self.choose(shown, b"c9", "There is no such call.")
            shown.type(b"5\n")
            await shown.until("Which call? ")
            await self.choose(shown, b"c1", "The call c1 has been ended.")
            assert [one.id for one in office.calls_now] == ["c2"]
            shown.type(b"6\n")
            assert await shown.ended() == 0

    async def test_chinese_and_the_end_of_input(self, folder: Path) -> None:
        env = {"TERM": "dumb", **CHINESE}
        async with terminal("tui.console", socket=folder / "none", env=env) as shown:
            await shown.until("请输入编号：")
            shown.type(b"1\n")
            await shown.until("交换机没有运行")
            await shown.until(lambda: shown.text.count("请输入编号：") == 2)
            shown.type(b"\x04")
            assert await shown.ended() == 0


class TestCrashes:
    """`keep_showing`, with consoles that end as they are told."""

    @pytest.fixture(autouse=True)
    def _terminal(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full_screen = True
        self.now = 0.0
        self.restored = 0
        monkeypatch.setattr("tui.terminal.can_show_full_screen", lambda: self.full_screen)
        monkeypatch.setattr("tui.terminal.attributes", list)
        monkeypatch.setattr("tui.terminal.restore", self._restore)

    def _restore(self, before: object) -> None:
        self.restored += 1

    def _pause(self, seconds: float) -> None:
        self.now += seconds

    def keep(self, codes: Iterator[int]) -> bool:
        return console.keep_showing(lambda: next(codes), clock=lambda: self.now, pause=self._pause)

    def test_left_by_the_user(self) -> None:
        assert self.keep(iter([0]))
        assert self.now == 0.0

    def test_a_crash_now_and_then(self, capsys: pytest.CaptureFixture[str]) -> None:
        def codes() -> Iterator[int]:
            for _ in range(10):
                self.now += console.WITHIN_S
                yield 70
            yield 0

        assert self.keep(codes())
        assert capsys.readouterr().out.count("starts again in a moment.") == 10
        assert self.restored == 0

    def test_three_crashes_in_a_minute(self) -> None:
        codes = iter([70, -9, 1, 0])
        assert not self.keep(codes)
        assert next(codes) == 0
        assert self.restored == 1

    def test_a_terminal_that_has_become_too_small(self) -> None:
        def codes() -> Iterator[int]:
            self.full_screen = False
            yield 2

        assert not self.keep(codes())

    def test_what_the_login_brings_along_is_not_passed_on(self) -> None:
        given = {
            "TERM": "xterm",
            "LC_ALL": "zh_CN.UTF-8",
            "LANG": "C",
            "PYTHONPATH": "/tmp",
            "TEXTUAL_ALLOW_SIGNALS": "1",
            "TEXTUAL_DRIVER": "evil:Driver",
            "LD_PRELOAD": "/tmp/evil.so",
        }
        assert console.environment(given) == {
            "TERM": "xterm",
            "LC_ALL": "zh_CN.UTF-8",
            "LANG": "C",
        }
