"""A table whose columns share the width that there is."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.widgets import DataTable

from tui.locale import say


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table.

    Args:
        key: what it is known by while the table changes.
        cells: one a column.
    """

    key: str
    cells: tuple[Text, ...]

    def matches(self, text: str) -> bool:
        """Tell whether `text` stands anywhere in it, whatever the case."""
        return any(text.casefold() in cell.plain.casefold() for cell in self.cells)


class ShareTable(DataTable[Text]):
    """Rows with a cursor; the cursor stays on its row when others come and go.

    Args:
        shares: the columns: the key of the heading, and the share of the width that headings leave.
        words: returns a heading by its key.
        right: keys of the columns whose cells are numbers, one under the other by their ends.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("home", "scroll_top", show=False),
        Binding("end", "scroll_bottom", show=False),
    ]

    def __init__(
        self,
        shares: Sequence[tuple[str, int]],
        words: Callable[[str], str] = say,
        right: Collection[str] = (),
    ) -> None:
        super().__init__(cursor_type="row", classes="main")
        self._shares = tuple(shares)
        self._words = words
        self._right = frozenset(right)
        self._rows: tuple[Row, ...] = ()
        self._was: tuple[str | None, int] = None, 0
        """The row that the cursor was on, and its line: rows that all go may come again."""

    @property
    def chosen(self) -> str | None:
        """The key of the row that the cursor is on."""
        if not 0 <= self.cursor_row < len(self._rows):
            return None
        return self._rows[self.cursor_row].key

    def choose(self, key: str) -> bool:
        """Put the cursor on the row with this key; tell whether there is one."""
        places = [place for place, row in enumerate(self._rows) if row.key == key]
        if places and self.columns:
            self.move_cursor(row=places[0])
        return bool(places)

    def fill(self, rows: Sequence[Row]) -> None:
        """Show `rows` and nothing else."""
        old, self._rows = self._rows, tuple(rows)
        if not self.columns:
            # Nothing has been laid out yet.
            return
        if [row.key for row in old] != [row.key for row in self._rows]:
            line = self.cursor_row
            if old:
                self._was = old[line].key if 0 <= line < len(old) else None, line
            self._write(*self._was)
            return
        for before, row in zip(old, self._rows, strict=True):
            for (key, _), was, cell in zip(self._shares, before.cells, row.cells, strict=True):
                if was != cell or was.style != cell.style:
                    self.update_cell(row.key, key, self._fitted(key, cell))

    def on_resize(self, event: events.Resize) -> None:
        """Share out the new width."""
        labels = [self._fitted(key, Text(self._words(key))) for key, _ in self._shares]
        room = self.scrollable_content_region.width - 2 * self.cell_padding * len(labels)
        rest = max(0, room - sum(label.cell_len for label in labels))
        # Of no column is a part lost by rounding.
        ends = list(accumulate(share for _, share in self._shares))
        edges = [rest * end // ends[-1] for end in (0, *ends)]
        widths = [
            label.cell_len + after - before
            for label, (before, after) in zip(labels, pairwise(edges), strict=True)
        ]
        if widths == [column.width for column in self.columns.values()]:
            # What is below the table has grown: the cursor's row stays in sight.
            self.move_cursor(row=self.cursor_row)
            return
        chosen, line = self.chosen, self.cursor_row
        self.clear(columns=True)
        for (key, _), label, width in zip(self._shares, labels, widths, strict=True):
            self.add_column(label, width=width, key=key)
        self._write(chosen, line)

    def _write(self, chosen: str | None, line: int) -> None:
        """Write all rows anew; the cursor stays on the row `chosen`, or else on its line."""
        self.clear()
        for row in self._rows:
            cells = zip(self._shares, row.cells, strict=True)
            self.add_row(*(self._fitted(key, cell) for (key, _), cell in cells), key=row.key)
        places = {row.key: place for place, row in enumerate(self._rows)}
        self.move_cursor(row=places.get(chosen or "", min(line, len(self._rows) - 1)))

    def _fitted(self, key: str, text: Text) -> Text:
        """Have what is too long for its column end in ``…``, and numbers stand at its right."""
        text.no_wrap = True
        text.overflow = "ellipsis"
        text.justify = "right" if key in self._right else "left"
        return text
