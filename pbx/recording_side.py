"""The exchange's side towards its owner: which calls are recorded, and whether that goes well."""

import asyncio
import datetime
from collections.abc import Callable
from pathlib import Path

from pbx.aside import aside
from pbx.config.recording import TONE, RecordingSettings
from pbx.media.wav_header import WavError, open_sound, read_playable
from pbx.record_disk import LOOK_S, PATIENCE_S, UNRESPONSIVE
from pbx.store.snapshot import Snapshot

FAILURE_S = 3600.0
"""How long a recording that has failed is remembered."""


class SnapshotPolicy:
    """What users and lines have for options, now; see `pbx.call.record_policy.RecordPolicy`.

    Args:
        snapshot: the configuration in force.
    """

    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        self._snapshot = snapshot

    def of_user(self, number: str) -> str:
        """See `RecordPolicy`."""
        user = self._snapshot().users.get(number)
        return user.record if user is not None else "off"

    def of_line(self, name: str) -> str:
        """See `RecordPolicy`."""
        line = self._snapshot().lines.get(name)
        return line.record if line is not None else "off"

    def takes_code(self, number: str) -> bool:
        """See `RecordPolicy`."""
        user = self._snapshot().users.get(number)
        return user is not None and user.record_by_code

    def moment(self) -> datetime.datetime:
        """See `RecordPolicy`."""
        return datetime.datetime.now().astimezone()


class RecordingHealth:
    """Knows whether calls can be recorded.

    Args:
        clock: the exchange's monotonic seconds.
        announcement: as for `pbx.call.recording_signs.RecordingSigns`.
    """

    def __init__(self, clock: Callable[[], float], announcement: str) -> None:
        self._clock = clock
        self._announcement = announcement
        self._failed = "", 0.0
        self.announcement_failure: tuple[str, str] | None = None
        """The path of an announcement that can't be played, and why, as in `Facts`; None for none."""

    def ended(self, failure: str) -> None:
        """Take note of a recording that has ended: well, or for this reason."""
        self._failed = failure, self._clock()

    @property
    def failure(self) -> str:
        """Why a recording failed in the last `FAILURE_S`; empty since one went well."""
        why, when = self._failed
        return why if self._clock() - when < FAILURE_S else ""

    async def watch(self) -> None:
        """Look at the announcement again and again, for ever."""
        while self._announcement not in ("", TONE):
            await self.look()
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Find out whether the announcement, a file, can be played; its disk may hang."""
        loop = asyncio.get_running_loop()
        patience = loop.call_later(PATIENCE_S, self._announcement_failed, UNRESPONSIVE)
        try:
            await aside(self._read_announcement)
        except OSError as error:
            self._announcement_failed(error.strerror or str(error))
        except WavError:
            self._announcement_failed("")
        else:
            self.announcement_failure = None
        finally:
            patience.cancel()

    def _read_announcement(self) -> None:
        with open_sound(Path(self._announcement)) as file:
            read_playable(file)

    def _announcement_failed(self, why: str) -> None:
        self.announcement_failure = self._announcement, why


def announcement_of(settings: RecordingSettings, folder: Path) -> str:
    """Return what both parties of a recorded call hear, as `RecordingSigns` has it.

    Args:
        settings: of recordings.
        folder: the data folder, from which a path is meant.
    """
    path = settings.announcement
    return str((folder / path).absolute()) if path else settings.announce
