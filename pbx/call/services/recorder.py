"""Recorder: records what the party says, and plays it back: how do I sound?"""

from enum import Enum, auto

from pbx.call.cause import CallTag, by_server
from pbx.call.services.service import Mode, Service
from pbx.call.sound import Sound

BEEP = "1000/250"
BEEP_LEVEL_DBM0 = -10.0

KEY = "#"
"""Ends the recording, and the playing."""


class State(Enum):
    """Where a recorder is."""

    BEEPING = auto()
    RECORDING = auto()
    STOPPING = auto()
    """The recording was told to end, and its file isn't whole yet."""
    PLAYING = auto()


class Recorder(Service):
    """Beeps, records until the key or the time's end, plays it, and begins anew.

    Args:
        sound: the conversation's.
        record_s: how long it records at the most.
    """

    def __init__(self, sound: Sound, record_s: float) -> None:
        super().__init__(sound)
        self._record_s = record_s
        self._state = State.BEEPING
        self._player = 0

    @property
    def mode(self) -> Mode:
        """Told of its key."""
        return Mode(keys=True)

    def begin(self, now: float) -> None:
        """Beep: what follows is recorded."""
        self.due = None
        self.sound.discard()
        self._state = State.BEEPING
        self._player = self.sound.play(tone=BEEP, level_db=BEEP_LEVEL_DBM0)

    def played(self, player: int, failure: str, now: float) -> None:
        """Record after the beep; beep after the recording."""
        if player != self._player:
            return
        if failure:
            self.over = by_server(CallTag.LIMIT)
        elif self._state is State.PLAYING:
            self.begin(now)
        elif self._state is State.BEEPING:
            self._state = State.RECORDING
            self.sound.record()
            self.due = now + self._record_s

    def dialled(self, digit: str, now: float) -> None:
        """Play back, or begin anew."""
        if digit != KEY:
            return
        if self._state is State.RECORDING:
            self._stop_recording()
        elif self._state is State.PLAYING:
            # What it answers begins anew.
            self.sound.stop(self._player)

    def timer_fired(self, now: float) -> None:
        """The longest recording is over."""
        self.due = None
        if self._state is State.RECORDING:
            self._stop_recording()

    def _stop_recording(self) -> None:
        self.due = None
        self._state = State.STOPPING
        self.sound.stop_recording()

    def recorded(self, seconds: float, failure: str, now: float) -> None:
        """Play what there is; where nothing could be written, that is the call's end."""
        self.due = None
        if seconds:
            self._state = State.PLAYING
            self._player = self.sound.play(path=self.sound.last_recording)
        elif failure:
            self.over = by_server(CallTag.LIMIT)
        else:
            # The key came at once.
            self.begin(now)
