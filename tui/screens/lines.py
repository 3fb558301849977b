"""Lines: the ways to the telephone network, and whether they work."""

from collections.abc import Iterable
from contextlib import suppress
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import DataTable, Static

from pbx.api.client import AsyncClient
from pbx.api.schema import Line, Profile
from tui import problems
from tui.clean import clean
from tui.line_report import calls, moments, ready, round_trip, server, state, trouble
from tui.link import ExchangeLink, Picture
from tui.locale import say
from tui.screens.add_line import AddLineDialog, ProviderDialog
from tui.screens.base import REFUSALS, FilteredScreen, refusal
from tui.screens.change_line import ChangeLineDialog
from tui.screens.dialogs import ConfirmDialog
from tui.screens.doctor import DoctorDialog
from tui.screens.route_test import RouteTestDialog
from tui.widgets.filter_line import FilterLine
from tui.widgets.share_table import Row, ShareTable


class LinesScreen(FilteredScreen):
    """A row an external line or SIP trunk; they are added, changed, examined, removed ..."""

    MODE = "lines"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "add", "bind-add"),
        Binding("c", "change", "bind-change"),
        Binding("d", "examine", "bind-doctor"),
        Binding("e", "switch", "bind-switch"),
        Binding("r,delete", "remove", "bind-remove"),
        Binding("t", "test", "bind-route"),
    ]

    def __init__(self, link: ExchangeLink) -> None:
        super().__init__(link)
        self._added = ""

    def body(self) -> Iterable[Widget]:
        """Return what stands between the top line and the keys."""
        yield Static(classes="summary", markup=False)
        yield ShareTable(
            [
                ("column-name", 3),
                ("column-state", 6),
                ("column-server", 9),
                ("column-rtt", 3),
                ("column-calls", 1),
                ("column-account", 5),
            ],
            right=("column-rtt", "column-calls"),
        )
        yield Static(classes="detail", markup=False)
        yield FilterLine()

    def show(self, picture: Picture) -> None:
        """Show the exchange as it is now."""
        summary = picture.trouble or say("lines-none")
        if picture.lines:
            whole = len(picture.lines)
            count = say("home-of-lines", part=ready(picture.lines), whole=whole)
            summary = f"{say('bind-lines')}  {count}"
        self.show_rows(summary, [_row(line) for line in picture.lines])
        if self._added and self.query_one(ShareTable).choose(self._added):
            self._added = ""
        self._show_detail()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Enter changes the line that the cursor is on, as `c` does."""
        self.action_change()

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        """Show the row that the cursor is on in full."""
        self._show_detail()

    @property
    def _chosen(self) -> Line | None:
        name = self.query_one(ShareTable).chosen
        return next((one for one in self.link.picture.lines if one.name == name), None)

    def _show_detail(self) -> None:
        line = self._chosen
        told = ""
        if line is not None:
            parts = [line.name, line.options["description"]]
            told = "  ".join(clean(part) for part in parts if part)
            if (problem := trouble(line)) is not None:
                told += f"\n{problems.sentence(problem)} {problems.remedy(problem)}"
            if known := [say("pair", name=say(key), value=value) for key, value in moments(line)]:
                told += "\n" + "  ".join(known)
        self.show_detail(told)

    @work
    async def action_add(self) -> None:
        """Have the user choose a provider, and answer what its profile asks for."""
        try:
            profiles = await self.link.ask(AsyncClient.profiles)
        except REFUSALS as error:
            self.tell(refusal(error), wrong=True)
            return
        profile = await self.app.push_screen_wait(ProviderDialog(profiles))
        if profile is not None:
            await self._add(profile)

    async def _add(self, profile: Profile) -> None:
        taken = {line.name for line in self.link.picture.lines}
        name = await self.app.push_screen_wait(AddLineDialog(self.link, profile, taken))
        if name is not None:
            self._added = name
            self.tell(await self._how_to_dial(name))

    async def _how_to_dial(self, name: str) -> str:
        """Return that the line is there, and what is dialled before numbers outside."""
        prefix = ""
        # The line is there all the same
        with suppress(*REFUSALS):
            plan = await self.link.ask(AsyncClient.plan)
            prefix = str(plan.tables.get("basics", {}).get("out_prefix", ""))
        return say("line-added-dial" if prefix else "line-added", name=name, prefix=prefix)

    @work
    async def action_change(self) -> None:
        """Have the user change options of the line that the cursor is on."""
        line = self._chosen
        if line is not None and await self.app.push_screen_wait(ChangeLineDialog(self.link, line)):
            self.tell(say("line-set", name=line.name))

    @work
    async def action_remove(self) -> None:
        """Remove the line that the cursor is on, after a question."""
        line = self._chosen
        if line is None:
            return
        question = say("ask-remove-line", name=clean(line.name))
        if not await self.app.push_screen_wait(
            ConfirmDialog(say("bind-remove"), question, say("bind-remove"))
        ):
            return
        try:
            await self.link.ask(lambda client: client.remove_line(line.name))
        except REFUSALS as error:
            self.tell(refusal(error), wrong=True)
            return
        self.tell(say("line-removed", name=line.name))

    def action_test(self) -> None:
        """Ask where a number would lead."""
        self.app.push_screen(RouteTestDialog(self.link))

    def action_examine(self) -> None:
        """Let the doctor look at the line that the cursor is on."""
        line = self._chosen
        if line is not None:
            self.app.push_screen(DoctorDialog(self.link, line.name))

    @work
    async def action_switch(self) -> None:
        """Switch the line that the cursor is on off after a question, or on."""
        line = self._chosen
        if line is None:
            return
        name, enabled = line.name, line.enabled
        question = say("ask-switch-off", name=clean(name))
        if enabled and not await self.app.push_screen_wait(
            ConfirmDialog(say("bind-switch"), question, say("button-switch-off"))
        ):
            return
        try:
            await self.link.ask(lambda client: client.set_line(name, {"enabled": not enabled}))
        except REFUSALS as error:
            self.tell(refusal(error), wrong=True)
            return
        self.tell(say("line-disabled" if enabled else "line-enabled", name=name))


def _row(line: Line) -> Row:
    cells = (
        Text(clean(line.name)),
        state(line),
        Text(server(line)),
        Text(round_trip(line)),
        Text(calls(line)),
        Text(clean(line.options["user"])),
    )
    return Row(line.name, cells)
