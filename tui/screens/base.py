"""What all screens have in common."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Footer, Input, Static

from pbx.api.client import CommandError, ExchangeUnreachable
from tui.bindings import in_words
from tui.clean import clean
from tui.link import ExchangeLink, Picture
from tui.locale import say, translate
from tui.widgets.filter_line import FilterLine
from tui.widgets.share_table import Row, ShareTable
from tui.widgets.top_line import TopLine

REFUSALS = (CommandError, ExchangeUnreachable)
"""What the exchange may answer to what it is asked to do."""


def refusal(error: CommandError | ExchangeUnreachable) -> str:
    """Return why the exchange didn't do what it was asked."""
    if isinstance(error, CommandError):
        return clean(translate(error))
    return clean(say(error.key, path=error.path))


class ExchangeScreen(Screen[None]):
    """A screen that shows a part of the exchange: top line, body, keys.

    Args:
        link: the exchange.
    """

    MODE: ClassVar[str]
    AUTO_FOCUS = ".main"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "bind-back", show=False)]

    def __init__(self, link: ExchangeLink) -> None:
        super().__init__()
        self.link = link

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield TopLine(self.MODE)
        yield from self.body()
        yield Footer(compact=True, show_command_palette=False)

    @abstractmethod
    def body(self) -> Iterable[Widget]:
        """Return what stands between the top line and the keys."""

    @abstractmethod
    def show(self, picture: Picture) -> None:
        """Show the exchange as it is now."""

    def renew(self) -> None:
        """Show what the link knows now; nothing while another screen is seen."""
        # On the way out the app runs no more, and parts of the screen are gone already.
        if self.app.is_running and self.is_mounted and self.app.current_mode == self.MODE:
            self.query_one(TopLine).show(self.link.picture)
            self.show(self.link.picture)

    def on_screen_resume(self) -> None:
        """Show what has happened before this screen was seen."""
        self.renew()

    @property
    def active_bindings(self) -> dict[str, ActiveBinding]:
        """The keys that do something now."""
        return in_words(super().active_bindings, say)

    async def action_leave(self) -> None:
        """Go back to Home."""
        await self.app.run_action("app.switch_mode('home')")

    def tell(self, sentence: str, *, wrong: bool = False) -> None:
        """Show a sentence for a while."""
        self.notify(clean(sentence), severity="error" if wrong else "information", markup=False)


class FilteredScreen(ExchangeScreen):
    """A screen with ``/``: lines, or a table below a sentence and above what its chosen row is."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("slash", "filter", "bind-filter")]

    @property
    def wanted(self) -> str:
        """What the user looks for."""
        return self.query_one(FilterLine).value

    def action_filter(self) -> None:
        """Have the user type what to look for."""
        self.query_one(FilterLine).open()

    async def action_leave(self) -> None:
        """Look for nothing any more; if nothing was looked for, go back to Home."""
        line = self.query_one(FilterLine)
        if line.display:
            line.action_close()
        else:
            await super().action_leave()

    def show_rows(self, summary: str, rows: Sequence[Row]) -> None:
        """Show a sentence, and of the rows those that the user looks for."""
        found = [row for row in rows if row.matches(self.wanted)]
        if self.wanted:
            summary += "   " + say("filter-found", part=len(found), whole=len(rows))
        self.query_one(".summary", Static).update(summary)
        self.query_one(ShareTable).fill(found)

    def show_detail(self, told: str) -> None:
        """Show what is to be known of the chosen row; without any, the table has its place."""
        detail = self.query_one(".detail", Static)
        detail.update(told)
        detail.display = bool(told)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show what is looked for."""
        self.renew()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go from the filter to what it has found."""
        if not event.value:
            self.query_one(FilterLine).action_close()
        else:
            self.query_one(".main").focus()
