"""The kept inputs of a target: one file each, an input in base64 a line."""

import base64
from collections.abc import Iterable
from pathlib import Path

FOLDER = Path(__file__).parent / "corpus"


def kept(target: str) -> list[bytes]:
    """Return the inputs that are kept for a target."""
    path = FOLDER / f"{target}.txt"
    return [base64.b64decode(line) for line in path.read_text().splitlines()]


def keep(target: str, inputs: Iterable[bytes]) -> None:
    """Put inputs in the place of all that are kept for a target; in an order that doesn't change."""
    lines = sorted(
        {base64.b64encode(data).decode() for data in inputs}, key=lambda it: (len(it), it)
    )
    (FOLDER / f"{target}.txt").write_text("\n".join(lines) + "\n")
