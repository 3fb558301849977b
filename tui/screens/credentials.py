"""Passwords, to be typed into a phone or read by its camera."""

from collections.abc import Iterable, Sequence

from rich.text import Text
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from pbx.api.schema import NewUser, WelcomeUser
from tui.clean import clean
from tui.locale import say
from tui.report import QR_STYLE, qr_code
from tui.screens.dialogs import Dialog


class CredentialsDialog(Dialog[None]):
    """One user's number, password and QR code at a time; with several users, a list to choose from.

    Args:
        title: what stands in the frame.
        users: one at least.
        advice: what to know about these passwords.
    """

    AUTO_FOCUS = "OptionList, Button"

    def __init__(self, title: str, users: Sequence[NewUser | WelcomeUser], advice: str) -> None:
        super().__init__(title)
        self._users = users
        self._advice = advice

    def body(self) -> Iterable[Widget]:
        """Return what stands in the box."""
        words: list[Widget] = [
            Static(id="credentials", markup=False),
            Static(self._advice, classes="advice", markup=False),
        ]
        if len(self._users) > 1:
            users = (Option(Text(clean(user.number))) for user in self._users)
            words.insert(0, OptionList(*users))
        yield Horizontal(Static(id="code", markup=False), Vertical(*words, id="words"), id="sheet")

    def on_mount(self) -> None:
        """Show the first user."""
        self._show(self._users[0])

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Show the user that the cursor is on."""
        self._show(self._users[event.option_index])

    def _show(self, user: NewUser | WelcomeUser) -> None:
        shown = Text()
        for key, value in (
            ("credentials-user", user.number),
            ("credentials-password", user.password),
        ):
            shown.append(f"{say(key)}\n")
            shown.append(f"{clean(value)}\n", style="bold")
        code = self.query_one("#code", Static)
        code.display = bool(user.provisioning_url)
        if user.provisioning_url:
            shown.append(f"\n{say('credentials-scan')}")
            code.update(Text("\n".join(qr_code(user.provisioning_url)), style=QR_STYLE))
        self.query_one("#credentials", Static).update(shown)
