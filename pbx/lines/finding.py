"""What the line doctor finds: a mark and a sentence for each step."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from pbx.locale import say

STEPS: tuple[str, ...] = (
    "dns",
    "reach",
    "register",
    "authentication",
    "identity",
    "outgoing",
    "incoming",
    "sound",
)
"""In the order in which they are taken."""


class Mark(Enum):
    """How a step went."""

    GOOD = "good"
    NOTE = "note"
    """It works, but somebody should know something about it."""
    BAD = "bad"
    SKIPPED = "skipped"
    """It could not be tried, or was not asked for."""

    __hash__ = object.__hash__


@dataclass(frozen=True, slots=True)
class Finding:
    """What a step has found.

    Args:
        step: of `STEPS`.
        mark: how it went.
        slug: `pbx.locale` has its sentence under ``doctor-SLUG``.
        values: what is put into the sentence.
    """

    step: str
    mark: Mark
    slug: str
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """It in words, in the language spoken."""
        return say(f"doctor-{self.slug}", **self.values)


def finding(step: str, mark: Mark, slug: str, **values: object) -> Finding:
    """Return a finding whose values are texts."""
    return Finding(step, mark, slug, {name: str(value) for name, value in values.items()})
