"""The route test: where a number would lead, without a call."""

from collections.abc import Iterable

from rich.console import Group
from rich.text import Text
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from tui.link import ExchangeLink
from tui.locale import say
from tui.pairs import pairs
from tui.route_report import outcome, steps, title
from tui.screens.dialogs import AskingDialog

FIELDS = ("caller", "called", "line", "at")


class RouteTestDialog(AskingDialog[None]):
    """Asks who calls which number, and says step by step where that leads; as often as wanted.

    Args:
        link: the exchange.
    """

    AUTO_FOCUS = "#caller"
    READING = True

    def __init__(self, link: ExchangeLink) -> None:
        super().__init__(say("bind-route"))
        self._link = link

    def body(self) -> Iterable[Widget]:
        """Return what stands in the box."""
        for pair in (FIELDS[:2], FIELDS[2:]):
            yield Horizontal(*map(_field, pair), classes="fields")
        yield Static(id="route", markup=False)

    def buttons(self) -> Iterable[Button]:
        """Return the buttons."""
        return Button(say("button-test"), id="yes"), Button(say("button-close"), id="no")

    @property
    def fields(self) -> list[Input]:
        """As `AskingDialog`."""
        return [self.query_one(f"#{one}", Input) for one in FIELDS]

    async def carry_out(self) -> str:
        """Tell where the number leads."""
        caller, called, line, at = (one.value for one in self.fields)
        told = self.query_one("#route", Static)
        told.update("")
        if not caller or not called:
            self.query_one("#called" if caller else "#caller").focus()
            return say("route-no-number")
        answer = await self._link.ask(lambda client: client.route(caller, called, line=line, at=at))
        numbered = ((Text(number), Text(sentence)) for number, sentence in steps(answer))
        way = pairs(numbered, gap=1)
        ends = Text("\n".join(outcome(answer, line)))
        told.update(Group(Text(title(answer, called)), way, ends))
        self.query_one("#yes").focus()
        return ""


def _field(name: str) -> Input:
    field = Input(id=name, placeholder=say(f"route-ask-{name}"))
    field.border_title = say(f"route-title-{name}")
    return field
