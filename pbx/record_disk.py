"""The disk that calls are recorded on: old files go, and room is left."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from pathlib import Path

from pbx.call.recordings import Recordings
from pbx.config.recording import RecordingSettings
from pbx.recorded.folder import RecordingFolder
from pbx.recorded.name import today
from pbx.recorded.retention import MEGABYTE, Failure, Retention

log = logging.getLogger(__name__)

NO_ROOM = "the disk has no room for recordings"
"""What a call's record says where it is not, or no longer, recorded for that."""

EVERY_S = 3600.0
"""How often the folder is looked at where no recording ends."""


class RecordDisk:
    """Keeps the folder of recordings within its limits.

    Args:
        folder: of the recordings.
        settings: the limits.
        recordings: what goes on.
        pump: carries through what has been changed there.
    """

    def __init__(
        self,
        folder: Path,
        settings: RecordingSettings,
        recordings: Recordings,
        pump: Callable[[], None],
    ) -> None:
        self._folder = RecordingFolder(folder)
        self._retention = Retention(self._folder, settings.keep_days, settings.most_mb)
        self._least_mb = settings.least_free_mb
        self._recordings = recordings
        self._pump = pump
        self._occasion = asyncio.Event()
        self._running: frozenset[str] = frozenset()
        self._failure: Failure | None = None
        self._lacking = False
        recordings.refusal = self._refusal

    async def keep(self) -> None:
        """Remove what is too old or too much: now, after recordings, and every now and then."""
        while self._retention.wanted:
            self._occasion.clear()
            running = self._recordings.running
            self._note(await asyncio.to_thread(self._retention.apply, running, today()))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._occasion.wait(), EVERY_S)

    def follow(self) -> None:
        """See which recordings have ended, and whether there's room for the others.

        To be called every few seconds.
        """
        before, self._running = self._running, self._recordings.running
        if before - self._running:
            self._occasion.set()
        if self._lacking and self._enough:
            self._lacking = False
            log.info("calls can be recorded again")
        if self._running and (why := self._refusal()):
            self._recordings.stop_all(why)
            self._pump()

    @property
    def lacking_mb(self) -> int:
        """What must be free where a recording has been refused or ended for that; else 0."""
        return self._least_mb if self._lacking else 0

    @property
    def failure(self) -> tuple[str, str] | None:
        """A recording that should go and can't be removed, and why; None where all is well."""
        return (self._failure.name, self._failure.why) if self._failure else None

    @property
    def _enough(self) -> bool:
        return not self._least_mb or self._folder.free() >= self._least_mb * MEGABYTE

    def _refusal(self) -> str:
        if self._enough:
            return ""
        if not self._lacking:
            self._lacking = True
            log.warning("no call is recorded: less than %d MB are free", self._least_mb)
        return NO_ROOM

    def _note(self, failure: Failure | None) -> None:
        if failure is not None and failure != self._failure:
            log.error("recording %s can't be removed: %s", failure.name, failure.why)
        self._failure = failure
