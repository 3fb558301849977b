"""The console's form for what a user may do."""

from pathlib import Path

import pytest

from pbx.api.server import ControlServer
from pbx.config.recording import USER_CHOICES
from pbx.config.user_rights import UserRights
from pbx.locale import catalogue
from tests.tui.office import Office
from tests.tui.stage import Stage, console
from tui.report import RIGHTS
from tui.screens.change_user import CHOICES, ChangeUserDialog
from tui.widgets.share_table import ShareTable


@pytest.fixture
def socket(doors: ControlServer, folder: Path) -> Path:
    return folder / "control.sock"


async def form(stage: Stage, *keys: str) -> None:
    """Open the form of the user that the cursor is on after these keys."""
    await stage.press("3")
    table = stage.app.screen.query_one(ShareTable)
    await stage.until(lambda: table.chosen is not None)
    await stage.press(*keys)
    await stage.until_screen(ChangeUserDialog)


async def test_what_is_changed_is_kept_and_the_rest_stays(socket: Path, office: Office) -> None:
    office.configured.rights["100"] = UserRights(outside_number="+4930555", most_calls=4)
    async with console(socket) as stage:
        await form(stage, "c")
        await stage.until("Change the user 100")
        assert "+4930555" in stage.text
        await stage.until("numbers of the dial plan that need no higher level")
        await stage.press("backspace", "2", *["tab"] * 5)
        await stage.until("calls that are recorded: off (none), all, or outside")
        await stage.press("right", "tab", "space", "ctrl+s")
        await stage.until("User 100 is changed.")
        assert office.configured.rights == {
            "100": UserRights(
                call_level=2,
                outside_number="+4930555",
                most_calls=4,
                record="all",
                record_by_code=False,
            )
        }


async def test_enter_opens_it_and_escape_changes_nothing(socket: Path, office: Office) -> None:
    async with console(socket) as stage:
        await form(stage, "down", "enter")
        await stage.until("Change the user 101")
        await stage.press("9", "escape")
        await stage.until_not("Change the user")
        assert office.configured.rights == {}


async def test_a_refusal_names_the_field(socket: Path, office: Office) -> None:
    async with console(socket) as stage:
        await form(stage, "c")
        await stage.press("x", "tab", "ctrl+s")
        await stage.until("Call level is 'x', but must be a whole number.")
        assert "Change the user 100" in stage.text
        await stage.press("backspace", "0", "ctrl+s")
        await stage.until_not("Change the user")
        assert office.configured.rights == {}


async def test_it_asks_for_all_that_a_user_may_do(socket: Path) -> None:
    assert set(RIGHTS) == set(UserRights.__struct_fields__)
    assert CHOICES["record"] == tuple(USER_CHOICES)
    for language in ("en", "zh"):
        words = catalogue(language, "tui.locale")
        meant = {key.removeprefix("right-") for key in words if key.startswith("right-")}
        assert meant == set(RIGHTS)
    async with console(socket) as stage:
        await form(stage, "c")
        assert len(stage.app.screen.query("Input, Choice")) == len(RIGHTS)
