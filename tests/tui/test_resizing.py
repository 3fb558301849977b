"""A window that gets another size while the console runs: focus and content stay."""

from pathlib import Path

import pytest
from textual.widgets import Input

from pbx.api.server import ControlServer
from tests.tui.crowd import crowd
from tests.tui.office import Office
from tests.tui.stage import SIZES, Stage, console
from tui.line_options import OFFERED
from tui.widgets.share_table import ShareTable


@pytest.fixture
def socket(doors: ControlServer, folder: Path) -> Path:
    return folder / "control.sock"


async def there_and_back(stage: Stage) -> None:
    """Make the window as large as the largest, and as small as before."""
    for size in (SIZES[2], SIZES[0]):
        await resized(stage, *size)


async def resized(stage: Stage, columns: int, lines: int) -> None:
    """Give the window another size, and wait until all of it is seen."""
    await stage.resize(columns, lines)
    await stage.until(lambda: len(stage.text.splitlines()) == lines and stage.clipped() == [])


def chosen(stage: Stage) -> list[str | None]:
    """Return the rows that the cursors are on."""
    return [table.chosen for table in stage.app.screen.query(ShareTable)]


@pytest.mark.parametrize("mode", ["1", "2", "3", "4", "5"])
async def test_screens(socket: Path, office: Office, mode: str) -> None:
    crowd(office)
    seen = {"1": "63", "2": "+8613901088000", "3": "1000", "4": "99:", "5": "beijing"}[mode]
    async with console(socket) as stage:
        await stage.press(mode)
        await stage.until(seen)
        await stage.press(*["down"] * 30)
        await stage.until(lambda: stage.clipped() == [] and None not in chosen(stage))
        before, focused, rows = stage.text, stage.app.focused, chosen(stage)
        await there_and_back(stage)
        assert stage.app.focused is focused
        await stage.until(lambda: chosen(stage) == rows)
        await stage.until(lambda: stage.text == before)


async def test_a_form(socket: Path) -> None:
    async with console(socket) as stage:
        await stage.press("5")
        await stage.until("12 ms")
        await stage.press("c")
        await stage.until("Change the line ims")
        await stage.press(*["down"] * OFFERED.index("description"), *"!?")
        before, focused = stage.text, stage.app.focused
        assert isinstance(focused, Input)
        await there_and_back(stage)
        assert stage.app.focused is focused
        assert focused.value.endswith("!?")
        await stage.until(lambda: stage.text == before)


async def test_what_is_looked_for(socket: Path) -> None:
    async with console(socket) as stage:
        await stage.press("3")
        await stage.until("Linphone")
        await stage.press("slash", *"Yealink")
        await stage.until_not("Linphone")
        before = stage.text
        await there_and_back(stage)
        await stage.until(lambda: stage.text == before)
        assert isinstance(stage.app.focused, Input)
