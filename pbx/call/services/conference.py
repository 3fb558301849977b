"""Conference: rooms where everybody hears the others and not themselves."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count

from pbx.call.cause import ROOM_FULL, WRONG_PASSWORD, Cause
from pbx.call.heard import Heard
from pbx.call.record_code import CodeWatch
from pbx.call.services.music import Playlist
from pbx.call.services.service import Mode, Service
from pbx.call.sound import Sound
from pbx.routing.services import ServiceNumber

ENTERS = "600/120 0/30 900/120"
LEAVES = "900/120 0/30 600/120"
MUTED = "400/150"
UNMUTED = "400/80 0/30 800/80"
"""What a party hears when the others don't hear it any more, and when they do."""

TONE_LEVEL_DBM0 = -16.0

MUTE_KEYS = "*6"
"""What a party dials so that the others don't hear it, and again so that they do."""


class Room:
    """A room with somebody in it.

    Args:
        number: its number in the media engine.
        password: what who comes after the first must dial, too; empty for none.
    """

    def __init__(self, number: int, password: str) -> None:
        self.number = number
        self.password = password
        self.parties: list[Conference] = []

    def tell(self, tone: str) -> None:
        """Let all hear a sign that somebody comes or goes, and nobody music any more."""
        for party in self.parties:
            party.accompany()
        sound = next((one.sound for one in self.parties if one.sound.port), None)
        if sound is not None:
            sound.play_to_room(tone, TONE_LEVEL_DBM0)


class Rooms:
    """The rooms with somebody in them, by what was dialled for them.

    Args:
        most: parties in one room.
        music: the WAV files for who waits alone.
    """

    def __init__(self, most: int, music: Callable[[], Sequence[str]]) -> None:
        self._most = most
        self._music = music
        self._rooms: dict[str, Room] = {}
        self._numbers = count(1)

    def __len__(self) -> int:
        return len(self._rooms)

    def refusal(self, dialed: ServiceNumber) -> Cause | None:
        """Return why somebody can't enter; None where they can."""
        room = self._rooms.get(dialed.room)
        if room is None:
            return None
        if room.password != dialed.password:
            return WRONG_PASSWORD
        return ROOM_FULL if len(room.parties) >= self._most else None

    def enter(self, dialed: ServiceNumber, sound: Sound, *, again: bool) -> "Conference":
        """Let somebody in: the first one opens the room, with its password.

        Args:
            again: the party was in before the exchange was restarted; the others know.
        """
        room = self._rooms.get(dialed.room)
        if room is None:
            room = self._rooms[dialed.room] = Room(next(self._numbers), dialed.password)
        playlist = Playlist(sound, self._music)
        party = Conference(sound, self, dialed.room, room, playlist, told=again)
        room.parties.append(party)
        return party

    def leave(self, name: str, party: "Conference") -> None:
        """Let somebody out; the last one closes the room."""
        room = self._rooms[name]
        room.parties.remove(party)
        if not room.parties:
            del self._rooms[name]


class Conference(Service):
    """One party of a room. Whoever is alone in it hears music.

    Args:
        sound: the conversation's.
        rooms, name, room: where it is.
        playlist: the music.
        told: the others know of it.
    """

    def __init__(
        self,
        sound: Sound,
        rooms: Rooms,
        name: str,
        room: Room,
        playlist: Playlist,
        *,
        told: bool,
    ) -> None:
        super().__init__(sound)
        self._rooms = rooms
        self._name = name
        self._room = room
        self._playlist = playlist
        self._told = told
        self._code = CodeWatch(MUTE_KEYS)

    @property
    def room(self) -> str:
        """The room's number, as it is dialled."""
        return self._name

    @property
    def locked(self) -> bool:
        """The room has a password."""
        return bool(self._room.password)

    @property
    def mode(self) -> Mode:
        """In the room."""
        return Mode(room=self._room.number)

    def begin(self, now: float) -> None:
        """Tell the others, once; wait for somebody with music."""
        if len(self._room.parties) == 1:
            self._playlist.begin(now)
        elif not self._told:
            self._room.tell(ENTERS)
        self._told = True

    def accompany(self) -> None:
        """There are others: no music any more."""
        self._playlist.stop()

    def hear(self, heard: Heard) -> None:
        """Let the others hear the party so; it is told by a tone whether they hear it at all."""
        changed = heard.muted != self.heard.muted
        self.heard = heard
        if changed:
            tone = MUTED if heard.muted else UNMUTED
            self.sound.play(tone=tone, level_db=TONE_LEVEL_DBM0)

    def dialled(self, digit: str, now: float) -> None:
        """Mute the party that asks for it, or no more."""
        if self._code.completes(self, digit, now):
            self.hear(replace(self.heard, muted=not self.heard.muted))

    def played(self, player: int, failure: str, now: float) -> None:
        """Play on, while it waits."""
        self._playlist.played(player, failure, now)

    def end(self, now: float) -> None:
        """Leave the room, and tell the others."""
        self._rooms.leave(self._name, self)
        if self._told:
            self._room.tell(LEAVES)
        if len(self._room.parties) == 1:
            (alone,) = self._room.parties
            alone.begin(now)
