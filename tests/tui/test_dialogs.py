"""All dialogs are alike: one look, the same keys, and whatever is in them can be reached."""

import contextlib
from pathlib import Path
from typing import Any

import pytest
from textual.screen import ModalScreen, Screen

import tui
from pbx.api.server import ControlServer
from tests.tui.classes import screens
from tests.tui.manners import look, mind_your_manners
from tests.tui.office import Office
from tests.tui.stage import Stage, console
from tui.link import ExchangeLink
from tui.screens.add_line import AddLineDialog, ProviderDialog
from tui.screens.add_user import AddUserDialog
from tui.screens.change_line import ChangeLineDialog
from tui.screens.change_user import ChangeUserDialog
from tui.screens.credentials import CredentialsDialog
from tui.screens.dialogs import AskingDialog, ConfirmDialog, Dialog
from tui.screens.doctor import DoctorDialog
from tui.screens.help import HelpDialog
from tui.screens.route_test import RouteTestDialog
from tui.widgets.share_table import ShareTable

OPENED: dict[type[Screen[Any]], tuple[str, ...]] = {
    HelpDialog: ("question_mark",),
    ConfirmDialog: ("2", "h"),
    AddUserDialog: ("3", "a"),
    ChangeUserDialog: ("3", "c"),
    CredentialsDialog: ("3", "w"),
    ProviderDialog: ("5", "a"),
    AddLineDialog: ("5", "a", "end", "enter"),
    ChangeLineDialog: ("5", "c"),
    RouteTestDialog: ("5", "t"),
    DoctorDialog: ("5", "d"),
}
"""The keys that lead to each dialog."""


@pytest.fixture
def socket(doors: ControlServer, folder: Path) -> Path:
    return folder / "control.sock"


async def opened(stage: Stage, dialog: type[Screen[Any]]) -> None:
    """Have a dialog on the screen."""
    for key in OPENED[dialog]:
        await stage.press(key)
        if key in "235":
            await filled(stage)
        elif key == "a":
            await stage.until(lambda: isinstance(stage.app.screen, Dialog))
    await stage.until_screen(dialog)


async def filled(stage: Stage) -> None:
    """Wait for the office's first call, phone or line."""
    table = stage.app.screen.query_one(ShareTable)
    await stage.until(lambda: table.chosen is not None)


# It presses a hundred keys, and waits for each.
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("size", "language"),
    [((60, 16), "C.UTF-8"), ((80, 24), "zh_CN.UTF-8")],
    ids=["the-smallest-en", "80x24-zh"],
)
async def test_manners(
    socket: Path,
    office: Office,
    monkeypatch: pytest.MonkeyPatch,
    size: tuple[int, int],
    language: str,
) -> None:
    monkeypatch.setenv("LC_ALL", language)
    looks = set()
    async with console(socket, size) as stage:
        for dialog in OPENED:
            await opened(stage, dialog)
            await mind_your_manners(stage)
            looks.add(look(stage))
            await stage.press("escape")
            await stage.until(lambda: not isinstance(stage.app.screen, Dialog))
    assert len(looks) == 1
    # Whoever leaves by Esc has done nothing.
    assert not {"hangup", "add_user", "set_password", "remove_user"} & set(office.asked)
    assert office.examined.asked == []


def test_there_is_no_other_dialog() -> None:
    dialogs = {one for one in screens(tui) if issubclass(one, ModalScreen)}
    assert {one for one in dialogs if not one.__module__.startswith("tui.minicdr.")} == set(OPENED)
    for one in dialogs:
        assert issubclass(one, Dialog)
        # What is around its body isn't its own.
        assert one.compose is Dialog.compose


async def focused(stage: Stage, dialog: AskingDialog[Any]) -> None:
    """Wait until a dialog is there to be used."""
    await stage.until(lambda: dialog.focused is not None)


async def test_keys_that_come_before_the_dialog_is_seen(socket: Path, office: Office) -> None:
    async with console(socket) as stage:
        await stage.until("ready")
        link = ExchangeLink(socket)
        dialogs: tuple[AskingDialog[Any], ...] = (AddUserDialog(link), RouteTestDialog(link))
        for dialog in dialogs:
            stage.app.push_screen(dialog)
            for _ in range(2):
                dialog.action_do()
                dialog.action_move(1)
                dialog.go()
            assert dialog.focus_chain == []
            await focused(stage, dialog)
            assert dialog.focused is next(iter(dialog.fields))
            await stage.press("escape")
    assert "add_user" not in office.asked


class TestEnter:
    async def test_twice_is_once(self, socket: Path, office: Office) -> None:
        office.database_answers.clear()
        async with console(socket) as stage:
            await opened(stage, AddUserDialog)
            await stage.type("103")
            await stage.press("down", "down", "enter", "enter", "enter")
            await stage.until("One moment ...")
            office.database_answers.set()
            await stage.until("User 103 is there")
            assert office.asked.count("add_user") == 1

    async def test_what_is_being_done_is_waited_for(self, socket: Path, office: Office) -> None:
        """It is done whatever is pressed, and its password would be shown to nobody."""
        office.database_answers.clear()
        async with console(socket) as stage:
            await opened(stage, AddUserDialog)
            await stage.type("103")
            await stage.press("down", "down", "enter")
            await stage.until(lambda: "add_user" in office.asked)
            await stage.press("escape", "tab", "enter")
            office.database_answers.set()
            await stage.until("made-up")
            assert "User 103 is there" in stage.text

    async def test_on_the_button_that_leaves(self, socket: Path, office: Office) -> None:
        async with console(socket) as stage:
            for dialog in OPENED:
                await opened(stage, dialog)
                leave = stage.app.screen.query("Button").last()
                with contextlib.suppress(StopIteration):
                    while stage.app.focused is not leave:
                        await stage.press("tab")
                await stage.press("enter")
                await stage.until(lambda: not isinstance(stage.app.screen, Dialog))
