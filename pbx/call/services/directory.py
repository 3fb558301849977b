"""The services that there are: each is made here for one conversation."""

from collections.abc import Callable, Sequence

from pbx.call.cause import Cause
from pbx.call.services.conference import Rooms
from pbx.call.services.echo import Echo
from pbx.call.services.milliwatt import Milliwatt
from pbx.call.services.music import Music
from pbx.call.services.recorder import Recorder
from pbx.call.services.service import Service
from pbx.call.sound import Sound
from pbx.config.settings import ServiceSettings
from pbx.routing.services import ServiceNumber


class Services:
    """Makes services.

    Args:
        settings: their limits.
        music: the WAV files that there are now.
    """

    def __init__(self, settings: ServiceSettings, music: Callable[[], Sequence[str]]) -> None:
        self._settings = settings
        self._music = music
        self.rooms = Rooms(settings.conference_parties, music)

    def refusal(self, dialed: ServiceNumber) -> Cause | None:
        """Return why a service can't be had now; None where it can."""
        return self.rooms.refusal(dialed) if dialed.kind == "conference" else None

    def new(self, dialed: ServiceNumber, sound: Sound, *, again: bool = False) -> Service:
        """Return the service for one conversation; its `end` must be called.

        Args:
            again: the conversation is from before a restart of the exchange.
        """
        match dialed.kind:
            case "echo":
                return Echo(sound)
            case "milliwatt":
                return Milliwatt(sound)
            case "music":
                return Music(sound, self._music)
            case "recorder":
                return Recorder(sound, self._settings.record_s)
        return self.rooms.enter(dialed, sound, again=again)
