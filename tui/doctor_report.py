"""How the line doctor's findings look in a terminal."""

from collections.abc import Iterable

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from pbx.api.schema import Examination, Finding
from pbx.locale import say as say_of_exchange
from tui import report
from tui.clean import clean
from tui.locale import say, with_reason

MARKS = {
    "good": ("●", "green"),
    "note": ("◐", "yellow"),
    "bad": ("✗", "red"),
    "skipped": ("○", "dim"),
}
"""The words are ``mark-…``."""

STEPS = (
    "dns",
    "reach",
    "register",
    "authentication",
    "identity",
    "outgoing",
    "incoming",
    "sound",
)
"""The words are ``step-…``."""


def show_findings(findings: Iterable[Finding]) -> None:
    """Print findings, each with its mark and sentence."""
    out = report.console()
    for one in findings:
        out.print(row(one), soft_wrap=True)


def show_end(examination: Examination) -> None:
    """Print what it comes to."""
    report.show_sentence(end(examination))


def row(found: Finding) -> Text:
    """Return a finding with its mark, its step's name and its sentence."""
    # Neither the mark's colour nor bold
    return Text("").append(head(found)).append("  ").append(sentence(found))


def head(found: Finding) -> Text:
    """Return a finding's mark and its step's name."""
    symbol, style = MARKS.get(found.mark, ("○", ""))
    mark = _padded("mark", found.mark, MARKS)
    told = Text(f"{symbol} {mark}  ", style=style)
    return told.append(_padded("step", found.step, STEPS), style="bold")


def _padded(kind: str, name: str, names: Iterable[str]) -> str:
    """A word, as wide as any of its kind."""
    words = {one: say(f"{kind}-{one}") for one in names}
    width = max(map(cell_len, words.values()))
    return set_cell_size(words.get(name, clean(name)), width)


def end(examination: Examination) -> str:
    """Return what an examination comes to."""
    bad = any(one.mark == "bad" for one in examination.findings)
    return say("doctor-bad" if bad else "doctor-good")


def sentence(found: Finding) -> str:
    """Return a finding in the user's language; what a newer exchange says in words of its own."""
    key = f"doctor-{found.slug}"
    try:
        words = say_of_exchange(key, **with_reason(found.values))
    except (KeyError, IndexError):
        words = f"{found.slug}: " + ", ".join(
            f"{name} {value}" for name, value in found.values.items()
        )
    return clean(words)
