"""What every screen and dialog looks like, at three sizes, in both languages.

The pictures lie in ``screens/``. After a change that is meant:
``MINISIP_NEW_SCREENS=1 ./build.sh test tests/tui/test_screens.py``, and look at them in the diff.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from textual.screen import Screen

import tui
from pbx.api.server import ControlServer
from tests.tui.classes import screens
from tests.tui.crowd import SERVER, crowd, desert
from tests.tui.office import DATABASE_AWAY, DISK_FULL, NO_ENGINE, Office
from tests.tui.stage import SIZES, Stage, console
from tui.line_options import OFFERED
from tui.screens.add_line import AddLineDialog, ProviderDialog
from tui.screens.add_user import AddUserDialog
from tui.screens.calls import CallsScreen
from tui.screens.change_line import ChangeLineDialog
from tui.screens.change_user import ChangeUserDialog
from tui.screens.credentials import CredentialsDialog
from tui.screens.dialogs import ConfirmDialog
from tui.screens.doctor import DoctorDialog
from tui.screens.help import HelpDialog
from tui.screens.home import HomeScreen
from tui.screens.lines import LinesScreen
from tui.screens.log import LogScreen
from tui.screens.phones import PhonesScreen
from tui.screens.route_test import RouteTestDialog

PICTURES = Path(__file__).with_name("screens")

QUESTION = (
    *("1", "0", "0", "enter"),
    *("9", "1", "1", "0", "enter", "enter"),
    *("2", "0", "2", "6", "minus", "1", "2", "minus", "2", "4", "T", "2", "0", "colon", "0", "0"),
    "enter",
)
"""Where does 100 get to with 9110 at a time?"""

NOBODY = (*["down"] * OFFERED.index("destination"), "7", "7", "7", "ctrl+s")
"""Calls from outside are to ring at 777."""


class Step(NamedTuple):
    """Name of the picture (none: on the way), the screen, the keys that lead there, what is seen."""

    name: str
    screen: type[Screen[Any]]
    keys: tuple[str, ...]
    seen: str


PEOPLE = (
    Step("home", HomeScreen, (), "96%"),
    Step("calls", CallsScreen, ("2",), "+4930123456"),
    Step("hang-up", ConfirmDialog, ("h",), "┏"),
    Step("calls-filtered", CallsScreen, ("escape", "slash", "5", "5", "5"), "555"),
    Step("phones", PhonesScreen, ("escape", "3"), "Linphone"),
    Step("phones-second", PhonesScreen, ("down",), "4711"),
    Step("user-change", ChangeUserDialog, ("c",), "┏"),
    Step("user-change-wrong", ChangeUserDialog, ("x", "ctrl+s"), "x"),
    Step("add", AddUserDialog, ("escape", "a"), "┏"),
    Step("add-wrong", AddUserDialog, ("enter", "enter", "enter"), "┏"),
    Step("remove", ConfirmDialog, ("escape", "d"), "┏"),
    Step("welcome", CredentialsDialog, ("escape", "w"), "first-secret"),
    Step("password", ConfirmDialog, ("escape", "p"), "┏"),
    Step("password-new", CredentialsDialog, ("left", "enter"), "made-up"),
)

LINES = (
    Step("log", LogScreen, ("escape", "4"), "MySQL"),
    Step("log-paused", LogScreen, ("p", "l"), "○"),
    Step("lines", LinesScreen, ("escape", "5"), "12 ms"),
    Step("lines-down", LinesScreen, ("down",), "0:00:12"),
    Step("switch-off", ConfirmDialog, ("e",), "┏"),
    Step("provider", ProviderDialog, ("escape", "a"), "Asterisk"),
    Step("line-add", AddLineDialog, ("end", "enter"), "voip-ms"),
    Step("line-add-wrong", AddLineDialog, ("ctrl+s",), "voip-ms"),
    Step("line-change", ChangeLineDialog, ("escape", "up", "c"), "ims.example"),
    Step("line-change-more", ChangeLineDialog, ("up", "up", "up"), "600"),
    Step("", ChangeLineDialog, ("escape", "c"), "ims.example"),
    Step("line-change-doubt", ChangeLineDialog, NOBODY, "777"),
    Step("line-remove", ConfirmDialog, ("escape", "r"), "┏"),
)

EXAMINED = (
    Step("route", RouteTestDialog, ("5", "t"), "┏"),
    Step("route-wrong", RouteTestDialog, ("enter",) * 4, "┏"),
    Step("route-tested", RouteTestDialog, QUESTION, "2026-12-24 20:00"),
    Step("doctor-ask", DoctorDialog, ("escape", "d"), "┏"),
    Step("doctor", DoctorDialog, ("enter",), "198.51.100.1"),
    Step("", DoctorDialog, ("escape", "end", "d"), "spare"),
    Step("doctor-refused", DoctorDialog, ("enter",), "spare"),
    Step("help", HelpDialog, ("escape", "question_mark"), "Esc"),
)

CROWD = (
    Step("calls-full", CallsScreen, ("2",), "+8613901088000"),
    Step("hang-up-full", ConfirmDialog, ("h",), "┏"),
    Step("phones-full", PhonesScreen, ("escape", "3", "end"), "1059"),
    Step("remove-full", ConfirmDialog, ("d",), "┏"),
    Step("", CredentialsDialog, ("escape", "w"), "first-secret"),
    Step("welcome-full", CredentialsDialog, ("end",), "secret-of-1059"),
    Step("phones-nobody", PhonesScreen, ("escape", "slash", "x", "x"), "xx"),
    Step("log-full", LogScreen, ("escape", "4"), "99:"),
    Step("lines-full", LinesScreen, ("5",), SERVER[:9]),
)

DESERT = (
    Step("calls-none", CallsScreen, ("2",), "2"),
    Step("phones-none", PhonesScreen, ("3",), "3"),
    Step("log-none", LogScreen, ("4",), "●"),
    Step("lines-none", LinesScreen, ("5",), "5"),
)

FAILED = (Step("home-failed", HomeScreen, (), "✗"),)
READY = (Step("home-ready", HomeScreen, (), "4712"),)
UNREACHABLE = (
    Step("home-unreachable", HomeScreen, (), "control.sock"),
    Step("calls-unreachable", CallsScreen, ("2",), "control.sock"),
    Step("phones-unreachable", PhonesScreen, ("3",), "control.sock"),
    Step("log-unreachable", LogScreen, ("4",), "control.sock"),
    Step("lines-unreachable", LinesScreen, ("5",), "control.sock"),
)

STEPS = (*PEOPLE, *LINES, *EXAMINED, *CROWD, *DESERT, *FAILED, *READY, *UNREACHABLE)


# A dozen large screens a test, on a machine that may be busy.
@pytest.mark.timeout(300)
@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
class TestPictures:
    @pytest.fixture(autouse=True)
    def _here(
        self, monkeypatch: pytest.MonkeyPatch, folder: Path, size: tuple[int, int], language: str
    ) -> None:
        monkeypatch.setenv("LC_ALL", {"en": "C.UTF-8", "zh": "zh_CN.UTF-8"}[language])
        # The path of the socket is on some of the pictures.
        monkeypatch.chdir(folder)
        self._suffix = f"{size[0]}x{size[1]}-{language}"

    async def walk(self, stage: Stage, steps: Sequence[Step]) -> None:
        """See that each screen is its picture, and that nothing is clipped."""
        for step in steps:
            await stage.press(*step.keys)
            await stage.until_screen(step.screen)
            if step.name:
                await stage.is_picture(PICTURES / f"{step.name}-{self._suffix}.txt", step.seen)
            else:
                await stage.until(step.seen)

    @pytest.mark.parametrize("steps", [PEOPLE, LINES, EXAMINED], ids=lambda steps: steps[0].name)
    async def test_every_screen(
        self,
        doors: ControlServer,
        office: Office,
        size: tuple[int, int],
        steps: Sequence[Step],
    ) -> None:
        office.trouble(DATABASE_AWAY, DISK_FULL)
        async with console(Path("control.sock"), size) as stage:
            await self.walk(stage, steps)

    async def test_full_lists(
        self, doors: ControlServer, office: Office, size: tuple[int, int]
    ) -> None:
        crowd(office)
        async with console(Path("control.sock"), size) as stage:
            await self.walk(stage, CROWD)

    async def test_empty_lists(
        self, doors: ControlServer, office: Office, size: tuple[int, int]
    ) -> None:
        desert(office)
        async with console(Path("control.sock"), size) as stage:
            await self.walk(stage, DESERT)

    async def test_when_things_are_bad(
        self, doors: ControlServer, office: Office, size: tuple[int, int]
    ) -> None:
        office.trouble(NO_ENGINE)
        office.status_values = {"engine_pid": 0}
        async with console(Path("control.sock"), size) as stage:
            await self.walk(stage, FAILED)
            office.status_values = {}
            office.trouble()
            await self.walk(stage, READY)
            await doors.stop()
            await self.walk(stage, UNREACHABLE)


def test_every_screen_has_its_picture() -> None:
    there = {one for one in screens(tui) if not one.__module__.startswith("tui.minicdr.")}
    assert {step.screen for step in STEPS} == there


def test_every_picture_is_of_a_screen() -> None:
    shown = {
        f"{step.name}-{columns}x{lines}-{language}.txt"
        for step in STEPS
        if step.name
        for columns, lines in SIZES
        for language in ("en", "zh")
    }
    assert {path.name for path in PICTURES.iterdir()} == shown
