"""How another line comes about: who the provider is, and what it asks for."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from rich.text import Text
from textual.widget import Widget
from textual.widgets import Button, OptionList, Static
from textual.widgets.option_list import Option

from pbx.api.schema import Profile, ProfileAsk
from tui.clean import clean
from tui.line_options import meaning
from tui.link import ExchangeLink
from tui.locale import say
from tui.profile_report import in_language, question
from tui.screens.dialogs import Dialog
from tui.screens.form import Field, FormDialog
from tui.screens.line_doubt import doubt_destination


class ProviderDialog(Dialog[Profile]):
    """The providers that are known, to choose one.

    Args:
        profiles: one at least.
    """

    AUTO_FOCUS = "OptionList"

    def __init__(self, profiles: Sequence[Profile]) -> None:
        super().__init__(say("provider-title"))
        self._profiles = profiles

    def body(self) -> Iterable[Widget]:
        """Return what stands in the box."""
        yield OptionList(*(Option(Text(in_language(one.title))) for one in self._profiles))

    def foot(self) -> Iterable[Widget]:
        """Return what stands above the buttons."""
        yield Static(say("provider-hint"), markup=False)

    def buttons(self) -> Iterable[Button]:
        """Return the buttons."""
        return (Button(say("button-cancel"), id="no"),)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take the one that the cursor is on."""
        self.dismiss(self._profiles[event.option_index])


class AddLineDialog(FormDialog[str]):
    """Asks what the provider's profile asks for; ends with the new line's name.

    Args:
        link: the exchange.
        profile: the provider.
        taken: the names that lines have already.
    """

    def __init__(self, link: ExchangeLink, profile: Profile, taken: Collection[str]) -> None:
        fields = [
            Field("name", say("help-line-name"), _free(profile.name, taken)),
            *map(_field, profile.asks),
        ]
        if all(ask.key != "destination" for ask in profile.asks):
            # No provider knows, and without it a call from outside finds nobody.
            fields.append(Field("destination", meaning("destination")))
        title = say("line-add-title", profile=in_language(profile.title))
        notes = "\n".join(map(in_language, profile.notes))
        super().__init__(title, fields, say("bind-add"), notes)
        self._link = link
        self._profile = profile

    async def doubt(self, values: Mapping[str, str]) -> str:
        """As `doubt_destination`."""
        return await doubt_destination(self._link, values.get("destination", ""))

    async def do(self, values: Mapping[str, str]) -> str:
        """Add the line; return its name."""
        given = {key: value for key, value in values.items() if value and key != "name"}
        options = {**given, "profile": self._profile.name}
        await self._link.ask(lambda client: client.add_line(values["name"], options))
        return values["name"]


def _field(ask: ProfileAsk) -> Field:
    usual = "" if "{" in ask.default else clean(ask.default)
    placeholder = usual or (say("profile-optional") if ask.optional or ask.default else "")
    return Field(ask.key, question(ask), placeholder=placeholder, secret=ask.secret)


def _free(name: str, taken: Collection[str]) -> str:
    """Return a name for a line that no line has."""
    count, free = 1, name
    while free in taken:
        count += 1
        free = f"{name}-{count}"
    return free
