"""A table whose columns share the width that there is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("home", "scroll_top", show=False),
        Binding("end", "scroll_bottom", show=False),
    ]

    def __init__(
        self, shares: Sequence[tuple[str, int]], words: Callable[[str], str] = say
    ) -> None:
        super().__init__(cursor_type="row", classes="main")
        self._shares = tuple(shares)
        self._words = words
        self._rows: tuple[Row, ...] = ()

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
            self._write(old[line].key if 0 <= line < len(old) else None, line)
            return
        for before, row in zip(old, self._rows, strict=True):
            for (key, _), was, cell in zip(self._shares, before.cells, row.cells, strict=True):
                if was != cell or was.style != cell.style:
                    self.update_cell(row.key, key, _cut(cell))

    def on_resize(self, event: events.Resize) -> None:
        """Share out the new width."""
        labels = [Text(self._words(key)) for key, _ in self._shares]
        room = self.scrollable_content_region.width - 2 * self.cell_padding * len(labels)
        rest = max(0, room - sum(label.cell_len for label in labels))
        whole = sum(share for _, share in self._shares)
        widths = [
            label.cell_len + rest * share // whole
            for label, (_, share) in zip(labels, self._shares, strict=True)
        ]
        if widths == [column.width for column in self.columns.values()]:
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
            self.add_row(*map(_cut, row.cells), key=row.key)
        places = {row.key: place for place, row in enumerate(self._rows)}
        self.move_cursor(row=places.get(chosen or "", min(line, len(self._rows) - 1)))


def _cut(text: Text) -> Text:
    """Have what is too long for its column end in ``…``."""
    text.no_wrap = True
    text.overflow = "ellipsis"
    return text
