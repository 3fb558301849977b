"""The last lines of the log, for whoever looks through the control API."""

import datetime
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from pbx.ops.log import printable

KEPT = 1000
"""Lines; a few hundred octets each."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the log.

    Args:
        number: counts up from 1.
        when: ISO 8601 with offset.
        level: ``info``, ``warning`` or ``error``.
        text: without control characters.
    """

    number: int
    when: str
    level: str
    text: str


class RecentLines(logging.Handler):
    """Keeps the log's last lines, from ``info`` on.

    Args:
        added: called after each line, in the thread that wrote it.
    """

    def __init__(self, added: Callable[[], None]) -> None:
        super().__init__(logging.INFO)
        self._added = added
        self._lines: deque[Line] = deque(maxlen=KEPT)
        self._count = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record (logging calls this, under this object's lock)."""
        if record.levelno >= logging.ERROR:
            level = "error"
        else:
            level = "warning" if record.levelno >= logging.WARNING else "info"
        when = datetime.datetime.fromtimestamp(record.created).astimezone()
        self._count += 1
        self._lines.append(
            Line(
                self._count,
                when.isoformat(timespec="seconds"),
                level,
                printable(record.getMessage()),
            )
        )
        self._added()

    def after(self, number: int) -> list[Line]:
        """Return the lines after line `number`, the oldest first."""
        self.acquire()
        try:
            return [line for line in self._lines if line.number > number]
        finally:
            self.release()
