"""The services that there are: each is made here for one conversation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

from pbx.call.cause import Cause
from pbx.call.outputs import Discard, Output
from pbx.call.services.conference import Rooms
from pbx.call.services.echo import Echo
from pbx.call.services.milliwatt import Milliwatt
from pbx.call.services.music import Music
from pbx.call.services.recorder import Recorder
from pbx.call.services.service import Service
from pbx.call.sound import Sound, recording_path
from pbx.config.settings import ServiceSettings
from pbx.media import protocol
from pbx.routing.services import ServiceNumber


@dataclass(frozen=True, slots=True)
class SoundFiles:
    """Where services find sound, and leave it.

    Args:
        music: returns the paths of the WAV files that there are now.
        recordings: the folder of recordings that last no longer than their call.
        record: the folder of recordings of calls.
        announcement: what the parties of recorded calls hear, as for `RecordingSigns`.
    """

    music: Callable[[], Sequence[str]]
    recordings: str
    record: str
    announcement: str = ""


class Services:
    """Makes services.

    Args:
        settings: their limits.
        files: their sound.
        token: a fresh random name, hexadecimal.
        emit: takes what is to be done.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        files: SoundFiles,
        token: str,
        emit: Callable[[Output], None],
    ) -> None:
        self._settings = settings
        self._files = files
        # An engine that has outlived the last exchange may still say what became of its players.
        self.names = count(1 + int(token[:8], 16))
        self._emit = emit
        self.rooms = Rooms(settings.conference_parties, files.music)

    def refusal(self, dialed: ServiceNumber) -> Cause | None:
        """Return why a service can't be had now; None where it can."""
        return self.rooms.refusal(dialed) if dialed.kind == "conference" else None

    def new(self, dialed: ServiceNumber, *, again: bool = False) -> Service:
        """Return the service for one conversation; its `end` must be called.

        Args:
            again: the conversation is from before a restart of the exchange.
        """
        sound = Sound(self.names, self._emit, self._files.recordings)
        match dialed.kind:
            case "echo":
                return Echo(sound)
            case "milliwatt":
                return Milliwatt(sound)
            case "music":
                return Music(sound, self._files.music)
            case "recorder":
                return Recorder(sound, self._settings.record_s, self._settings.record_silence_s)
        return self.rooms.enter(dialed, sound, again=again)

    def left_over(self, report: protocol.Recorded) -> None:
        """Throw away a recording whose call has ended."""
        self._emit(Discard(recording_path(self._files.recordings, report.recording)))
