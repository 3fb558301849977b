"""The route test: where a number would lead, without a call."""

from collections.abc import Iterable

from textual import work
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from tui.link import ExchangeLink
from tui.locale import say
from tui.route_report import in_words
from tui.screens.base import REFUSALS, refusal
from tui.screens.dialogs import AskingDialog, typed

FIELDS = ("caller", "called", "line", "at")


class RouteTestDialog(AskingDialog[None]):
    """Asks who calls which number, and says step by step where that leads; as often as wanted.

    Args:
        link: the exchange.
    """

    AUTO_FOCUS = "#caller"

    def __init__(self, link: ExchangeLink) -> None:
        super().__init__(say("bind-route"))
        self._link = link

    def body(self) -> Iterable[Widget]:
        """Return what stands in the box."""
        for pair in (FIELDS[:2], FIELDS[2:]):
            yield Horizontal(*map(_field, pair), classes="fields")
        yield Static(classes="wrong", markup=False)
        yield Static(id="route", markup=False)
        yield Horizontal(
            Button(say("button-test"), id="yes"),
            Button(say("button-close"), id="no"),
            classes="buttons",
        )

    @property
    def last_field(self) -> Widget:
        """As `AskingDialog`."""
        return self.query_one(f"#{FIELDS[-1]}")

    def go(self) -> None:
        """As `AskingDialog`."""
        self._test()

    @work(exclusive=True)
    async def _test(self) -> None:
        fields = [self.query_one(f"#{one}", Input) for one in FIELDS]
        await typed(*fields)
        caller, called, line, at = (one.value for one in fields)
        wrong, told = self.query_one(".wrong", Static), self.query_one("#route", Static)
        if not caller or not called:
            wrong.update(say("route-no-number"))
            self.query_one("#called" if caller else "#caller").focus()
            return
        wrong.update(say("asking"))
        told.update("")
        try:
            answer = await self._link.ask(
                lambda client: client.route(caller, called, line=line, at=at)
            )
        except REFUSALS as error:
            wrong.update(refusal(error))
            return
        wrong.update("")
        told.update("\n".join(in_words(answer, called, line)))
        self.query_one("#yes").focus()


def _field(name: str) -> Input:
    field = Input(id=name, placeholder=say(f"route-ask-{name}"))
    field.border_title = say(f"route-title-{name}")
    return field
