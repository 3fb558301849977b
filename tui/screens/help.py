"""What the keys and the symbols mean."""

from collections.abc import Iterable

from rich.text import Text
from textual.widget import Widget
from textual.widgets import Static

from tui import symbols
from tui.locale import say
from tui.pairs import pairs
from tui.screens.dialogs import Dialog

KEYS = (
    ("1 2 3 4 5", "help-screens"),
    ("/", "help-filter"),
    ("h m", "help-key-hangup"),
    ("a c d p w", "help-key-users"),
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
        keys = [(Text(key, style="bold"), Text(say(meaning))) for key, meaning in KEYS]
        marks = [
            (Text(symbols.STATES[name][0], style="bold"), Text(say(f"symbol-{name}")))
            for name in ("ready", "attention", "failed", "unreachable")
        ]
        yield Static(pairs([*keys, (Text(), Text()), *marks]), markup=False)
