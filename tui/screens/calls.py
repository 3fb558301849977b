"""Calls: who talks with whom, live."""

import datetime
from collections.abc import Iterable
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import DataTable, Static

from pbx.api.client import AsyncClient
from pbx.api.schema import RunningCall
from tui import symbols
from tui.clean import clean
from tui.link import Picture
from tui.locale import say
from tui.report import duration, scores
from tui.screens.base import REFUSALS, FilteredScreen, refusal
from tui.screens.dialogs import ConfirmDialog
from tui.widgets.filter_line import FilterLine
from tui.widgets.share_table import Row, ShareTable


class CallsScreen(FilteredScreen):
    """A row a call, with its age; hang up with confirmation, mute who is in a conference room."""

    MODE = "calls"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("h,delete", "hang_up", "bind-hangup"),
        Binding("m", "mute", "bind-mute"),
    ]

    def body(self) -> Iterable[Widget]:
        """Return what stands between the top line and the keys."""
        yield Static(classes="summary", markup=False)
        yield ShareTable(
            [
                ("column-caller", 5),
                ("column-called", 5),
                ("column-state", 3),
                ("column-age", 3),
                ("column-talk", 1),
            ],
            right=("column-age", "column-talk"),
        )
        yield Static(classes="detail", markup=False)
        yield FilterLine()

    def show(self, picture: Picture) -> None:
        """Show the exchange as it is now."""
        summary = picture.trouble or say("no-calls")
        if picture.status is not None and picture.calls:
            total = picture.status.calls_total
            count = say("calls-count", count=len(picture.calls), total=total)
            summary = f"{say('status-calls')}  {count}"
        self.show_rows(summary, [self._row(call, picture) for call in picture.calls])
        self._show_detail()

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        """Show the call that the cursor is on in full."""
        self._show_detail()

    @property
    def _chosen(self) -> RunningCall | None:
        key = self.query_one(ShareTable).chosen
        return next((one for one in self.link.picture.calls if one.id == key), None)

    def _show_detail(self) -> None:
        call = self._chosen
        told = ""
        if call is not None:
            known = (
                ("column-caller", call.caller),
                ("column-called", call.called),
                ("column-codec", "/".join(filter(None, (call.codec, call.called_codec)))),
                ("column-sound", scores(call.caller_sound, call.called_sound)),
                ("column-room", call.room),
            )
            parts = [
                say("pair", name=say(key), value=clean(value)) for key, value in known if value
            ]
            marks = ("call-recorded", call.recording), ("member-muted", call.muted)
            told = "  ".join([*parts, *(say(key) for key, so in marks if so)])
        self.show_detail(told)

    def _row(self, call: RunningCall, picture: Picture) -> Row:
        now = self.link.now()
        talk = ""
        if call.talk_s:
            talk = duration(call.talk_s + max(0.0, (now - picture.calls_taken).total_seconds()))
        state = symbols.phone(call.state)
        if call.recording:
            state.append(f" {say('call-recorded-short')}", style="bold red")
        if call.muted:
            state.append(f" {say('member-muted')}", style="bold")
        return Row(
            call.id,
            (
                Text(clean(call.caller)),
                Text(clean(call.called)),
                state,
                Text(_age(call.since, now)),
                Text(talk),
            ),
        )

    @work
    async def action_hang_up(self) -> None:
        """Ask whether the call that the cursor is on is to end, and end it."""
        call = self._chosen
        if call is None:
            return
        question = say("ask-hangup", caller=clean(call.caller), called=clean(call.called))
        if not await self.app.push_screen_wait(
            ConfirmDialog(say("bind-hangup"), question, say("bind-hangup"))
        ):
            return
        try:
            await self.link.ask(lambda client: client.hangup(call.id))
        except REFUSALS as error:
            self.tell(refusal(error), wrong=True)
            return
        self.tell(say("told-hangup", caller=call.caller, called=call.called))

    @work
    async def action_mute(self) -> None:
        """Let the others of its conference room hear the chosen caller no more, or again."""
        call = self._chosen
        if call is None:
            return
        if not call.room:
            self.tell(say("told-no-room"), wrong=True)
            return

        async def change(client: AsyncClient) -> None:
            await (client.unmute if call.muted else client.mute)(call.room, call.id)

        try:
            await self.link.ask(change)
        except REFUSALS as error:
            self.tell(refusal(error), wrong=True)
            return
        key = "room-unmuted" if call.muted else "room-muted"
        self.tell(say(key, room=call.room, member=call.caller))


def _age(since: str, now: datetime.datetime) -> str:
    """Return how long ago the moment `since` (ISO 8601) was."""
    try:
        passed = (now - datetime.datetime.fromisoformat(since)).total_seconds()
    except (ValueError, TypeError):
        return clean(since)
    # The clock of a machine without a battery jumps once, when it learns the time.
    return duration(max(0.0, passed))
