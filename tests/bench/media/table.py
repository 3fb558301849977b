"""The table of issue C: what was found beside what is asked for, each line met or not."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table.

    Args:
        what: is measured.
        unit: of both figures.
        ours: our figure; None where it could not be measured.
        other: whom we are compared with; empty where the bound is a figure by itself.
        theirs: its figure.
        bound: what `value` may be at the most; None where nothing is asked for.
        added: the bound is a difference, not a ratio.
    """

    what: str
    unit: str
    ours: float | None
    bound: float | None
    other: str = ""
    theirs: float | None = None
    added: bool = False

    @property
    def value(self) -> float | None:
        """What the bound is about: our figure, or its ratio or difference to the other's."""
        if self.ours is None or not self.other:
            return self.ours
        if self.theirs is None:
            return None
        return self.ours - self.theirs if self.added else self.ours / self.theirs

    @property
    def met(self) -> bool:
        """Whether it is as it has to be; what could not be measured isn't."""
        return self.bound is None or (self.value is not None and self.value <= self.bound)


_HEAD = """\
| what | unit | ours | beside | theirs | value | at most | met |
|---|---|---|---|---|---|---|---|"""


def markdown(lines: Sequence[Line]) -> str:
    """Return the table."""
    return "\n".join([_HEAD, *map(_row, lines)])


def _row(line: Line) -> str:
    sign = ("+" if line.added else "×") if line.other else ""
    met = "-" if line.bound is None else "yes" if line.met else "NO"
    return (
        f"| {line.what} | {line.unit} | {_figure(line.ours)} | {line.other or '-'} |"
        f" {_figure(line.theirs)} | {_figure(line.value, sign)} | {_figure(line.bound, sign)} |"
        f" {met} |"
    )


def _figure(value: float | None, sign: str = "") -> str:
    if value is None:
        return "-"
    space = " " if sign == "×" else ""
    return f"{sign}{space}{value:.2f}" if abs(value) < 100 else f"{sign}{space}{value:.0f}"
