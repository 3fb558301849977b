"""Dialogs: what they have in common, and the one that asks yes or no."""

import asyncio
from abc import abstractmethod
from collections.abc import Iterable
from typing import ClassVar, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Button, Static

from tui.locale import say

T = TypeVar("T")


async def typed(*fields: Widget) -> None:
    """Wait until fields have got the keys that were pressed before, which may have come in a burst."""
    for field in fields:
        got = asyncio.Event()
        field.call_later(got.set)
        await got.wait()


class Dialog(ModalScreen[T]):
    """A box above the screen; Esc leaves it, and nothing has been done.

    All dialogs share one look: the style class ``dialog``.

    Args:
        title: what stands in the frame.
    """

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide"), (200, "-widest")]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "bind-back"),
        Binding("left,up", "app.focus_previous", show=False),
        Binding("right,down", "app.focus_next", show=False),
    ]

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title

    def compose(self) -> ComposeResult:
        """Lay it out."""
        box = VerticalScroll(*self.body(), classes="dialog", can_focus=False)
        box.border_title = self._title
        yield box

    @abstractmethod
    def body(self) -> Iterable[Widget]:
        """Return what stands in the box."""

    def action_leave(self) -> None:
        """Go back without an answer."""
        self.dismiss(None)


class AskingDialog(Dialog[T]):
    """A dialog with fields, and a button `yes` that has it done beside one that leaves."""

    BINDINGS: ClassVar[list[BindingType]] = [
        # With priority, so that what is typed ahead goes into the next field, not into this one.
        Binding("enter", "next", show=False, priority=True)
    ]

    @property
    @abstractmethod
    def last_field(self) -> Widget:
        """The field behind which there is nothing more to ask."""

    @abstractmethod
    def go(self) -> None:
        """Do it."""

    def action_next(self) -> None:
        """Go from field to field, and from the last one to work; or press the button."""
        focused = self.focused
        if isinstance(focused, Button):
            focused.press()
        elif focused is self.last_field:
            self.go()
        else:
            self.focus_next()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Do it, or leave."""
        if event.button.id == "yes":
            self.go()
        else:
            self.action_leave()


class ConfirmDialog(Dialog[bool]):
    """Asks before something is done that can't be undone.

    Args:
        title: what stands in the frame.
        question: what is asked.
        yes: what the button that does it says.
    """

    AUTO_FOCUS = "#no"

    def __init__(self, title: str, question: str, yes: str) -> None:
        super().__init__(title)
        self._question = question
        self._yes = yes

    def body(self) -> Iterable[Widget]:
        """Return what stands in the box."""
        yield Static(self._question, markup=False)
        yield Horizontal(
            Button(self._yes, id="yes"), Button(say("button-cancel"), id="no"), classes="buttons"
        )

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Give the answer."""
        self.dismiss(event.button.id == "yes")
