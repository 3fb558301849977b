"""The times that a user types."""

import datetime
import time
from collections.abc import Iterator

import pytest

from tui.minicdr.moments import Span, parse

NOON = datetime.datetime(2026, 10, 25, 12, tzinfo=datetime.timezone(datetime.timedelta(hours=1)))
"""The day on which Berlin's summer time ends: it has 25 hours."""


@pytest.fixture(autouse=True)
def _berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def utc(span: Span) -> tuple[str, str]:
    """Begin and end without their seconds."""
    begin, end = (one.astimezone(datetime.UTC) for one in (span.begin, span.end))
    return f"{begin:%Y-%m-%d %H:%M}", f"{end:%Y-%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("text", "begin", "end"),
    [
        ("today", "2026-10-24 22:00", "2026-10-25 23:00"),
        ("今天", "2026-10-24 22:00", "2026-10-25 23:00"),
        ("Yesterday", "2026-10-23 22:00", "2026-10-24 22:00"),
        ("昨天", "2026-10-23 22:00", "2026-10-24 22:00"),
        ("2026-10-25", "2026-10-24 22:00", "2026-10-25 23:00"),
        (" 20261026 ", "2026-10-25 23:00", "2026-10-26 23:00"),
        ("9:30", "2026-10-25 08:30", "2026-10-25 08:30"),
        ("09:30:59", "2026-10-25 08:30", "2026-10-25 08:30"),
        ("2026-10-24 09:30", "2026-10-24 07:30", "2026-10-24 07:30"),
        ("2026-10-24T09:30:00+08:00", "2026-10-24 01:30", "2026-10-24 01:30"),
    ],
)
def test_what_it_means(text: str, begin: str, end: str) -> None:
    assert utc(parse(text, NOON)) == (begin, end)


@pytest.mark.parametrize(
    "text", ["", "noon", "25:00", "2026-02-30", "2026-1-1", "9999-12-31", "0001-01-01T00:00+14:00"]
)
def test_no_time(text: str) -> None:
    with pytest.raises(ValueError):
        parse(text, NOON)
