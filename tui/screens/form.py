"""Dialogs with fields, each of which is explained as long as it has the focus."""

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from pbx.api.client import CommandError, ExchangeUnreachable
from tui.clean import clean
from tui.line_options import title
from tui.locale import field_of, say, translate
from tui.screens.base import refusal
from tui.screens.dialogs import AskingDialog, T
from tui.widgets.choice import Choice

PER_ROW = 2


@dataclass(frozen=True, slots=True)
class Field:
    """What is asked for.

    Args:
        name: what the exchange calls it.
        hint: what it is.
        value: what stands in it at first.
        placeholder: what is shown where nothing stands in it.
        secret: what is typed isn't shown.
        choices: the values that there are; none: any text.
    """

    name: str
    hint: str
    value: str = ""
    placeholder: str = ""
    secret: bool = False
    choices: tuple[str, ...] = ()

    def widget(self) -> "Input | Choice":
        """Return the widget to answer in."""
        made: Input | Choice
        if self.choices:
            made = Choice(self.choices, self.value)
        else:
            made = Input(self.value, placeholder=self.placeholder, password=self.secret)
        made.border_title = Text(title(self.name))
        return made


class FormDialog(AskingDialog[T]):
    """Asks until the exchange takes the answers, or the user leaves.

    A refusal stands below the fields, and the field that it is about gets the focus.

    Args:
        title: what stands in the frame.
        fields: what is asked for, in this order.
        yes: what the button says that does it.
        note: what to know before.
    """

    AUTO_FOCUS = "Input, Choice"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "save", "bind-save", key_display="Ctrl-S", priority=True)
    ]

    def __init__(self, title: str, fields: Sequence[Field], yes: str, note: str = "") -> None:
        super().__init__(title)
        self._fields = {field.name: field for field in fields}
        self._widgets = {field.name: field.widget() for field in fields}
        self._yes = yes
        self._note = note
        self._doubted: Mapping[str, str] = {}

    def body(self) -> Iterable[Widget]:
        """Return what stands in the box."""
        if self._note:
            yield Static(self._note, markup=False)
        every = list(self._widgets.values())
        for at in range(0, len(every), PER_ROW):
            yield Horizontal(*every[at : at + PER_ROW], classes="fields")

    def foot(self) -> Iterable[Widget]:
        """Return what stands above the buttons."""
        yield from super().foot()
        yield Static(id="hint", markup=False)

    def buttons(self) -> Iterable[Button]:
        """Return the buttons."""
        return Button(self._yes, id="yes"), Button(say("button-cancel"), id="no")

    @property
    def fields(self) -> Iterable[Widget]:
        """As `AskingDialog`."""
        return self._widgets.values()

    @abstractmethod
    async def do(self, values: Mapping[str, str]) -> T:
        """Have the exchange do it; return what the dialog ends with.

        Raises:
            CommandError: the exchange refused.
            ExchangeUnreachable: it did not answer.
        """

    async def doubt(self, values: Mapping[str, str]) -> str:
        """Return what speaks against doing it, to be said once; empty for nothing.

        Raises:
            CommandError: the exchange refused.
            ExchangeUnreachable: it did not answer.
        """
        return ""

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Explain the field that has the focus."""
        names = (name for name, one in self._widgets.items() if one is event.widget)
        hint = "".join(self._fields[name].hint for name in names)
        self.query_one("#hint", Static).update(hint)

    def action_save(self) -> None:
        """Do it, wherever the focus is."""
        self.go()

    async def carry_out(self) -> str:
        """As `AskingDialog`."""
        values = {
            name: one.value if self._fields[name].secret else one.value.strip()
            for name, one in self._widgets.items()
        }
        if values != self._doubted and (doubt := await self.doubt(values)):
            self._doubted = values
            return doubt
        self.dismiss(await self.do(values))
        return ""

    def refused(self, error: CommandError | ExchangeUnreachable) -> str:
        """Return why the exchange doesn't do it; the field that it is about gets the focus."""
        if not isinstance(error, CommandError):
            return refusal(error)
        about = self._widgets.get(field_of(error))
        if about is not None:
            about.focus()
        return clean(translate(error, {name: title(name) for name in self._widgets}))
