"""The form for another user."""

from collections.abc import Iterable

from textual.widget import Widget
from textual.widgets import Button, Input

from pbx.api.schema import NewUser
from tui.link import ExchangeLink
from tui.locale import say
from tui.screens.dialogs import AskingDialog

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

    def buttons(self) -> Iterable[Button]:
        """Return the buttons."""
        return Button(say("bind-add"), id="yes"), Button(say("button-cancel"), id="no")

    @property
    def fields(self) -> list[Input]:
        """As `AskingDialog`."""
        return [self.query_one(f"#{one}", Input) for one in FIELDS]

    async def carry_out(self) -> str:
        """Add the user."""
        number, name, password = (one.value for one in self.fields)
        if not number:
            self.query_one("#number").focus()
            return say("add-no-number")
        self.dismiss(
            await self._link.ask(lambda client: client.add_user(number, password or None, name))
        )
        return ""
