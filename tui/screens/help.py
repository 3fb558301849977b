"""What the keys and the symbols mean."""

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text
from textual.widget import Widget
from textual.widgets import Button, Static

from tui import symbols
from tui.locale import say
from tui.screens.dialogs import Dialog

KEYS = (
    ("1 2 3 4 5", "help-screens"),
    ("/", "help-filter"),
    ("h", "help-key-hangup"),
    ("a d p w", "help-key-users"),
    ("a c r", "help-key-line-forms"),
    ("d e", "help-key-lines"),
    ("t", "help-key-route"),
    ("l", "help-level"),
    ("p", "help-pause"),
    ("Esc", "help-back"),
    ("q", "help-quit"),
)


class HelpDialog(Dialog[None]):
    """The keys of all screens, and the symbols."""

    def __init__(self) -> None:
        super().__init__(say("bind-help"))

    def body(self) -> Iterable[Widget]:
        """Return what stands in the box."""
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for key, meaning in KEYS:
            table.add_row(Text(key, style="bold"), Text(say(meaning)))
        table.add_row()
        for name in ("ready", "attention", "failed", "unreachable"):
            table.add_row(Text(symbols.STATES[name][0], style="bold"), Text(say(f"symbol-{name}")))
        yield Static(table, markup=False)
        yield Button(say("button-close"))

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Leave."""
        self.action_leave()
