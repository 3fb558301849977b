"""Binary record files, and the layouts that they may have.

A package that knows another layout names it as an entry point of the group `GROUP`: an object with what
`BinaryLayout` has. `minicdr` then reads and converts such files as it does those of `pbx.cdr.packed`.
"""

from collections.abc import Iterator, Sequence
from importlib.metadata import entry_points
from typing import BinaryIO, Protocol

SUFFIX = ".cdr"

GROUP = "minisipserver.cdr_layouts"

HEAD = 64
"""Octets from a file's begin by which its layout is told."""


class Unproved(ValueError):
    """The rest of a file is refused.

    Args:
        key: ``torn`` (the file ends within a record) or ``unproved`` (what comes is not right).
    """

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class BinaryLayout(Protocol):
    """A layout of binary record files."""

    name: str

    def fits(self, head: bytes) -> bool:
        """Tell whether a file whose first `HEAD` octets are these is in this layout, for certain."""

    def rows(self, file: BinaryIO) -> Iterator[Sequence[str]]:
        """Return the values of each record, those of `pbx.store.record_file.COLUMNS`.

        Args:
            file: at its begin.

        Raises:
            Unproved: the layout's own check says that the rest is damaged, or no records.
        """


def layout_of(head: bytes) -> BinaryLayout | None:
    """Return the layout of the file that begins so; None where none fits."""
    # It needs this module.
    from pbx.cdr.packed import PackedLayout

    packed = PackedLayout()
    if packed.fits(head):
        return packed
    for entry in entry_points(group=GROUP):
        layout: BinaryLayout = entry.load()
        if layout.fits(head):
            return layout
    return None
