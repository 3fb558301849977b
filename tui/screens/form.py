"""Dialogs with fields, each of which is explained as long as it has the focus."""

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual import events, work
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from pbx.api.client import CommandError, ExchangeUnreachable
from tui.clean import clean
from tui.line_options import title
from tui.locale import field_of, say, translate
from tui.screens.base import REFUSALS, refusal
from tui.screens.dialogs import AskingDialog, T, typed
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

    AUTO_FOCUS = "#form Input, #form Choice"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "save", show=False, priority=True),
        # From field to field, where what scrolls would take them for itself.
        Binding("up", "app.focus_previous", show=False, priority=True),
        Binding("down", "app.focus_next", show=False, priority=True),
    ]

    def __init__(self, title: str, fields: Sequence[Field], yes: str, note: str = "") -> None:
        super().__init__(title)
        self._fields = {field.name: field for field in fields}
        self._widgets = {field.name: field.widget() for field in fields}
        self._yes = yes
        self._note = note

    def body(self) -> Iterable[Widget]:
        """Return what stands in the box."""
        every = list(self._widgets.values())
        rows: list[Widget] = [
            Horizontal(*every[at : at + PER_ROW], classes="fields")
            for at in range(0, len(every), PER_ROW)
        ]
        if self._note:
            rows.insert(0, Static(self._note, markup=False))
        yield VerticalScroll(*rows, id="form", can_focus=False)
        yield Static(classes="wrong", markup=False)
        yield Static(id="hint", markup=False)
        yield Horizontal(
            Button(self._yes, id="yes"), Button(say("button-cancel"), id="no"), classes="buttons"
        )

    @abstractmethod
    async def do(self, values: Mapping[str, str]) -> T:
        """Have the exchange do it; return what the dialog ends with.

        Raises:
            CommandError: the exchange refused.
            ExchangeUnreachable: it did not answer.
        """

    def on_mount(self) -> None:
        """Say which keys there are."""
        self.query_one(".dialog").border_subtitle = say("form-keys")

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Explain the field that has the focus."""
        names = (name for name, one in self._widgets.items() if one is event.widget)
        hint = "".join(self._fields[name].hint for name in names)
        self.query_one("#hint", Static).update(hint)

    @property
    def last_field(self) -> Widget:
        """As `AskingDialog`."""
        return next(reversed(self._widgets.values()))

    def go(self) -> None:
        """As `AskingDialog`."""
        self.action_save()

    @work(exclusive=True)
    async def action_save(self) -> None:
        """Do it."""
        wrong = self.query_one(".wrong", Static)
        wrong.update(say("asking"))
        await typed(*self._widgets.values())
        values = {
            name: one.value if self._fields[name].secret else one.value.strip()
            for name, one in self._widgets.items()
        }
        try:
            answer = await self.do(values)
        except REFUSALS as error:
            wrong.update(self._refused(error))
            return
        self.dismiss(answer)

    def _refused(self, error: CommandError | ExchangeUnreachable) -> str:
        """Return why the exchange doesn't do it; the field that it is about gets the focus."""
        if not isinstance(error, CommandError):
            return refusal(error)
        about = self._widgets.get(field_of(error))
        if about is not None:
            about.focus()
        return clean(translate(error, {name: title(name) for name in self._widgets}))
