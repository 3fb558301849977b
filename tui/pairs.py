"""Names and values side by side, as screens and dialogs show them."""

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text


def pairs(rows: Iterable[tuple[Text, Text]], gap: int = 2) -> Table:
    """Return names and values in two columns; a long value is broken inside its column.

    Args:
        gap: blanks between the two.
    """
    table = Table.grid(padding=(0, gap, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, value)
    return table
