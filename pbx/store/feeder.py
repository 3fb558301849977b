"""Brings call records from the CSV files into the database, each exactly once.

The files are the truth. How far each has been taken over stands in the database itself and
changes in the transaction that adds the rows, so an outage, a restart or a power cut neither
loses nor doubles a record. Only octets that are on the disk for certain are read: what a power
cut may still take away from a file must not be in the database.
"""

import logging
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from pbx.store import rows
from pbx.store.record_file import COLUMNS, FILES, decode_line
from pbx.store.schema import CDR_LENGTHS

log = logging.getLogger(__name__)

CHUNK = 256 * 1024
"""Octets read, and put into one transaction, at a time: some thousand records."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What one transaction brought over: `lines` of a file, up to `position`."""

    name: str
    position: int
    lines: int


class Feeder:
    """Follows the record files of one folder.

    Args:
        folder: where the record files are.
        folder_id: this data folder's name in the database.
    """

    def __init__(self, folder: Path, folder_id: str) -> None:
        self._folder = folder
        self.folder_id = folder_id
        self._durable: dict[str, int] = {}
        self._positions: dict[str, int] | None = None
        self._anew: set[str] = set()
        self._told: dict[str, int] = {}
        self.waiting = 0

    def look(self, positions: dict[str, int]) -> None:
        """Find every file with records beyond `positions`, and count those."""
        self._durable.clear()
        self._anew.clear()
        self._positions = None
        self.waiting = 0
        for path in sorted(self._folder.glob(FILES)):
            try:
                end = _sync(path)
                start = _start(positions.get(path.name, 0), end)
                lines = _read(path, start, end).count(b"\n")
            except OSError as error:
                log.error("%s can't be brought into the database: %s", path, error)
                continue
            self._durable[path.name] = end
            self.waiting += lines - (start == 0 and lines > 0)

    def written(self, name: str, end: int) -> None:
        """Take note that a record ends at octet `end` of a file, and is on the disk."""
        known, told = self._durable.get(name, 0), self._told.get(name, 0)
        if end <= told or _size(self._folder / name) < known:
            # Another file is in its place.
            self._anew.add(name)
            known = 0
        self._told[name] = end
        if end > known:
            self._durable[name] = end
            self.waiting += 1

    @property
    def hungry(self) -> bool:
        """True while there may be something to bring over."""
        return self._positions is None or any(True for _ in self._unread(self._positions))

    def interrupted(self) -> None:
        """Ask the database for its positions again: a commit may or may not have come about."""
        self._positions = None

    def feed(self, connection: Connection) -> Taken | None:
        """Bring the next piece over, within the transaction that is open on `connection`.

        The caller passes what this returns to `committed`, once it is.

        Raises:
            SQLAlchemyError: the database failed; call `interrupted`.
        """
        if self._positions is None:
            self._positions = rows.load_positions(connection, self.folder_id)
        for name, start, end in self._unread(self._positions):
            path = self._folder / name
            try:
                piece, columns = _read(path, start, min(end, start + CHUNK)), _columns(path)
            except OSError as error:
                log.error("%s can't be brought into the database: %s", path, error)
                del self._durable[name]
                continue
            whole = piece.rfind(b"\n") + 1
            if not whole and len(piece) == CHUNK:
                # no record is so long: only an editor can have written this
                whole = CHUNK
            if not whole:
                # a line that a power cut tore; `written` will say when there is more
                self._durable[name] = start
                continue
            lines = piece[:whole].splitlines(keepends=True)[start == 0 :]
            rows.insert_records(connection, _records(lines, columns, name))
            rows.set_position(connection, self.folder_id, name, start + whole)
            return Taken(name, start + whole, piece[:whole].count(b"\n") - (start == 0))
        return None

    def committed(self, taken: Taken | None) -> None:
        """Take note that the transaction of `feed` was committed; None: all is brought over."""
        if taken is None or self._positions is None:
            self.waiting = 0
            return
        self._positions[taken.name] = taken.position
        self._anew.discard(taken.name)
        self.waiting = max(0, self.waiting - taken.lines)

    def _unread(self, positions: dict[str, int]) -> Iterator[tuple[str, int, int]]:
        for name, end in sorted(self._durable.items()):
            start = 0 if name in self._anew else _start(positions.get(name, 0), end)
            if start < end:
                yield name, start, end


def _start(position: int, end: int) -> int:
    # A file shorter than it was has been replaced: it is read again, which doubles nothing.
    return position if position <= end else 0


def _size(path: Path) -> int:
    """Return how many octets a file has; 0 for none that can be had."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _sync(path: Path) -> int:
    """Put the file on the disk and return how long it is."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        return os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)


def _read(path: Path, start: int, end: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        return file.read(end - start)


def _columns(path: Path) -> list[str]:
    """The columns by the file's own header row, for files of other versions."""
    with path.open("rb") as file:
        try:
            columns = decode_line(file.readline(4096))
        except ValueError:
            columns = []
    return columns if "record_id" in columns else list(COLUMNS)


def _records(lines: Iterable[bytes], columns: list[str], name: str) -> dict[str, dict[str, object]]:
    """The rows of these lines by record id; a line that is no record is logged and left out."""
    found: dict[str, dict[str, object]] = {}
    for line in lines:
        try:
            values = decode_line(line)
            if len(values) != len(columns):
                raise ValueError(f"{len(values)} values")
            row = _row(dict(zip(columns, values, strict=True)))
        except ValueError as error:
            log.warning("%s: left out of the database: %s: %.200r", name, error, line)
            continue
        found[str(row["record_id"])] = row
    return found


def _row(values: dict[str, str]) -> dict[str, object]:
    row: dict[str, object] = {
        column: values.get(column, "")[:length] for column, length in CDR_LENGTHS.items()
    }
    if len(values.get("fci", "")) > CDR_LENGTHS["fci"]:
        # Half a number would be another one
        row["fci"] = values["fci"][: CDR_LENGTHS["fci"] + 1].rpartition(";")[0]
    duration = float(values.get("duration") or 0)
    if not math.isfinite(duration) or not row["record_id"]:
        raise ValueError("no record")
    return {**row, "duration": duration}
