"""Whether all that is on a screen has room, by its widgets: nothing sticks out, no text is cut."""

from collections import Counter
from collections.abc import Iterator

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text
from textual.app import App
from textual.content import Content
from textual.errors import NoWidget
from textual.geometry import Region
from textual.scroll_view import ScrollView
from textual.widget import Widget
from textual.widgets import Button, DataTable, Footer, Input, OptionList, Static
from textual.widgets._footer import FooterKey
from textual.widgets._toast import ToastRack

WIDE = 4000
"""Columns that no text needs."""

KEYS_FROM = 80
"""From so many columns on all keys stand in the last line; narrower terminals show the first of them."""


def faults(app: App[None]) -> list[str]:
    """Return what has no room on the screen that is seen, in words."""
    return [fault for widget in _seen(app) for fault in _faults(widget)]


def whole(widget: Widget) -> bool:
    """Tell whether all of a widget is seen; one that has just been made has no place yet."""
    try:
        place = widget.screen.find_widget(widget)
    except NoWidget:
        return False
    return bool(place.region) and place.clip.contains_region(place.region)


def _seen(app: App[None]) -> Iterator[Widget]:
    for widget in app.screen.walk_children(Widget):
        shown = all(one.display for one in widget.ancestors_with_self if isinstance(one, Widget))
        if shown and not isinstance(widget, ToastRack):
            yield widget


def _faults(widget: Widget) -> Iterator[str]:
    yield from _outside(widget)
    yield from _frame(widget)
    if isinstance(widget, (Static, Button, FooterKey)):
        yield from _text(widget)
    keys = widget.app.size.width >= KEYS_FROM
    if isinstance(widget, (Button, FooterKey) if keys else Button) and not whole(widget):
        yield f"{widget!r} is not to be seen as a whole"
    if isinstance(widget, Footer) and keys and widget.max_scroll_x:
        yield f"the keys need {widget.max_scroll_x} more columns"
    if isinstance(widget, Input) and cell_len(widget.placeholder) > widget.content_size.width:
        yield f"no room for {widget.placeholder!r}"
    if isinstance(widget, ScrollView) and widget.virtual_size.width > widget.size.width:
        yield f"{widget!r} is wider than its room"
    if isinstance(widget, OptionList):
        yield from _options(widget)
    if isinstance(widget, DataTable):
        yield from _cells(widget)


def _outside(widget: Widget) -> Iterator[str]:
    parent = widget.parent
    if not isinstance(parent, Widget) or isinstance(parent, ToastRack):
        return
    inside, room = widget.region, parent.region
    if inside.x < room.x or inside.right > room.right:
        yield f"{widget!r} sticks out of {parent!r} sideways: {inside} in {room}"
    scrolls = parent.styles.overflow_y in ("auto", "scroll") and widget.styles.dock == "none"
    if not scrolls and (inside.y < room.y or inside.bottom > room.bottom):
        yield f"{widget!r} sticks out of {parent!r}: {inside} in {room}"


def _frame(widget: Widget) -> Iterator[str]:
    """A corner and a line or blank stand on either side of what is written into a frame."""
    for written in (widget.border_title, widget.border_subtitle):
        if written and cell_len(Content.from_text(written).plain) > widget.region.width - 4:
            yield f"{widget!r} has no room for {written!r} in its frame"


def _text(widget: Widget) -> Iterator[str]:
    """Not a sign of the text is missing, however its lines are broken."""
    lines = widget.render_lines(Region(0, 0, *widget.region.size))
    lost = _signs(_plain(widget)) - _signs("".join(line.text for line in lines))
    if lost:
        yield f"{widget!r} shows all but {''.join(lost)!r} of {_plain(widget)!r}"


def _plain(widget: Widget) -> str:
    """The text as it is where there is room for all of it."""
    content = widget.content if isinstance(widget, Static) else widget.render()
    if isinstance(content, Content | Text):
        return content.plain
    if isinstance(content, str):
        return content
    console = Console(width=WIDE, color_system=None, legacy_windows=False)
    with console.capture() as capture:
        console.print(content, soft_wrap=False)
    return capture.get()


def _signs(text: str) -> Counter[str]:
    return Counter(sign for sign in text if not sign.isspace())


def _options(widget: OptionList) -> Iterator[str]:
    room = widget.scrollable_content_region.width
    for number in range(widget.option_count):
        prompt = widget.get_option_at_index(number).prompt
        if cell_len(str(prompt)) > room:
            yield f"no room for {prompt!r}"


def _cells(widget: DataTable[Text]) -> Iterator[str]:
    """Headings have room; a value that has none says so by `…` at its end."""
    for column in widget.columns.values():
        if column.label.cell_len > column.width:
            yield f"the heading {column.label} has {column.width} columns"
    for row in widget.rows:
        for cell in widget.get_row(row):
            if not (cell.no_wrap and cell.overflow == "ellipsis"):
                yield f"{cell!r} may be cut without a sign"
