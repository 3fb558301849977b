"""What of many record files can be read apart from the rest, at the same time."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pbx.cdr import span
from pbx.cdr.span import Span, cut


@dataclass(frozen=True, slots=True)
class Part:
    """Spans, in their order.

    Args:
        size: of them, in octets.
        alone: no other part can have records of the same calls.
    """

    spans: tuple[Span, ...]
    size: int
    alone: bool = False


def whole(group: Sequence[Path]) -> Part:
    """Return the only part of files."""
    return Part(tuple(map(Span, group)), sum(map(_size, group)), alone=True)


def parts(group: Sequence[Path]) -> list[Part]:
    """Return the parts of files whose calls may have ended in the same time: each some `span.SPAN` large."""
    everything = whole(group)
    # A pipe can be read but once.
    if everything.size <= span.SPAN or any(path.exists() and not path.is_file() for path in group):
        return [everything]
    made: list[Part] = []
    spans: list[Span] = []
    size = 0
    for path in group:
        found = _cut(path)
        for one in found:
            spans.append(one)
            size += _size(path) // len(found)
            if size > span.SPAN // 2:
                made.append(Part(tuple(spans), size))
                spans, size = [], 0
    return [*made, Part(tuple(spans), size)] if spans else made


def _cut(path: Path) -> list[Span]:
    try:
        return cut(path)
    except OSError:
        # Who reads it tells why not.
        return [Span(path)]


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0
