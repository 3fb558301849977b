"""The form for the options of a line."""

from collections.abc import Mapping

from pbx.api.schema import Line
from tui.clean import clean
from tui.line_options import CHOICES, OFFERED, meaning
from tui.link import ExchangeLink
from tui.locale import say
from tui.report import in_words
from tui.screens.form import Field, FormDialog
from tui.screens.line_doubt import doubt_destination


class ChangeLineDialog(FormDialog[bool]):
    """Asks for what is to change; ends with whether anything has.

    Its password is never shown: what is typed there becomes the new one.

    Args:
        link: the exchange.
        line: as it is.
    """

    def __init__(self, link: ExchangeLink, line: Line) -> None:
        self._before = {"password": ""} | {
            name: clean(in_words(line.options[name])) for name in OFFERED if name in line.options
        }
        placeholders = {
            "password": say("password-set" if line.has_password else "password-none"),
        }
        fields = [
            Field(
                name,
                meaning(name),
                self._before[name],
                placeholder=placeholders.get(name, ""),
                secret=name == "password",
                choices=CHOICES.get(name, ()),
            )
            for name in OFFERED
            if name in self._before
        ]
        super().__init__(
            say("line-change-title", name=clean(line.name)), fields, say("button-save")
        )
        self._link = link
        self._line = line

    async def doubt(self, values: Mapping[str, str]) -> str:
        """As `doubt_destination`, where another destination is given."""
        given = values.get("destination", "")
        return await doubt_destination(
            self._link, "" if given == self._before["destination"] else given
        )

    async def do(self, values: Mapping[str, str]) -> bool:
        """Change what isn't as it was; return whether anything is."""
        given = {name: value for name, value in values.items() if value != self._before[name]}
        if given:
            await self._link.ask(lambda client: client.set_line(self._line.name, given))
        return bool(given)
