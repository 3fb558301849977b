"""The line in which a person types what to look for."""

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.widgets import Input, Static

from tui.locale import say

PROMPT = "/"
"""The key that opens it."""


class FilterLine(Horizontal):
    """Hidden until it is wanted; what is typed counts at once.

    Args:
        what: what is asked for; the usual, where it is empty.
    """

    BINDINGS = [Binding("escape", "close", "bind-back", key_display="Esc")]

    def __init__(self, what: str = "") -> None:
        super().__init__()
        self._what = what or say("filter-what")
        self.display = False

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield Static(PROMPT, markup=False)
        yield Input(placeholder=self._what, compact=True, select_on_focus=False)

    @property
    def value(self) -> str:
        """What the user looks for."""
        return self._input.value

    @property
    def _input(self) -> Input:
        return self.query_one(Input)

    def open(self) -> None:
        """Let the user type."""
        self.display = True
        self._input.focus()

    def action_close(self) -> None:
        """Look for nothing any more."""
        self._input.value = ""
        self.display = False
        self.screen.query_one(".main").focus()
