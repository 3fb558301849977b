"""The line in which a person types what to look for."""

from textual.binding import Binding
from textual.widgets import Input

from tui.locale import say


class FilterLine(Input):
    """Hidden until it is wanted; what is typed counts at once."""

    BINDINGS = [Binding("escape", "close", "bind-back", show=True)]

    def __init__(self) -> None:
        super().__init__(placeholder=say("filter-what"), compact=True, select_on_focus=False)
        self.display = False

    def open(self) -> None:
        """Let the user type."""
        self.display = True
        self.focus()

    def action_close(self) -> None:
        """Look for nothing any more."""
        self.value = ""
        self.display = False
        self.screen.query_one(".main").focus()
