"""States as the console shows them: a symbol and a word, so that no colour has to be seen."""

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from tui.clean import clean
from tui.locale import say

UNKNOWN = "○"

STYLES = {
    "offline": "dim",
    "idle": "green",
    "calling": "yellow",
    "ringing": "yellow",
    "talking": "bold cyan",
}

STATES = {
    "ready": ("●", "green"),
    "attention": ("◐", "yellow"),
    "failed": ("✗", "red"),
    "unreachable": ("○", "red"),
    "connecting": ("○", ""),
}
"""How the exchange is; the words are ``console-state-…``."""

PHONES = {"offline": "○", "idle": "●", "calling": "◐", "ringing": "◐", "talking": "●"}
"""What a user or a call does; the words are ``state-…``."""

SEVERITIES = {"attention": ("◐", "yellow"), "failed": ("✗", "red")}

LEVELS = {"info": ("○", ""), "warning": ("◐", "yellow"), "error": ("✗", "bold red")}
"""Of a line of the log; the words are ``level-…``."""


def state(name: str) -> Text:
    """Return how the exchange is."""
    symbol, style = STATES.get(name, (UNKNOWN, ""))
    return Text(f"{symbol} {state_word(name)}", style=style)


def state_word(name: str) -> str:
    """Return the word for how the exchange is."""
    return say(f"console-state-{name}") if name in STATES else clean(name)


def phone(name: str) -> Text:
    """Return what a user or a call does."""
    word = say(f"state-{name}") if name in PHONES else clean(name)
    return Text(f"{PHONES.get(name, UNKNOWN)} {word}", style=STYLES.get(name, ""))


def level(name: str) -> Text:
    """Return the level of a line of the log, as wide as any level."""
    symbol, style = LEVELS.get(name, (UNKNOWN, ""))
    word = say(f"level-{name}") if name in LEVELS else clean(name)
    width = max(cell_len(say(f"level-{one}")) for one in LEVELS)
    return Text(f"{symbol} {set_cell_size(word, width)}", style=style)
