"""The disk that calls are recorded on: old files go, and room is left."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

from pbx.aside import aside
from pbx.call.recordings import Recordings
from pbx.config.recording import RecordingSettings
from pbx.locale import english
from pbx.ops.clock_watch import ClockWatch
from pbx.recorded.folder import RecordingFolder
from pbx.recorded.name import today
from pbx.recorded.retention import MEGABYTE, Failure, Retention

log = logging.getLogger(__name__)

NO_ROOM = english("unrecorded-room")
UNRESPONSIVE = english("unrecorded-hangs")
"""What a call's record says where it is not, or no longer, recorded for that."""

TIDY_S = 3600.0
"""How often old files are looked for where no recording ends."""

LOOK_S = 5.0
"""How often the disk is asked how much is free."""

PATIENCE_S = 30.0
"""How long it may take to answer."""


class RecordDisk:
    """Keeps the folder of recordings within its limits.

    Args:
        folder: of the recordings.
        settings: the limits.
        recordings: what goes on.
        pump: carries through what has been changed there.
        clock: tells whether the date is to be trusted.
    """

    def __init__(
        self,
        folder: Path,
        settings: RecordingSettings,
        recordings: Recordings,
        pump: Callable[[], None],
        clock: ClockWatch,
    ) -> None:
        self._folder = RecordingFolder(folder)
        self._retention = Retention(self._folder, settings.keep_days, settings.most_mb)
        self._keep_days = settings.keep_days
        self._least_mb = settings.least_free_mb
        self._recordings = recordings
        self._pump = pump
        self._clock = clock
        self._occasion = asyncio.Event()
        self._running: frozenset[str] = frozenset()
        self._failure: Failure | None = None
        self._why = ""
        self._refused = False
        recordings.refusal = self._refusal

    async def keep(self) -> None:
        """Remove what is too old or too much, and see that room is left, for ever."""
        await asyncio.gather(self._tidy(), self._watch())

    def follow(self) -> None:
        """See which recordings have ended: then old ones may go. To be called every few seconds."""
        self._clock.look()
        before, self._running = self._running, self._recordings.running
        if before - self._running:
            self._occasion.set()

    @property
    def lacking_mb(self) -> int:
        """What must be free where a recording has been refused or ended for that; else 0."""
        return self._least_mb if self._refused and self._why == NO_ROOM else 0

    @property
    def trouble(self) -> str:
        """What else a recording has been refused for; empty where the disk is well."""
        return self._why if self._refused and self._why != NO_ROOM else ""

    @property
    def clock_moved_days(self) -> int:
        """By how many days the clock was set, where nothing is too old for that; else 0."""
        return self._clock.moved_days if self._keep_days else 0

    @property
    def failure(self) -> tuple[str, str] | None:
        """A recording that should go and can't be removed, and why; None where all is well."""
        return (self._failure.name, self._failure.why) if self._failure else None

    async def _tidy(self) -> None:
        """Remove what is too old or too much: now, after recordings, and every now and then."""
        while self._retention.wanted:
            self._occasion.clear()
            self._clock.look()
            day = None if self._clock.moved_days else today()
            running = self._recordings.running
            self._note(await aside(partial(self._retention.apply, running, day)))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._occasion.wait(), TIDY_S)

    async def _watch(self) -> None:
        """Ask the disk how much is free, again and again: nobody else waits for that."""
        loop = asyncio.get_running_loop()
        while self._least_mb:
            patience = loop.call_later(PATIENCE_S, self._found, UNRESPONSIVE)
            try:
                free = await aside(self._folder.free)
            except OSError as error:
                why = error.strerror or str(error)
            else:
                why = "" if free >= self._least_mb * MEGABYTE else NO_ROOM
            finally:
                patience.cancel()
            self._found(why)
            await asyncio.sleep(LOOK_S)

    def _found(self, why: str) -> None:
        """Take note of why the disk takes no recording now; empty where it does."""
        self._why = why
        if self._refused and not why:
            self._refused = False
            log.info("calls can be recorded again")
        # The engine gets over a disk that only stands still
        if why == NO_ROOM and self._recordings.running:
            self._recordings.stop_all(self._refusal())
            self._pump()

    def _refusal(self) -> str:
        if self._why and not self._refused:
            self._refused = True
            log.warning("no call is recorded: %s", self._why)
        return self._why

    def _note(self, failure: Failure | None) -> None:
        if failure is not None and failure != self._failure:
            log.error("recording %s can't be removed: %s", failure.name, failure.why)
        self._failure = failure
