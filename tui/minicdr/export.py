"""Call records for other programs: JSON and CSV."""

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from pbx.cdr.call import Record
from pbx.cdr.totals import By, Total
from pbx.store.record_file import COLUMNS, HEADER, encode_line
from tui.locale import reason
from tui.minicdr.locale import say

_TIMES = frozenset({"setup_time", "alert_time", "talk_time", "release_time"})


def as_object(record: Record) -> dict[str, object]:
    """Return a record for JSON: the columns by name, a time that never came as null."""
    shown: dict[str, object] = {
        name: (record[name] or None) if name in _TIMES else record[name] for name in COLUMNS
    }
    return {**shown, "duration": record.duration_s, "fci": record.fci}


def total_as_object(by: By, name: str | None, total: Total) -> dict[str, object]:
    """Return a row of totals for JSON; all calls have no name."""
    return {
        str(by): name,
        "calls": total.calls,
        "answered": total.answered,
        "talk_s": round(total.talk_s, 3),
        "mean_s": round(total.mean_s, 3),
        "longest_s": total.longest_s,
    }


def write_csv(file: str, rows: Iterable[Sequence[str]]) -> str | None:
    """Write a record file; return the sentence why that was not possible, else None.

    Args:
        file: the name of one that isn't there yet; ``-`` for the standard output.
        rows: the values of `COLUMNS` of each record.
    """
    if file == "-":
        _write(sys.stdout.fileno(), rows)
        return None
    path = Path(file)
    try:
        # As the exchange's own: for the owner only, and never in the place of another.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return say("csv-there", path=path)
    except OSError as error:
        return say("csv-unwritable", path=path, why=reason(error.strerror or str(error)))
    try:
        _write(descriptor, rows)
    except OSError as error:
        # half of the records would look like all of them
        path.unlink(missing_ok=True)
        return say("csv-unwritable", path=path, why=reason(error.strerror or str(error)))
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
    return None


def _write(descriptor: int, rows: Iterable[Sequence[str]]) -> None:
    with open(descriptor, "wb", closefd=False) as out:  # noqa: PTH123 - a descriptor
        out.write(HEADER)
        for row in rows:
            out.write(encode_line(row))
