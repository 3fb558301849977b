"""Music: the owner's files one after the other, or else a tune of our own."""

from collections.abc import Callable, Sequence

from pbx.call.cause import CallTag, by_server
from pbx.call.services.service import Service
from pbx.call.sound import Sound

TUNE = "music"
TUNE_LEVEL_DBM0 = -10.0

SHORTEST_S = 1.0
"""A file that has ended sooner has nothing in it: playing it again and again would keep us busy."""


class Playlist:
    """Music for one party, from its begin to its stop.

    Args:
        sound: where it is played.
        files: the WAV files that there are now.
    """

    def __init__(self, sound: Sound, files: Callable[[], Sequence[str]]) -> None:
        self._sound = sound
        self._list = files
        self._files: Sequence[str] = ()
        self._next = 0
        self._idle = 0
        self._player = 0
        self._begun = 0.0

    def begin(self, now: float) -> None:
        """Play from the first file on."""
        self.stop()
        self._files = self._list()
        self._next = self._idle = 0
        self._play(now)

    def stop(self) -> None:
        """Play no more."""
        player, self._player = self._player, 0
        self._sound.stop(player)

    def played(self, player: int, failure: str, now: float) -> bool:
        """Go on with the next file; with our tune where no file of all can be played.

        Returns:
            False where not even that can be.
        """
        if player != self._player:
            return True
        useless = failure or now - self._begun < SHORTEST_S
        self._idle = self._idle + 1 if useless else 0
        return self._play(now)

    def _play(self, now: float) -> bool:
        self._begun = now
        if self._idle < len(self._files):
            path = self._files[self._next % len(self._files)]
            self._next += 1
            self._player = self._sound.play(path=path)
        elif self._idle == len(self._files):
            self._player = self._sound.play(tone=TUNE, level_db=TUNE_LEVEL_DBM0, times=0)
        else:
            return False
        return True


class Music(Service):
    """Plays music.

    Args:
        sound: the conversation's.
        files: the WAV files that there are now.
    """

    def __init__(self, sound: Sound, files: Callable[[], Sequence[str]]) -> None:
        super().__init__(sound)
        self._playlist = Playlist(sound, files)

    def begin(self, now: float) -> None:
        """Play it."""
        self._playlist.begin(now)

    def played(self, player: int, failure: str, now: float) -> None:
        """Play on."""
        if not self._playlist.played(player, failure, now):
            self.over = by_server(CallTag.LIMIT)
