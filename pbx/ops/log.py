"""The log on standard error: for people, or for systemd's journal."""

import logging
import os
import sys
from collections.abc import Mapping

CHATTY = ("alembic", "plugin.alembic", "asyncio", "uvicorn")
"""Libraries whose warnings we want and whose news nobody needs."""

_PRIORITIES = (
    (logging.CRITICAL, "<2>"),
    (logging.ERROR, "<3>"),
    (logging.WARNING, "<4>"),
    (logging.INFO, "<6>"),
)
"""syslog(3)'s levels as sd-daemon(3) writes them; below the last one it is <7>."""


class LineFormatter(logging.Formatter):
    r"""One record, one line, whatever a peer has put into it.

    Control characters are written as escapes such as ``\x1b``, so that no number and no user name
    can forge a line or speak to a terminal. What follows the line, a traceback, is indented.

    Args:
        journal: as systemd's journal wants it: the level as ``<N>`` before each line, no time.
    """

    def __init__(self, *, journal: bool) -> None:
        super().__init__("%(message)s" if journal else "%(asctime)s %(levelname)-7s %(message)s")
        self._journal = journal

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """Return the record's line without what may follow (logging calls this)."""
        return printable(super().formatMessage(record))

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as it is written (logging calls this)."""
        first, *more = super().format(record).splitlines() or [""]
        lines = [first, *(f"    {printable(line)}" for line in more)]
        prefix = _priority(record.levelno) if self._journal else ""
        return "\n".join(prefix + line for line in lines)


def printable(text: str) -> str:
    """Return `text` with everything that isn't printable as an escape."""
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text
    )


def _priority(level: int) -> str:
    return next((prefix for least, prefix in _PRIORITIES if level >= least), "<7>")


def log_to_stderr(environment: Mapping[str, str], *, verbose: bool) -> None:
    """Write this program's log to standard error.

    Args:
        environment: of the process; ``JOURNAL_STREAM`` tells whether the journal reads it.
        verbose: every detail.
    """
    for chatty in CHATTY:
        logging.getLogger(chatty).setLevel(logging.WARNING)
    output = logging.StreamHandler(sys.stderr)
    output.setFormatter(LineFormatter(journal=_is_journal(environment)))
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, handlers=[output])


def _is_journal(environment: Mapping[str, str]) -> bool:
    """Whether standard error itself is the journal's stream (systemd.exec(5)).

    The variable alone doesn't tell: a terminal on a desktop inherits it.
    """
    try:
        output = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return environment.get("JOURNAL_STREAM") == f"{output.st_dev}:{output.st_ino}"
