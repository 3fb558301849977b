"""The line doctor: what it finds of a line appears as it is found."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress

from rich.text import Text
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from pbx.api.client import AsyncClient
from pbx.api.schema import Examination
from tui.clean import clean
from tui.doctor_report import end, head, sentence
from tui.link import ExchangeLink
from tui.locale import say
from tui.pairs import pairs
from tui.screens.base import REFUSALS
from tui.screens.dialogs import AskingDialog


class DoctorDialog(AskingDialog[None]):
    """One examination after another, each with a call where a number is given; to leave ends it.

    Args:
        link: the exchange.
        line: the line's name.
    """

    AUTO_FOCUS = "#number"
    READING = True

    def __init__(self, link: ExchangeLink, line: str) -> None:
        super().__init__(say("doctor-of", line=clean(line)))
        self._link = link
        self._line = line
        self._close = Button(say("button-close"), id="no")
        self._text = Static(say("doctor-hint"), markup=False)

    def body(self) -> Iterable[Widget]:
        """Return what stands in the box."""
        number = Input(id="number")
        number.border_title = say("doctor-number")
        yield number
        yield self._text

    def buttons(self) -> Iterable[Button]:
        """Return the buttons."""
        return Button(say("button-examine"), id="yes"), self._close

    @property
    def fields(self) -> list[Input]:
        """As `AskingDialog`."""
        return [self.query_one("#number", Input)]

    def action_leave(self) -> None:
        """Go back; an examination ends."""
        self.dismiss(None)

    async def carry_out(self) -> str:
        """Examine the line, and say what it comes to."""
        (number,) = (one.value.strip() for one in self.fields)
        self.tell(say("doctor-title", line=clean(self._line)))
        self._text.update("")
        async with AsyncClient(self._link.path) as client:
            beginning = asyncio.create_task(client.examine(self._line, number))
            try:
                # Whoever leaves before the answer has an examination to end, too
                return await self._follow(client, await asyncio.shield(beginning))
            except asyncio.CancelledError:
                # Where the exchange has gone, so has the examination
                with suppress(*REFUSALS):
                    found = await beginning
                    await self._link.ask(lambda other: other.stop_examination(found))
                raise

    async def _follow(self, client: AsyncClient, found: Examination) -> str:
        self._close.focus()
        self._show(found)
        while not found.done:
            found = await client.more_of(found)
            self._show(found)
        return end(found)

    def _show(self, found: Examination) -> None:
        self._text.update(pairs((head(one), Text(sentence(one))) for one in found.findings))
