"""Phones: the users, and the phones that they have registered."""

from collections.abc import Iterable, Iterator
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import DataTable, Static

from pbx.api.client import AsyncClient
from pbx.api.schema import User
from tui import symbols
from tui.clean import clean
from tui.link import Picture
from tui.locale import say
from tui.report import best_address, duration
from tui.screens.add_user import AddUserDialog
from tui.screens.base import REFUSALS, FilteredScreen, refusal
from tui.screens.change_user import ChangeUserDialog
from tui.screens.credentials import CredentialsDialog
from tui.screens.dialogs import ConfirmDialog
from tui.widgets.filter_line import FilterLine
from tui.widgets.share_table import Row, ShareTable


class PhonesScreen(FilteredScreen):
    """A row a phone, and one for a user without any; users are added, changed, removed ..."""

    MODE = "phones"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "add", "bind-add"),
        # A small window has no room for one key more; Enter does the same
        Binding("c", "change", "bind-change", show=False),
        Binding("d,delete", "remove", "bind-remove"),
        Binding("p", "password", "bind-password"),
        Binding("w", "welcome", "bind-welcome"),
    ]

    def body(self) -> Iterable[Widget]:
        """Return what stands between the top line and the keys."""
        yield Static(classes="summary", markup=False)
        yield ShareTable(
            [
                ("column-number", 1),
                ("column-name", 3),
                ("column-state", 3),
                ("column-phone", 6),
                ("column-address", 8),
                ("column-expires", 2),
            ],
            right=("column-expires",),
        )
        yield Static(classes="detail", markup=False)
        yield FilterLine()

    def show(self, picture: Picture) -> None:
        """Show the exchange as it is now."""
        summary = picture.trouble or say("no-users")
        if picture.users:
            registered = sum(1 for user in picture.users if user.contacts)
            count = say("users-count", count=len(picture.users), registered=registered)
            summary = f"{say('status-users')}  {count}"
        passed = max(0.0, (self.link.now() - picture.users_taken).total_seconds())
        self.show_rows(summary, [row for user in picture.users for row in _rows(user, passed)])
        self._show_detail()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Enter changes the user that the cursor is on, as `c` does."""
        self.action_change()

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        """Show the row that the cursor is on in full."""
        self._show_detail()

    def _show_detail(self) -> None:
        number, _, place = (self.query_one(ShareTable).chosen or "").partition("/")
        user = next((one for one in self.link.picture.users if one.number == number), None)
        parts: list[str] = []
        if user is not None:
            parts = [user.number, user.display_name]
            if user.contacts:
                contact = user.contacts[min(int(place), len(user.contacts) - 1)]
                parts += [contact.user_agent, contact.source, contact.uri]
        self.show_detail("  ".join(clean(part) for part in parts if part))

    @property
    def _chosen(self) -> str:
        """The number that the cursor is on; empty without any."""
        return (self.query_one(ShareTable).chosen or "").partition("/")[0]

    @work
    async def action_add(self) -> None:
        """Have the user add another one, and show its password."""
        user = await self.app.push_screen_wait(AddUserDialog(self.link))
        if user is not None:
            title = say("told-added", number=clean(user.number))
            await self.app.push_screen_wait(CredentialsDialog(title, [user], say("shown-once")))

    @work
    async def action_change(self) -> None:
        """Have the user change what the one that the cursor is on may do."""
        user = next((one for one in self.link.picture.users if one.number == self._chosen), None)
        if user is not None and await self.app.push_screen_wait(ChangeUserDialog(self.link, user)):
            self.tell(say("user-set", number=user.number))

    @work
    async def action_remove(self) -> None:
        """Remove the user that the cursor is on, after a question."""
        number = self._chosen
        question = say("ask-remove", number=clean(number))
        if not number or not await self.app.push_screen_wait(
            ConfirmDialog(say("bind-remove"), question, say("bind-remove"))
        ):
            return
        try:
            await self.link.ask(lambda client: client.remove_user(number))
        except REFUSALS as error:
            self.tell(refusal(error), wrong=True)
            return
        self.tell(say("user-removed", number=number))

    @work
    async def action_password(self) -> None:
        """Give the user that the cursor is on another password, after a question, and show it."""
        number = self._chosen
        question = say("ask-password", number=clean(number))
        if not number or not await self.app.push_screen_wait(
            ConfirmDialog(say("bind-password"), question, say("bind-password"))
        ):
            return
        try:
            user = await self.link.ask(lambda client: client.set_password(number))
        except REFUSALS as error:
            self.tell(refusal(error), wrong=True)
            return
        title = say("told-password", number=clean(number))
        await self.app.push_screen_wait(CredentialsDialog(title, [user], say("shown-once")))

    @work
    async def action_welcome(self) -> None:
        """Show the passwords of the first start, as long as they hold."""
        try:
            welcome = await self.link.ask(AsyncClient.welcome)
        except REFUSALS as error:
            self.tell(refusal(error), wrong=True)
            return
        if not welcome.users:
            self.tell(say("told-no-welcome"))
            return
        transport, server = best_address(welcome.addresses)
        advice = f"{say('welcome-server')}\n{server} ({transport})"
        await self.app.push_screen_wait(
            CredentialsDialog(say("bind-welcome"), welcome.users, advice)
        )


def _rows(user: User, passed: float) -> Iterator[Row]:
    """Return the rows of a user whose phones were seen `passed` seconds ago."""
    head = (Text(clean(user.number)), Text(clean(user.display_name)), symbols.phone(user.state))
    if not user.contacts:
        yield Row(f"{user.number}/0", (*head, Text(), Text(), Text()))
    for place, contact in enumerate(user.contacts):
        yield Row(
            f"{user.number}/{place}",
            (
                *head,
                Text(clean(contact.user_agent)),
                Text(clean(contact.source)),
                Text(duration(max(0.0, contact.expires_s - passed))),
            ),
        )
