"""Dialogs: what they have in common, and the one that asks yes or no."""

import asyncio
from abc import abstractmethod
from collections.abc import Iterable
from typing import ClassVar, TypeVar

from rich.text import Text
from textual import events, work
from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Button, Footer, OptionList, Static

from pbx.api.client import CommandError, ExchangeUnreachable
from tui.bindings import in_words
from tui.locale import say
from tui.screens.base import REFUSALS, refusal

T = TypeVar("T")


async def typed(screen: Widget, *fields: Widget) -> None:
    """Wait until fields have got the keys pressed before, which may have come in a burst.

    Args:
        screen: hands them on.
        fields: get them.
    """
    for field in (screen, *fields):
        got = asyncio.Event()
        field.call_later(got.set)
        await got.wait()


class Dialog(ModalScreen[T]):
    """A box above the screen, and the keys below it; Esc leaves it, and nothing has been done.

    All dialogs share one look, the style class ``dialog``: what they say and ask scrolls where it
    has no room, and what stands at their foot, the buttons last, is always seen.

    Args:
        title: what stands in the frame.
    """

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide"), (200, "-widest")]
    VERTICAL_BREAKPOINTS = [(0, "-low"), (30, "-high")]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "bind-back", key_display="Esc"),
        # With priority, so that what is typed ahead goes into the next field, not into this one.
        Binding("enter", "do", "bind-do", key_display="Enter", priority=True),
        Binding("left,up", "app.focus_previous", show=False),
        Binding("right,down", "app.focus_next", show=False),
    ]

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title

    def compose(self) -> ComposeResult:
        """Lay it out."""
        buttons = Horizontal(*self.buttons(), classes="buttons")
        foot = Vertical(*self.foot(), buttons, classes="foot")
        box = VerticalScroll(*self.body(), foot, classes="dialog", can_focus=False)
        box.border_title = Text(self._title)
        yield box
        yield Footer(compact=True, show_command_palette=False)

    @abstractmethod
    def body(self) -> Iterable[Widget]:
        """Return what stands in the box."""

    def foot(self) -> Iterable[Widget]:
        """Return what stands between that and the buttons, always seen."""
        return ()

    def buttons(self) -> Iterable[Button]:
        """Return the buttons, by default one that leaves."""
        return (Button(say("button-close"), id="no"),)

    @property
    def active_bindings(self) -> dict[str, ActiveBinding]:
        """The keys that do something now."""
        return in_words(super().active_bindings, say)

    @property
    def focus_chain(self) -> list[Widget]:
        """What Tab goes through: the foot last, wherever the body is scrolled to."""
        foot = {*self.query(".foot")}
        return sorted(super().focus_chain, key=lambda one: not foot.isdisjoint(one.ancestors))

    def on_resize(self, event: events.Resize) -> None:
        """Keep what has the focus in sight."""
        if self.focused is not None:
            self.call_after_refresh(self.focused.scroll_visible, animate=False)

    def action_do(self) -> None:
        """Do what has the focus."""
        focused = self.focused
        if isinstance(focused, Button):
            focused.press()
        elif isinstance(focused, OptionList):
            self._choose(focused)

    @work
    async def _choose(self, options: OptionList) -> None:
        await typed(self, options)
        options.action_select()

    def action_leave(self) -> None:
        """Go back without an answer."""
        self.dismiss(None)

    def pressed(self, button: str) -> None:
        """Do what a button is for, by its id."""
        self.action_leave()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Do what the button is for."""
        # Textual would call this of each class, not of the last one alone.
        self.pressed(event.button.id or "")


class AskingDialog(Dialog[T]):
    """A dialog with fields, and a button `yes` that has it done beside one that leaves.

    What the exchange says of that stands below the fields, and is seen whatever scrolls. Nobody
    leaves before it has answered: it would do what was asked all the same, and nobody would know.
    """

    READING: ClassVar[bool] = False
    """There is something to read: up and down scroll it while a button has the focus."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "do", "bind-next", key_display="Enter", priority=True),
        # From field to field, where what scrolls would take them for itself.
        Binding("up", "move(-1)", show=False, priority=True),
        Binding("down", "move(1)", show=False, priority=True),
    ]

    def __init__(self, title: str) -> None:
        super().__init__(title)
        self._busy = False

    def foot(self) -> Iterable[Widget]:
        """Return what stands above the buttons."""
        yield Static(classes="wrong", markup=False)

    @property
    @abstractmethod
    def fields(self) -> Iterable[Widget]:
        """The fields, in their order."""

    @abstractmethod
    async def carry_out(self) -> str:
        """Do it, or say why not.

        Raises:
            CommandError: the exchange refused.
            ExchangeUnreachable: it did not answer.
        """

    def tell(self, sentence: str) -> None:
        """Say how it goes."""
        self.query_one(".wrong", Static).update(sentence)

    def refused(self, error: CommandError | ExchangeUnreachable) -> str:
        """Return why the exchange doesn't do it."""
        return refusal(error)

    def action_do(self) -> None:
        """Go from field to field, and from the last one to work; or press the button."""
        if self.focused is None or isinstance(self.focused, Button):
            super().action_do()
        elif self.focused is [*self.fields][-1]:
            self.go()
        else:
            self.focus_next()

    def action_move(self, steps: int) -> None:
        """Go to the field before, or to the one behind; or read on."""
        if self.READING and isinstance(self.focused, Button):
            box = self.query_one(".dialog", VerticalScroll)
            if box.allow_vertical_scroll:
                box.scroll_relative(y=steps, animate=False)
                return
        if steps < 0:
            self.focus_previous()
        else:
            self.focus_next()

    def pressed(self, button: str) -> None:
        """Do it, or leave."""
        if button == "yes":
            self.go()
        else:
            self.action_leave()

    def action_leave(self) -> None:
        """Go back without an answer, unless the exchange is about to give one."""
        if not self._busy:
            super().action_leave()

    def go(self) -> None:
        """Do it, unless that is being done: asked for twice, the exchange would do it twice."""
        # Keys may come before there is anything on the screen.
        if self.is_mounted and not self._busy:
            self._busy = True
            self._go()

    @work
    async def _go(self) -> None:
        self.tell(say("asking"))
        try:
            await typed(self, *self.fields)
            self.tell(await self.carry_out())
        except REFUSALS as error:
            self.tell(self.refused(error))
        finally:
            self._busy = False


class ConfirmDialog(Dialog[bool]):
    """Asks before something is done that can't be undone.

    Args:
        title: what stands in the frame.
        question: what is asked.
        yes: what the button that does it says.
    """

    AUTO_FOCUS = "#no"
    BINDINGS: ClassVar[list[BindingType]] = [
        # With priority, as Enter has it: keys that come in a burst do what they do one by one.
        Binding("left,up,shift+tab", "app.focus_previous", show=False, priority=True),
        Binding("right,down,tab", "app.focus_next", show=False, priority=True),
    ]

    def __init__(self, title: str, question: str, yes: str) -> None:
        super().__init__(title)
        self._question = question
        self._yes = yes

    def body(self) -> Iterable[Widget]:
        """Return what stands in the box."""
        yield Static(self._question, markup=False)

    def buttons(self) -> Iterable[Button]:
        """Return the buttons."""
        return Button(self._yes, id="yes"), Button(say("button-cancel"), id="no")

    def pressed(self, button: str) -> None:
        """Give the answer."""
        self.dismiss(button == "yes")
