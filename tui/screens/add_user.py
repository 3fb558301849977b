"""The form for another user."""

from collections.abc import Iterable

from textual import work
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from pbx.api.schema import NewUser
from tui.link import ExchangeLink
from tui.locale import say
from tui.screens.base import REFUSALS, refusal
from tui.screens.dialogs import AskingDialog, typed

FIELDS = ("number", "name", "password")


class AddUserDialog(AskingDialog[NewUser]):
    """Asks for number, name and password, until the exchange takes them or the user leaves.

    Args:
        link: the exchange.
    """

    AUTO_FOCUS = "#number"

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

    @property
    def last_field(self) -> Widget:
        """As `AskingDialog`."""
        return self.query_one(f"#{FIELDS[-1]}")

    def go(self) -> None:
        """As `AskingDialog`."""
        self._add()

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
