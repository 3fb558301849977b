"""The journal of the running calls, which a crash leaves behind.

It is written behind the exchange's back: a disk that is busy may take seconds for that.
"""

from pathlib import Path

TALKING = b'"resume":{'
"""In a line of a call in which two talk: what lets it go on after a restart."""


def journal_lines(folder: Path, *signs: bytes) -> list[bytes]:
    """Return the lines in the journal of a data folder that have all of these in them."""
    lines = (folder / "calls.journal").read_bytes().splitlines()
    return [one for one in lines if all(sign in one for sign in signs)]
