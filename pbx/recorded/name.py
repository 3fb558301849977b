"""The name of a recording's file: the day and time when it began, who called whom, and the call."""

import re
from dataclasses import dataclass
from datetime import date, datetime

_DAY = re.compile(r"[0-9]{8}")
_NAME = re.compile(
    r"(?P<day>[0-9]{8})/(?P<time>[0-9]{6})"
    r"_(?P<caller>[0-9A-Za-z+*#-]*)_(?P<called>[0-9A-Za-z+*#-]*)_(?P<call>[0-9A-Za-z+*#-]*?)"
    r"(?:_[0-9]+)?(?:-part[0-9]+)?\.wav"
)


@dataclass(frozen=True, slots=True)
class RecordingName:
    """What a file's name tells.

    Args:
        begun: local time, to the second.
        caller, called: numbers; characters that no file's name has are a hyphen.
        call: the exchange's id of it.
    """

    begun: datetime
    caller: str
    called: str
    call: str


def today() -> date:
    """Return the day that recordings which begin now belong to."""
    return datetime.now().astimezone().date()


def read_name(name: str) -> RecordingName | None:
    """Return what a name within the folder of recordings tells; None where it is none of ours."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    try:
        begun = datetime.strptime(found["day"] + found["time"], "%Y%m%d%H%M%S")  # noqa: DTZ007
    except ValueError:
        return None
    return RecordingName(begun, found["caller"], found["called"], found["call"])


def day_named(text: str) -> str | None:
    """Return the name of the folder of a day that is written by ISO 8601, ``20261224`` or ``2026-12-24``.

    None where it is no day.
    """
    try:
        return date.fromisoformat(text).isoformat().replace("-", "")
    except ValueError:
        return None


def read_day(name: str) -> date | None:
    """Return the day whose folder is called so, ``YYYYMMDD``; None where it is none of ours."""
    if not _DAY.fullmatch(name):
        return None
    try:
        return datetime.strptime(name, "%Y%m%d").date()  # noqa: DTZ007
    except ValueError:
        return None
