"""What every dialog has to do, whatever it is about."""

from functools import partial
from typing import Any

from textual.widget import Widget
from textual.widgets import Button, Footer
from textual.widgets._footer import FooterKey

from tests.tui.room import whole
from tests.tui.stage import Shown
from tui.screens.dialogs import Dialog

LOOK = ("border", "background", "padding", "width", "max_height", "border_title_style")


def look(stage: Shown) -> str:
    """Return what a dialog's box looks like."""
    styles = stage.app.screen.query_one(".dialog").styles
    return ", ".join(str(getattr(styles, name)) for name in LOOK)


async def mind_your_manners(stage: Shown) -> None:
    """See that the dialog on the screen is as all are, and can be used by keys alone."""
    dialog = stage.app.screen
    assert isinstance(dialog, Dialog)
    box, footer = (one for one in dialog.children if not one.has_class("-textual-system"))
    assert box.has_class("dialog")
    assert isinstance(footer, Footer)
    await stage.until(lambda: keys(dialog)[:2] == ["Enter", "Esc"])
    assert dialog.query(Button).last().id == "no"
    await _reads_on(stage, box)
    await _goes_around(stage, box)


def keys(dialog: Dialog[Any]) -> list[str]:
    """Return the keys in the last line, which are seen as a whole."""
    return [key.key_display for key in dialog.query(FooterKey) if whole(key)]


async def _reads_on(stage: Shown, box: Widget) -> None:
    """What doesn't fit is there, further down."""
    assert box.scroll_y == 0
    for _ in range(box.virtual_size.height):
        if box.scroll_y == box.max_scroll_y:
            break
        before = box.scroll_y
        await stage.press("pagedown")
        if box.scroll_y == before:
            # A list takes the key for itself.
            await stage.press("tab")


async def _goes_around(stage: Shown, box: Widget) -> None:
    """Tab goes to everything, from above to below, and what has the focus is seen."""
    dialog = stage.app.screen
    chain = dialog.focus_chain
    foot = [one for one in chain if box.query_one(".foot") in one.ancestors]
    body = [one for one in chain if one not in foot]
    for part in (body, foot):
        assert part == sorted(part, key=lambda one: (one.region.y, one.region.x))
    assert chain == body + foot
    first = dialog.focused
    assert first in chain
    for _ in chain:
        await stage.press("tab")
        focused = dialog.focused
        assert focused is not None
        if not whole(focused):
            await stage.until(partial(whole, focused))
        assert stage.app.screen is dialog
    assert dialog.focused is first
