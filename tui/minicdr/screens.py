"""The screens of the view."""

import time
from abc import abstractmethod
from collections.abc import Collection, Iterable, Sequence
from typing import ClassVar

from rich.text import Text
from textual import events, work
from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import DataTable, Footer, Input, Static
from textual.worker import get_current_worker

from pbx.cdr.call import Call
from pbx.cdr.spread import Stopped
from pbx.cdr.totals import By
from tui.bindings import in_words
from tui.clean import clean
from tui.minicdr import views
from tui.minicdr.locale import say
from tui.minicdr.search import Found, Search
from tui.pairs import pairs
from tui.report import duration
from tui.screens.dialogs import Dialog
from tui.widgets.filter_line import FilterLine
from tui.widgets.share_table import Row, ShareTable

PAGE = 500
"""Calls that are shown at first, and that each `m` adds."""

MOST_ROWS = 1000
"""Rows of totals that are shown."""

WIDE = 100
"""Columns of a terminal from which on times have their year."""

FOLLOW_S = 2.0
"""How often to look whether the files have grown; less often where reading them takes long."""

PATIENCE = 10.0
"""Reading may take one in so many seconds."""


class RecordsScreen(Screen[None]):
    """A table of what was found, what could not be read, the search line and the keys.

    Args:
        search: where it looks.
    """

    MODE: ClassVar[str]
    SHARES: ClassVar[Sequence[tuple[str, int]]]
    RIGHT: ClassVar[Collection[str]]
    TABLE: ClassVar[type[ShareTable]] = ShareTable
    AUTO_FOCUS = ".main"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE, "-wide")]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "search", "bind-search"),
        Binding("escape", "everything", "bind-back", show=False),
    ]

    def __init__(self, search: Search) -> None:
        super().__init__()
        self.search = search
        self.number = ""
        """What stands in the numbers that are looked for."""
        self.found: Found | None = None
        self._next_look = 0.0

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield Static(classes="summary", markup=False)
        yield self.TABLE(self.SHARES, say, self.RIGHT)
        yield Static(classes="detail", markup=False)
        yield FilterLine(say("view-what"))
        yield Footer(compact=True, show_command_palette=False)

    @abstractmethod
    def look(self, stopped: Stopped) -> Found:
        """Read what is to be shown; called in a thread of its own."""

    @abstractmethod
    def summary(self, found: Found) -> str:
        """Return what there is, in a sentence."""

    @abstractmethod
    def rows(self, found: Found) -> Iterable[tuple[str, Sequence[str]]]:
        """Return a name and the cells of each row."""

    def on_mount(self) -> None:
        """Begin to read."""
        self.query_one(".detail").display = False
        self.read()
        self.set_interval(FOLLOW_S, self._follow)

    @property
    def active_bindings(self) -> dict[str, ActiveBinding]:
        """The keys that do something now."""
        return in_words(super().active_bindings, say)

    def read(self) -> None:
        """Read the records anew."""
        self.query_one(".summary", Static).update(say("view-reading"))
        self._read()

    @work(thread=True, exclusive=True)
    def _read(self) -> None:
        worker = get_current_worker()
        begun = time.monotonic()
        found = self.look(lambda: worker.is_cancelled)
        if not worker.is_cancelled:
            self.app.call_from_thread(self._show, found, time.monotonic() - begun)

    def _show(self, found: Found, taken_s: float) -> None:
        self.found = found
        self._next_look = time.monotonic() + PATIENCE * taken_s
        summary = self.summary(found)
        if self.number:
            summary += "   " + say("view-searched", number=clean(self.number))
        self.query_one(".summary", Static).update(summary)
        self._fill()
        told = self.query_one(".detail", Static)
        told.display = bool(found.complaints)
        if found.complaints:
            first, *others = found.complaints
            more = [say("view-others", count=len(others))] if others else []
            told.update("  ".join([clean(views.complaint(first)), *more]))

    def _fill(self) -> None:
        if self.found is not None:
            self.query_one(ShareTable).fill(_distinct(self.rows(self.found)))

    def on_resize(self, event: events.Resize) -> None:
        """Show as much of each value as there is room for."""
        self._fill()

    def _follow(self) -> None:
        """Read again where a running exchange has written more."""
        if self.found is None or self.app.screen is not self or time.monotonic() < self._next_look:
            return
        if self.search.state() != self.found.state:
            # what is seen stays while it is read
            self._read()

    def on_screen_resume(self) -> None:
        """Read what has been written while another screen was seen."""
        if self.is_mounted:
            self._follow()

    def action_search(self) -> None:
        """Have the user type what to look for."""
        self.query_one(FilterLine).open()

    def action_everything(self) -> None:
        """Look for nothing any more."""
        if self.number:
            self.number = ""
            self.read()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Look for what was typed, in all records."""
        self.number = event.value.strip()
        self.query_one(FilterLine).action_close()
        self.read()


class CallsTable(ShareTable):
    """A row a call; Enter shows it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select_cursor", "bind-show", key_display="Enter")
    ]


class CallsScreen(RecordsScreen):
    """The calls, newest first; Enter shows one in words."""

    MODE = "calls"
    SHARES = (
        ("column-begin", 9),
        ("column-caller", 8),
        ("column-called", 8),
        ("column-talk", 3),
        ("column-end", 12),
    )
    RIGHT = ("column-talk",)
    TABLE = CallsTable
    BINDINGS: ClassVar[list[BindingType]] = [Binding("m", "more", "bind-more")]

    def __init__(self, search: Search) -> None:
        super().__init__(search)
        self._most = PAGE

    def look(self, stopped: Stopped) -> Found:
        """Read the newest calls."""
        return self.search.calls(self.number, self._most, stopped)

    def summary(self, found: Found) -> str:
        """Return how many there are."""
        if not found.calls:
            return say("no-calls")
        return say("view-more" if found.more else "count-calls", count=len(found.calls))

    def rows(self, found: Found) -> Iterable[tuple[str, Sequence[str]]]:
        """Return a row a call."""
        form = "%Y-%m-%d %H:%M:%S" if self.app.size.width >= WIDE else "%m-%d %H:%M:%S"
        for call in found.calls:
            record = call.first
            yield (
                record["record_id"],
                (
                    record.setup.strftime(form),
                    views.number_text(record["caller_number"]),
                    views.number_text(views.called_number(record)),
                    views.talk_text(record),
                    views.end_text(record),
                ),
            )

    def action_more(self) -> None:
        """Show older ones too."""
        if self.found is not None and self.found.more:
            self._most += PAGE
            self.read()

    async def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Show the call that the cursor is on."""
        if self.found is not None and event.cursor_row < len(self.found.calls):
            await self.app.push_screen(CallDialog(self.found.calls[event.cursor_row]))


class TotalsScreen(RecordsScreen):
    """The calls added up, by what the user chooses."""

    MODE = "totals"
    SHARES = (
        ("column-what", 6),
        ("column-calls", 2),
        ("column-answered", 2),
        ("column-talk", 2),
        ("column-mean", 2),
        ("column-longest", 2),
    )
    RIGHT = tuple(key for key, _ in SHARES[1:])
    BINDINGS: ClassVar[list[BindingType]] = [Binding("b", "by", "bind-by")]

    def __init__(self, search: Search) -> None:
        super().__init__(search)
        self._by = By.DAY

    def look(self, stopped: Stopped) -> Found:
        """Read all calls and add them up."""
        return self.search.totals(self.number, self._by, stopped)

    def summary(self, found: Found) -> str:
        """Return by what they are added up, and how many there are."""
        count = say("count-calls", count=found.everything.calls)
        summary = f"{say(f'column-{self._by}')}   {count}"
        if len(found.rows) > MOST_ROWS:
            summary += "   " + say("view-rows", count=MOST_ROWS, rows=len(found.rows))
        return summary

    def rows(self, found: Found) -> Iterable[tuple[str, Sequence[str]]]:
        """Return the rows, and all calls as the last."""
        named = [(name, views.number_text(name), row) for name, row in found.rows.items()]
        for name, shown, row in (*named[:MOST_ROWS], ("", say("row-all"), found.everything)):
            yield (
                name,
                (
                    shown,
                    str(row.calls),
                    str(row.answered),
                    *map(duration, (row.talk_s, row.mean_s, row.longest_s)),
                ),
            )

    def action_by(self) -> None:
        """Add up by the next thing."""
        kinds = list(By)
        self._by = kinds[(kinds.index(self._by) + 1) % len(kinds)]
        self.read()


class CallDialog(Dialog[None]):
    """All that is recorded of a call, in words.

    Args:
        call: which.
    """

    def __init__(self, call: Call) -> None:
        super().__init__(say("call-call"))
        self._call = call

    def body(self) -> Iterable[Widget]:
        """Return what stands in the box."""
        named = views.details(self._call)
        told = pairs((Text(name, style="bold"), Text(value)) for name, value in named if value)
        yield Static(told, markup=False)


def _distinct(rows: Iterable[tuple[str, Sequence[str]]]) -> list[Row]:
    """Return the rows with a key each of its own, whatever the files say."""
    seen: dict[str, int] = {}
    made = []
    for name, cells in rows:
        seen[name] = seen.get(name, 0) + 1
        made.append(Row(f"{name} {seen[name]}", tuple(map(Text, cells))))
    return made
