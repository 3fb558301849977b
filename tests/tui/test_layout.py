"""The rule of layout: shares of what there is, never places or sizes on the screen.

Sizes are fractions (``fr``, ``%``, ``vw``, ``vh``) or what the content needs (``auto``). In cells are
only: a height of 1 (a line) or 3 (a line in its frame); a least or greatest height of up to 5 lines;
margins and paddings of up to 2.
"""

import re
from pathlib import Path

import pytest
from textual.css.scalar import Scalar, Unit
from textual.css.stylesheet import Stylesheet
from textual.geometry import Spacing

import tui

ROOT = Path(tui.__file__).parent

SHEETS = sorted(ROOT.rglob("*.tcss"))

PLACES = {"position", "offset", "offset_x", "offset_y", "overlay", "constrain_x", "constrain_y"}
SIZES = {
    "width": (),
    "height": (1, 3),
    "min_width": (),
    "max_width": (),
    "min_height": (1, 2, 3, 4, 5),
    "max_height": (1, 2, 3, 4, 5),
}
"""What may be said in cells."""

MOST_SPACE = 2


def breaches(sheet: str) -> list[str]:
    """Return what a stylesheet says against the rule."""
    parsed = Stylesheet(variables={})
    parsed.add_source(sheet, ("test", ""))
    found = []
    for rules in parsed.rules:
        for name, value in rules.styles.get_rules().items():
            wrong = name in PLACES
            if isinstance(value, Scalar) and value.unit is Unit.CELLS:
                wrong |= value.value not in SIZES.get(name, ())
            elif isinstance(value, Spacing):
                wrong |= max(value) > MOST_SPACE
            if wrong:
                found.append(f"{rules.selectors}: {name}: {value}")
    return found


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda path: path.name)
def test_sizes_are_shares(sheet: Path) -> None:
    assert breaches(sheet.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "line",
    [
        "width: 40",
        "height: 12",
        "max-width: 60",
        "offset: 2 3",
        "position: absolute",
        "margin: 0 9",
    ],
)
def test_a_breach_is_found(line: str) -> None:
    assert len(breaches(f"Widget {{ {line}; }}")) >= 1


def test_no_size_is_set_elsewhere() -> None:
    for source in ROOT.rglob("*.py"):
        text = source.read_text("utf-8")
        assert not re.search(r"\bDEFAULT_CSS\b|\bCSS = |\.styles\.\w+ = ", text), source
