"""The times that a user types."""

import datetime
import re
from dataclasses import dataclass

_DAYS = {"today": 0, "yesterday": 1, "今天": 0, "昨天": 1}

_COMPACT_DAY = re.compile(r"\d{8}", re.ASCII)
_CLOCK = re.compile(r"\d\d?:\d\d(:\d\d)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Span:
    """What a time means: the moment where it begins, and the one where it is over.

    A time of day has no length, so that `begin` and `end` are one.
    """

    begin: datetime.datetime
    end: datetime.datetime


def parse(text: str, now: datetime.datetime) -> Span:
    """Return what `text` means; what names no zone is meant in the machine's own.

    Args:
        text: ``2026-11-29``, ``20261129``, ``2026-11-29 14:30``, ``14:30`` (today), ISO 8601 with an
            offset, ``today`` or ``yesterday``.
        now: with its zone.

    Raises:
        ValueError: it is no time.
    """
    text = text.strip()
    try:
        day = read_day(text, now.date())
        if day is not None:
            return Span(_midnight(day), _midnight(day + datetime.timedelta(days=1)))
        if _CLOCK.fullmatch(text):
            text = (
                f"{now.date()}T{text:0>5}" if text.count(":") == 1 else f"{now.date()}T{text:0>8}"
            )
        moment = datetime.datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.astimezone()
        # a year that other zones don't have would fail later
        moment.astimezone(datetime.UTC)
    except OverflowError as error:
        raise ValueError(str(error)) from error
    return Span(moment, moment)


def read_day(text: str, today: datetime.date) -> datetime.date | None:
    """Return the day that `text` means; None where it is none.

    Raises:
        ValueError: it looks like one, and there is no such day.
    """
    if text.lower() in _DAYS:
        return today - datetime.timedelta(days=_DAYS[text.lower()])
    if _COMPACT_DAY.fullmatch(text) or (len(text) == 10 and text.count("-") == 2):
        return datetime.date.fromisoformat(text)
    return None


def _midnight(day: datetime.date) -> datetime.datetime:
    return datetime.datetime.combine(day, datetime.time()).astimezone()
