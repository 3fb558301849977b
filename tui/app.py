"""The full-screen console: `minisip` without a command."""

from functools import partial
from pathlib import Path
from typing import ClassVar

from textual.binding import Binding, BindingType

from tui.full_screen import FullScreenApp
from tui.link import ExchangeLink
from tui.locale import say
from tui.screens.base import ExchangeScreen
from tui.screens.calls import CallsScreen
from tui.screens.help import HelpDialog
from tui.screens.home import HomeScreen
from tui.screens.lines import LinesScreen
from tui.screens.log import LogScreen
from tui.screens.phones import PhonesScreen

TICK_S = 1.0
"""How often ages and times are shown anew."""

SCREENS = (HomeScreen, CallsScreen, PhonesScreen, LogScreen, LinesScreen)


class ConsoleApp(FullScreenApp):
    """Home, Calls, Phones, Log and Lines of one exchange.

    It starts no other program and writes no file: who is logged in here can do what the screens
    offer and nothing else.

    Args:
        link: the exchange.
    """

    TITLE = "miniSIPServer"
    CSS_PATH = "minisip.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(str(key), f"switch_mode({screen.MODE!r})", f"bind-{screen.MODE}", show=False)
            for key, screen in enumerate(SCREENS, 1)
        ),
        Binding("question_mark", "help", "bind-help"),
        Binding("q", "quit", "bind-quit"),
    ]

    def __init__(self, link: ExchangeLink) -> None:
        super().__init__()
        self._link = link
        for screen in SCREENS:
            self.add_mode(screen.MODE, partial(screen, link))

    async def on_mount(self) -> None:
        """Begin with Home."""
        # The terminal's own colours: they suit its background, and a serial line's too.
        self.theme = "ansi-dark"
        await self.switch_mode(HomeScreen.MODE)
        self.run_worker(self._link.follow(self.renew))
        self.set_interval(TICK_S, self.renew)

    def renew(self) -> None:
        """Have the screen show what is known now."""
        for screen in self.screen_stack:
            if isinstance(screen, ExchangeScreen):
                screen.renew()

    async def action_help(self) -> None:
        """Show what the keys mean."""
        await self.push_screen(HelpDialog())

    def action_help_quit(self) -> None:
        """Say how to leave: bound to Ctrl-C."""
        self.notify(say("console-leave"), markup=False)


def run_console(socket: Path) -> None:
    """Show the console until the user leaves it.

    Args:
        socket: the control socket.

    Raises:
        Exception: the console has a fault; the system's log tells where.
    """
    ConsoleApp(ExchangeLink(socket)).show()
