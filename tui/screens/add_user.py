"""The form for another user."""

from collections.abc import Iterable
from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from pbx.api.schema import NewUser
from tui.link import ExchangeLink
from tui.locale import say
from tui.screens.base import REFUSALS, refusal
from tui.screens.dialogs import Dialog, typed

FIELDS = ("number", "name", "password")


class AddUserDialog(Dialog[NewUser]):
    """Asks for number, name and password, until the exchange takes them or the user leaves.

    Args:
        link: the exchange.
    """

    AUTO_FOCUS = "#number"
    BINDINGS: ClassVar[list[BindingType]] = [
        # With priority, so that what is typed ahead goes into the next field, not into this one.
        Binding("enter", "next", show=False, priority=True)
    ]

    def __init__(self, link: ExchangeLink) -> None:
        super().__init__(say("add-title"))
        self._link = link

    def body(self) -> Iterable[Widget]:
        """Return what stands in the box."""
        for name in FIELDS:
            field = Input(id=name, placeholder=say(f"add-{name}"))
            field.border_title = say(f"add-title-{name}")
            yield field
        yield Static(classes="wrong", markup=False)
        yield Horizontal(
            Button(say("bind-add"), id="yes"),
            Button(say("button-cancel"), id="no"),
            classes="buttons",
        )

    def action_next(self) -> None:
        """Go from field to field, and from the last one to work; or press the button."""
        focused = self.focused
        if isinstance(focused, Button):
            focused.press()
        elif focused is not None and focused.id == FIELDS[-1]:
            self._add()
        else:
            self.focus_next()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Do it, or leave."""
        if event.button.id == "yes":
            self._add()
        else:
            self.action_leave()

    @work(exclusive=True)
    async def _add(self) -> None:
        fields = [self.query_one(f"#{one}", Input) for one in FIELDS]
        await typed(*fields)
        number, name, password = (one.value for one in fields)
        wrong = self.query_one(".wrong", Static)
        if not number:
            wrong.update(say("add-no-number"))
            self.query_one("#number").focus()
            return
        wrong.update(say("asking"))
        try:
            user = await self._link.ask(
                lambda client: client.add_user(number, password or None, name)
            )
        except REFUSALS as error:
            wrong.update(refusal(error))
            return
        self.dismiss(user)
