"""The line doctor: what it finds of a line appears as it is found."""

from collections.abc import Iterable
from contextlib import suppress

from rich.text import Text
from textual import work
from textual.widget import Widget
from textual.widgets import Button, Static

from pbx.api.client import AsyncClient
from pbx.api.schema import Examination
from tui.clean import clean
from tui.doctor_report import end, row
from tui.link import ExchangeLink
from tui.locale import say
from tui.screens.base import REFUSALS, refusal
from tui.screens.dialogs import Dialog


class DoctorDialog(Dialog[None]):
    """One examination; to leave it ends it.

    Args:
        link: the exchange.
        line: the line's name.
    """

    def __init__(self, link: ExchangeLink, line: str) -> None:
        super().__init__(say("bind-doctor"))
        self._link = link
        self._line = line
        self._found: Examination | None = None
        self._text = Static(say("doctor-title", line=clean(line)), markup=False)

    def body(self) -> Iterable[Widget]:
        """Return what stands in the box."""
        yield self._text
        yield Button(say("button-close"))

    def on_mount(self) -> None:
        """Begin."""
        self._examine()

    @work
    async def _examine(self) -> None:
        try:
            async with AsyncClient(self._link.path) as client:
                found = self._found = await client.examine(self._line)
                self._show(found)
                while not found.done:
                    found = self._found = await client.more_of(found)
                    self._show(found)
        except REFUSALS as error:
            self._text.update(refusal(error))

    def _show(self, found: Examination) -> None:
        shown = Text(say("doctor-title", line=clean(found.line)))
        for one in found.findings:
            shown.append("\n").append(row(one))
        if found.done:
            shown.append(f"\n{end(found)}")
        self._text.update(shown)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Leave."""
        self.action_leave()

    def action_leave(self) -> None:
        """Go back; what is still under way ends."""
        found = self._found
        if found is not None and not found.done:
            self.app.run_worker(_stop(self._link, found))
        super().action_leave()


async def _stop(link: ExchangeLink, found: Examination) -> None:
    # Where the exchange has gone, so has the examination
    with suppress(*REFUSALS):
        await link.ask(lambda client: client.stop_examination(found))
