"""A field with a few values, one of which is chosen by the arrow keys."""

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import Static

from tui.clean import clean
from tui.locale import say


class Choice(Static, can_focus=True):
    """Shows the value that is chosen; left, right and space choose another.

    Args:
        values: those that there are; the empty one is shown as the usual.
        value: the first one chosen; where it is none of them, it is one more.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "turn(-1)", show=False),
        Binding("right,space", "turn(1)", show=False),
    ]

    def __init__(self, values: Sequence[str], value: str) -> None:
        super().__init__(markup=False)
        self._values = tuple(values) if value in values else (value, *values)
        self.value = value
        """The value that is chosen."""

    def on_mount(self) -> None:
        """Show it."""
        self.action_turn(0)

    def action_turn(self, steps: int) -> None:
        """Choose the value so many places on; after the last comes the first."""
        place = self._values.index(self.value) + steps
        self.value = self._values[place % len(self._values)]
        self.update(f"< {clean(self.value) or say('choice-usual')} >")

    def on_click(self) -> None:
        """Choose the next one."""
        self.action_turn(1)
