"""What becomes of a call's facts: the journal while it runs, its records when it has ended."""

import datetime
import logging
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from pbx.call.cause import CallTag, by_server
from pbx.call.facts import CallFacts
from pbx.call.journal import CallState
from pbx.cdr.csv_writer import CsvWriter
from pbx.cdr.disk import DiskQueue, DiskThread, Lane
from pbx.cdr.journal import Journal, Unended
from pbx.cdr.record import CallRecord, entry_of, records_of
from pbx.config.data_folder import DataFolder
from pbx.config.settings import CdrSettings
from pbx.errors import MisuseError, StartError
from pbx.locale import say

log = logging.getLogger(__name__)

BEAT_S = 10.0
"""How far the release time of a call that a power cut ended may be off."""


class RecordReader(Protocol):
    """Who follows the record files: the store."""

    def record_written(self, path: Path, offset: int) -> None:
        """Take note that `path` has a record that ends at `offset` and is on the disk."""


class Ledger:
    """Keeps call records; nothing that it is told makes the exchange wait.

    Args:
        folder: the data folder, open.
        reader: told of every record that is on the disk.
        settings: which sides of a call leave a record.
        zone: of the records' days and times; None for the machine's own.
        wall: seconds since 1970.
    """

    def __init__(
        self,
        folder: DataFolder,
        reader: RecordReader,
        settings: CdrSettings,
        *,
        zone: datetime.tzinfo | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._sides = settings.sides
        self._csv = CsvWriter(folder.cdr, reader.record_written, zone)
        self._journal = Journal(folder.path / "calls.journal")
        self._queue = DiskQueue(
            # in this order: first the record, then that the call needs none any more
            (self._csv.sync, self._journal.sync),
            lambda: self._journal.beat(wall()),
            BEAT_S,
        )
        self._thread = DiskThread(self._queue)
        self._recorded: set[str] = set()

    def open(self) -> list[Unended]:
        """Mend the files, leave records of calls that a crash has ended, and start writing.

        Returns:
            Calls that may go on; each is to be resumed, or given to `interrupted`.

        Raises:
            StartError: the files can't be read or written.
        """
        try:
            self._csv.repair()
            unended = self._journal.recover()
            records = [record for each in unended for record in self._interrupted(each)]
            known = self._csv.known(record.record_id for record in records)
        except OSError as error:
            why = error.strerror or error
            sentence = say("records-unusable", path=self._folder.path, why=why)
            raise StartError(sentence, os.EX_IOERR) from error
        self._recorded = known
        self._thread.start()
        going_on = []
        for each in unended:
            ended = any(record.record_id in known for record in self._interrupted(each))
            if each.call.resume is not None and not ended:
                going_on.append(each)
            else:
                self.interrupted(each)
        return going_on

    def interrupted(self, unended: Unended) -> None:
        """Leave the records of a call that a crash has ended."""
        # A crash between the records and the note of the call's end leaves nothing to add.
        missing = [
            record
            for record in self._interrupted(unended)
            if record.record_id not in self._recorded
        ]
        for record in missing:
            log.warning("call %s was cut off by a restart", record.record_id)
        self._end(unended.call.id, missing)

    def _end(self, call_id: str, records: Sequence[CallRecord]) -> None:
        """Write a call's records, and have the journal forget it then.

        In the journal's own lane, so that it comes after what the journal was told before.
        """
        if records:
            self._thread.post(Lane.RECORDS, partial(self._csv.append, records))
        end = partial(self._journal.end, call_id)
        self._thread.post(Lane.RECORDS, partial(self._thread.post, Lane.JOURNAL, end))

    def _interrupted(self, unended: Unended) -> list[CallRecord]:
        cause = by_server(CallTag.RESTART)
        return records_of(unended.call, cause, unended.last_wall_s, self._sides)

    @property
    def waiting(self) -> int:
        """Writes that have not been done yet: many, where the disk is full."""
        return len(self._queue)

    @property
    def failing(self) -> bool:
        """Whether the disk refuses what is written."""
        return self._queue.failing

    def changed(self, facts: CallFacts, offset_s: float, resume: CallState | None = None) -> None:
        """Note that a call began, rings, or was answered.

        Args:
            offset_s: what the wall clock, in seconds since 1970, is ahead of the facts' clock.
            resume: what an answered call needs to go on after a crash.
        """
        entry = entry_of(facts, offset_s, resume)
        self._thread.post(Lane.JOURNAL, partial(self._journal.put, entry))

    def ended(self, facts: CallFacts, offset_s: float) -> None:
        """Leave the records of a call that is over; arguments as for `changed`."""
        if facts.cause is None or facts.release is None:
            raise MisuseError("a call without a cause has not ended")
        entry = entry_of(facts, offset_s)
        released_s = facts.release + offset_s
        self._end(facts.id, records_of(entry, facts.cause, released_s, self._sides))

    def close(self) -> None:
        """Write and sync what has been told."""
        self._thread.close()
