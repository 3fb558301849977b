"""The form for what a user may do."""

from collections.abc import Mapping

from pbx.api.schema import User
from tui.clean import clean
from tui.link import ExchangeLink
from tui.locale import say
from tui.report import RIGHTS, in_words
from tui.screens.form import Field, FormDialog

CHOICES = {"record": ("off", "all", "outside"), "record_by_code": ("yes", "no")}
"""Rights with a few values; the exchange has the last word on them."""


class ChangeUserDialog(FormDialog[bool]):
    """Asks for what is to change; ends with whether anything has.

    Args:
        link: the exchange.
        user: as it is.
    """

    def __init__(self, link: ExchangeLink, user: User) -> None:
        self._before = {name: clean(in_words(getattr(user, name))) for name in RIGHTS}
        fields = [
            Field(name, say(f"right-{name}"), self._before[name], choices=CHOICES.get(name, ()))
            for name in RIGHTS
        ]
        title = say("user-change-title", number=clean(user.number))
        super().__init__(title, fields, say("button-save"))
        self._link = link
        self._number = user.number

    async def do(self, values: Mapping[str, str]) -> bool:
        """Change what isn't as it was; return whether anything is."""
        given = {name: value for name, value in values.items() if value != self._before[name]}
        if given:
            await self._link.ask(lambda client: client.set_user(self._number, given))
        return bool(given)
