"""The calls that ended last, out of records in any order."""

import datetime
from collections.abc import Iterator
from itertools import chain, groupby
from operator import itemgetter

from pbx.cdr.batch import Batch
from pbx.cdr.call import Call, Record, moment
from pbx.store.record_file import COLUMNS

SPARE = 2048
"""Records that are kept beyond those that are wanted, before the oldest are let go."""

Row = tuple[float, int, int]
"""A record: when its call ended, in which batch it is, and where in that."""


class Newest:
    """Collects records, and returns their calls in order.

    Args:
        most: so many calls are wanted at most, 0 for all; others take no memory.
    """

    def __init__(self, most: int = 0) -> None:
        self._most = most
        self._batches: list[Batch] = []
        self._ends: list[list[float]] = []
        self._count = 0

    def add(self, batch: Batch) -> None:
        """Add records that have all of `COLUMNS`."""
        self._batches.append(batch)
        self._ends.append(_ends(batch))
        self._count += len(batch)
        if self._most and self._count > self._most + SPARE:
            self.let_go()

    def join(self, after: "Newest") -> None:
        """Add the records that another one has, and that were read after these."""
        self._batches += after._batches
        self._ends += after._ends
        self._count += after._count

    def calls(self) -> Iterator[Call]:
        """Return the calls, newest first; the records of a call end at one time."""
        for _, rows in groupby(self._rows(), key=itemgetter(0)):
            # a copy of the file may have been named, too
            sides: dict[tuple[str, str], dict[str, Record]] = {}
            for _, number, place in rows:
                record = _record(self._batches[number], place)
                call = record["call_id"] or record["record_id"], record["setup_time"]
                sides.setdefault(call, {}).setdefault(record["record_id"], record)
            for records in sides.values():
                yield Call(tuple(records.values()))

    def _rows(self) -> list[Row]:
        rows = [
            (-end, number, place)
            for number, ends in enumerate(self._ends)
            for place, end in enumerate(ends)
        ]
        rows.sort()
        return rows

    def let_go(self) -> None:
        """Drop the records of all but the newest calls."""
        if not self._most or self._count <= self._most:
            return
        # Calls that end at one time count as one: rather too many are kept than too few.
        # In a dictionary they stay as nearly in order as they are in a file, and are soon sorted.
        last = sorted(dict.fromkeys(chain.from_iterable(self._ends)))[-self._most :][0]
        held = zip(self._batches, self._ends, strict=True)
        self._batches, self._ends = [], []
        for batch, ends in held:
            if max(ends) >= last:
                self._batches.append(batch.only(end >= last for end in ends))
                self._ends.append([end for end in ends if end >= last])
        self._count = sum(map(len, self._batches))


def _record(batch: Batch, place: int) -> Record:
    values = tuple(batch[name][place] for name in COLUMNS)
    return Record(batch.setups[place], batch.seconds[place], values)


def _ends(batch: Batch) -> list[float]:
    try:
        ends = map(datetime.datetime.fromisoformat, batch["release_time"])
        return list(map(datetime.datetime.timestamp, ends))
    except (ValueError, OverflowError):
        return list(map(_end, batch["release_time"], batch.setups))


def _end(release_time: str, setup: datetime.datetime) -> float:
    try:
        return (moment(release_time) or setup).timestamp()
    except (ValueError, OverflowError):
        # a year beyond what the system's calendar has
        return 0.0
