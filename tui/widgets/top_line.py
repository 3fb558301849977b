"""The first line of every screen: where one is, where one can go, and how the exchange is."""

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Static

from tui import symbols
from tui.link import Picture
from tui.locale import say

MODES = ("home", "calls", "phones", "log")
"""The screens, in the order of their keys."""


class Tab(Static):
    """The name of a screen, to be clicked.

    Args:
        mode: the screen.
        key: the key that leads there.
        here: it is the one that is seen.
    """

    def __init__(self, mode: str, key: int, here: bool) -> None:
        super().__init__(f" {key} {say(f'bind-{mode}')} ", id=f"tab-{mode}", markup=False)
        self.set_class(here, "-here")
        self._mode = mode

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

    def show(self, picture: Picture) -> None:
        """Show how the exchange is."""
        self.query_one("#state", Static).update(symbols.state(picture.state))
