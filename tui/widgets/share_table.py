"""A table whose columns share the width that there is."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text
from textual import events
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
        shares: the columns: the key of the heading, and the share of the width.
    """

    def __init__(self, shares: Sequence[tuple[str, int]]) -> None:
        super().__init__(cursor_type="row", classes="main")
        self._shares = tuple(shares)
        self._rows: tuple[Row, ...] = ()

    @property
    def chosen(self) -> str | None:
        """The key of the row that the cursor is on."""
        if not 0 <= self.cursor_row < len(self._rows):
            return None
        return self._rows[self.cursor_row].key

    def fill(self, rows: Sequence[Row]) -> None:
        """Show `rows` and nothing else."""
        old, self._rows = self._rows, tuple(rows)
        if not self.columns:
            # Nothing has been laid out yet.
            return
        if [row.key for row in old] != [row.key for row in self._rows]:
            self._write(old)
            return
        for before, row in zip(old, self._rows, strict=True):
            for (key, _), was, cell in zip(self._shares, before.cells, row.cells, strict=True):
                if was != cell or was.style != cell.style:
                    self.update_cell(row.key, key, _cut(cell))

    def on_resize(self, event: events.Resize) -> None:
        """Share out the new width."""
        room = self.scrollable_content_region.width - 2 * self.cell_padding * len(self._shares)
        whole = sum(share for _, share in self._shares)
        self.clear(columns=True)
        used = 0
        for position, (key, share) in enumerate(self._shares):
            last = position == len(self._shares) - 1
            width = max(1, room - used if last else room * share // whole)
            self.add_column(_cut(Text(say(key))), width=width, key=key)
            used += width
        self._write(self._rows)

    def _write(self, old: Sequence[Row]) -> None:
        """Write all rows anew; the cursor stays where it was among `old`."""
        line = self.cursor_row
        key = old[line].key if 0 <= line < len(old) else ""
        self.clear()
        for row in self._rows:
            self.add_row(*map(_cut, row.cells), key=row.key)
        places = {row.key: place for place, row in enumerate(self._rows)}
        self.move_cursor(row=places.get(key, min(line, len(self._rows) - 1)))


def _cut(text: Text) -> Text:
    """Have what is too long for its column end in ``…``."""
    text.no_wrap = True
    text.overflow = "ellipsis"
    return text
