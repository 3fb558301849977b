"""The exchange's side towards its owner: which calls are recorded, and whether that goes well."""

import datetime
from collections.abc import Callable
from pathlib import Path

from pbx.config.recording import TONE, RecordingSettings
from pbx.media.wav_header import WavError, open_sound, read_playable
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

    def ended(self, failure: str) -> None:
        """Take note of a recording that has ended: well, or for this reason."""
        self._failed = failure, self._clock()

    @property
    def failure(self) -> str:
        """Why a recording failed in the last `FAILURE_S`; empty since one went well."""
        why, when = self._failed
        return why if self._clock() - when < FAILURE_S else ""

    @property
    def announcement_failure(self) -> tuple[str, str] | None:
        """The path of an announcement that can't be played, and why, as in `Facts`; None for none."""
        path = self._announcement
        if path in ("", TONE):
            return None
        try:
            with open_sound(Path(path)) as file:
                read_playable(file)
        except OSError as error:
            return path, error.strerror or str(error)
        except WavError:
            return path, ""
        return None


def announcement_of(settings: RecordingSettings, folder: Path) -> str:
    """Return what both parties of a recorded call hear, as `RecordingSigns` has it.

    Args:
        settings: of recordings.
        folder: the data folder, from which a path is meant.
    """
    path = settings.announcement
    return str((folder / path).absolute()) if path else settings.announce
