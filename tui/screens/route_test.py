"""The route test: where a number would lead, without a call."""

from collections.abc import Iterable
from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from tui.link import ExchangeLink
from tui.locale import say
from tui.route_report import in_words
from tui.screens.base import REFUSALS, refusal
from tui.screens.dialogs import Dialog, typed

FIELDS = ("caller", "called", "line", "at")


class RouteTestDialog(Dialog[None]):
    """Asks who calls which number, and says step by step where that leads; as often as wanted.

    Args:
        link: the exchange.
    """

    AUTO_FOCUS = "#caller"
    BINDINGS: ClassVar[list[BindingType]] = [
        # With priority, so that what is typed ahead goes into the next field, not into this one.
        Binding("enter", "next", show=False, priority=True)
    ]

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

    def action_next(self) -> None:
        """Go from field to field, and from the last one to work; or press the button."""
        focused = self.focused
        if isinstance(focused, Button):
            focused.press()
        elif focused is not None and focused.id == FIELDS[-1]:
            self._test()
        else:
            self.focus_next()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Do it, or leave."""
        if event.button.id == "yes":
            self._test()
        else:
            self.action_leave()

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
