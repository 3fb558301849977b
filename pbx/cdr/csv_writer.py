"""The record files: one a day, one record a line, never a torn line in the middle."""

import contextlib
import datetime
import logging
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from pbx.cdr.disk import append_whole, sync_file
from pbx.cdr.record import CallRecord
from pbx.store.record_file import COLUMNS, FILES, HEADER, decode_line, encode_line

log = logging.getLogger(__name__)

_TAIL = 64 * 1024
"""Octets from the end in which the last line must begin; a record has some hundred."""


class CsvWriter:
    """Appends call records to the files of a folder.

    Args:
        folder: where the files go.
        written: told a file, and the octet up to which it is on the disk for certain.
        zone: of days and times; None for the machine's own.
    """

    def __init__(
        self,
        folder: Path,
        written: Callable[[Path, int], None],
        zone: datetime.tzinfo | None = None,
    ) -> None:
        self._folder = folder
        self._written = written
        self._zone = zone
        self._unsynced: dict[Path, list[int]] = {}

    def append(self, records: Sequence[CallRecord]) -> None:
        """Append a call's records to its day's file; make the folder where it is gone.

        One write, so that who reads the file finds all sides of a call or none.

        Args:
            records: of one call, at least one.

        Raises:
            OSError: nothing was written (the disk is full).
        """
        self._folder.mkdir(mode=0o700, exist_ok=True)
        path = self._folder / records[0].file_name(self._zone)
        lines = [encode_line(record.values(self._zone)) for record in records]
        end = append_whole(path, b"".join(lines), head=HEADER)
        behind = [sum(map(len, lines[place:])) for place in range(1, len(lines) + 1)]
        self._unsynced.setdefault(path, []).extend(end - octets for octets in behind)

    def sync(self) -> None:
        """Put everything on the disk and tell it to `written`, record by record.

        Raises:
            OSError: the disk failed; nothing of the file that failed is told.
        """
        if self._unsynced:
            with contextlib.suppress(FileNotFoundError):
                sync_file(self._folder)
        while self._unsynced:
            path = next(iter(self._unsynced))
            try:
                sync_file(path)
            except FileNotFoundError:
                log.warning("%s has been taken away with fresh records in it", path)
                del self._unsynced[path]
                continue
            for end in self._unsynced.pop(path):
                self._written(path, end)

    def repair(self) -> None:
        """Mend the last lines that a power cut has torn.

        A torn line goes to a file beside its own, so that the next record begins on a line of
        its own and nothing is lost; the journal knows the call and makes a new record.

        Raises:
            OSError: a file can't be read or written.
        """
        for path in self._newest():
            self._repair(path)

    def known(self, record_ids: Iterable[str]) -> set[str]:
        """Return which of these records the newest files have.

        Raises:
            OSError: a file can't be read.
        """
        wanted = {record_id.encode(): record_id for record_id in record_ids}
        found: set[str] = set()
        if not wanted:
            return found
        for path in self._newest():
            with path.open("rb") as file:
                ids = (line.partition(b",")[0] for line in file)
                found.update(wanted[record_id] for record_id in ids if record_id in wanted)
        return found

    def _newest(self) -> list[Path]:
        # Two: around midnight the last records may stand in the day before.
        return sorted(self._folder.glob(FILES))[-2:]

    def _repair(self, path: Path) -> None:
        with path.open("r+b") as file:
            size = file.seek(0, os.SEEK_END)
            start = max(0, size - _TAIL)
            file.seek(start)
            tail = file.read()
            whole = tail.rfind(b"\n") + 1
            torn = tail[whole:]
            if not torn or (not whole and start):
                return
            if torn.endswith(b"\r") and _is_record(torn):
                file.write(b"\n")
            else:
                # Some file systems fill what they had not yet written with zeros.
                if rest := torn.strip(b"\0"):
                    aside = path.with_suffix(".torn")
                    append_whole(aside, rest + b"\r\n")
                    sync_file(aside)
                    log.warning("%s: a power cut tore the last line; it is in %s", path, aside)
                file.truncate(start + whole)
            file.flush()
            os.fsync(file.fileno())


def _is_record(line: bytes) -> bool:
    try:
        return len(decode_line(line)) == len(COLUMNS)
    except ValueError:
        return False
