"""Log: what the exchange says, live."""

from collections.abc import Iterable
from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import RichLog, Static

from pbx.api.schema import LogLine
from tui import symbols
from tui.clean import clean
from tui.link import LOG_LINES, ExchangeLink, Picture
from tui.locale import say
from tui.screens.base import FilteredScreen
from tui.widgets.filter_line import FilterLine

LEAST_LEVELS = ("info", "warning", "error")


class LogScreen(FilteredScreen):
    """The last lines, filtered by level and text; they can be held to be read.

    Args:
        link: the exchange.
    """

    MODE = "log"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("l", "level", "bind-level"),
        Binding("p,space", "pause", "bind-pause"),
    ]

    def __init__(self, link: ExchangeLink) -> None:
        super().__init__(link)
        self._least = LEAST_LEVELS[0]
        self._seen = 0
        """Lines that ever came and have been looked at."""
        self._held: Picture | None = None
        """What was known when the user paused."""
        self._filter = ""

    def body(self) -> Iterable[Widget]:
        """Return what stands between the top line and the keys."""
        yield Static(classes="summary", markup=False)
        lines = RichLog(max_lines=LOG_LINES, min_width=1, wrap=True, classes="main")
        lines.can_focus = True
        yield lines
        yield FilterLine()

    def show(self, picture: Picture) -> None:
        """Show the exchange as it is now."""
        if self._held is not None:
            waiting = picture.log_count - self._held.log_count
            how = f"○ {say('log-paused', count=waiting)}"
            picture = self._held
        elif picture.trouble:
            how = f"○ {picture.trouble}"
        else:
            how = f"● {say('log-live')}"
        least = say(f"log-from-{self._least}")
        self.query_one(".summary", Static).update(f"{how}   {least}")
        if self.wanted != self._filter:
            self._filter = self.wanted
            self._rewrite()
        fresh = min(picture.log_count - self._seen, len(picture.log))
        self._seen = picture.log_count
        self._write(picture.log[len(picture.log) - fresh :])

    def on_resize(self, event: events.Resize) -> None:
        """Break the lines anew."""
        self._rewrite()
        self.call_after_refresh(self.renew)

    def action_level(self) -> None:
        """Show fewer levels, and after the last one all again."""
        place = LEAST_LEVELS.index(self._least)
        self._least = LEAST_LEVELS[(place + 1) % len(LEAST_LEVELS)]
        self._rewrite()
        self.renew()

    def action_pause(self) -> None:
        """Hold the lines still, or let them go on."""
        self._held = self.link.picture if self._held is None else None
        self.renew()

    def _rewrite(self) -> None:
        """Have all lines written again."""
        self.query_one(RichLog).clear()
        self._seen = 0

    def _write(self, lines: Iterable[LogLine]) -> None:
        log = self.query_one(RichLog)
        wanted = self._filter.casefold()
        levels = LEAST_LEVELS[LEAST_LEVELS.index(self._least) :]
        for line in lines:
            # A level that this version doesn't know may be important.
            hidden = line.level in LEAST_LEVELS and line.level not in levels
            if not hidden and wanted in line.text.casefold():
                log.write(_row(line), expand=True)


def _row(line: LogLine) -> Table:
    row = Table.grid(padding=(0, 2, 0, 0), expand=True)
    row.add_column(no_wrap=True)
    row.add_column(no_wrap=True)
    row.add_column(ratio=1, overflow="fold")
    # The time of day of ISO 8601: the date is the same on almost every line.
    row.add_row(Text(clean(line.when[11:19])), symbols.level(line.level), Text(clean(line.text)))
    return row
