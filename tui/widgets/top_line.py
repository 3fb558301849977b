"""The first line of every screen: where one is, where one can go, and how the exchange is."""

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Static

from tui import symbols
from tui.link import Picture
from tui.locale import say

MODES = ("home", "calls", "phones", "log", "lines")
"""The screens, in the order of their keys."""

NAMES_WIDTH = 70
"""Columns that the names of all screens and the longest state take."""


class Tab(Static):
    """The name of a screen, to be clicked.

    Args:
        mode: the screen.
        key: the key that leads there.
        here: it is the one that is seen.
    """

    def __init__(self, mode: str, key: int, here: bool) -> None:
        self._whole = f" {key} {say(f'bind-{mode}')} "
        self._short = self._whole if here else f" {key} "
        super().__init__(self._whole, id=f"tab-{mode}", markup=False)
        self.set_class(here, "-here")
        self._mode = mode

    def shorten(self, short: bool) -> None:
        """Show the key alone, but of the screen that is seen; or the whole name."""
        self.update(self._short if short else self._whole)

    async def on_click(self) -> None:
        """Go there."""
        await self.app.run_action(f"app.switch_mode({self._mode!r})")


class TopLine(Horizontal):
    """The names of the screens, and the state in a word.

    Args:
        mode: the screen that it stands on.
    """

    def __init__(self, mode: str) -> None:
        super().__init__()
        self._mode = mode

    def compose(self) -> ComposeResult:
        """Lay it out."""
        for key, mode in enumerate(MODES, 1):
            yield Tab(mode, key, mode == self._mode)
        yield Static(id="state", markup=False)

    def on_resize(self, event: events.Resize) -> None:
        """Leave room for the state, which says more than the names."""
        for tab in self.query(Tab):
            tab.shorten(event.size.width < NAMES_WIDTH)

    def show(self, picture: Picture) -> None:
        """Show how the exchange is."""
        self.query_one("#state", Static).update(symbols.state(picture.state))
