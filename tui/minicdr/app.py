"""The view: `minicdr view`, calls and totals on the whole screen."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual.binding import Binding, BindingType

from pbx.cdr.selection import Selection
from pbx.cdr.spread import Spread, here
from tui.full_screen import FullScreenApp
from tui.minicdr.locale import say
from tui.minicdr.screens import CallsScreen, TotalsScreen
from tui.minicdr.search import Search

SCREENS = (CallsScreen, TotalsScreen)


class RecordsApp(FullScreenApp):
    """Calls and totals of record files; it writes nothing and starts no other program.

    Args:
        paths: of files and folders.
        selection: which records are wanted.
        spread: does the work where the files are large; see `Search`.
    """

    TITLE = "miniCDR"
    CSS_PATH = Path(__file__).parents[1] / "minisip.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "switch_mode('calls')", "bind-calls"),
        Binding("2", "switch_mode('totals')", "bind-totals"),
        Binding("q", "quit", "bind-quit"),
    ]

    def __init__(self, paths: Sequence[Path], selection: Selection, spread: Spread = here) -> None:
        super().__init__()
        search = Search(paths, selection, spread)
        for screen in SCREENS:
            self.add_mode(screen.MODE, partial(screen, search))

    async def on_mount(self) -> None:
        """Begin with the calls."""
        # The terminal's own colours: they suit its background, and a serial line's too.
        self.theme = "ansi-dark"
        await self.switch_mode(CallsScreen.MODE)

    def action_help_quit(self) -> None:
        """Say how to leave: bound to Ctrl-C."""
        self.notify(say("view-leave"), markup=False)
