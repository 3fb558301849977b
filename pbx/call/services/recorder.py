"""Recorder: records what the party says, and plays it back: how do I sound?"""

from enum import Enum, auto

from pbx.call.cause import CallTag, by_hang_up, by_server
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
    """Beeps, records until the key, a long silence or the time's end, plays it, and begins anew.

    Args:
        sound: the conversation's.
        record_s: how long it records at the most.
        silence_s: how long the party may be silent before the recording ends; 0 for without end.
    """

    def __init__(self, sound: Sound, record_s: float, silence_s: float) -> None:
        super().__init__(sound)
        self._record_s = record_s
        self._silence_s = silence_s
        self._silent_since: float | None = None
        self._begun = 0.0
        self._state = State.BEEPING
        self._player = 0

    @property
    def mode(self) -> Mode:
        """Told of its key, and of its line."""
        return Mode(keys=True, line=True)

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
            self._begun = now
            self._set_end()

    def line(self, tone: str, silent_s: float, now: float) -> None:
        """Wait no longer than `silence_s` for who says nothing; end the call of who has gone."""
        if tone:
            self.over = by_hang_up(CallTag.CALLER_HUNG_UP, [])
            return
        self._silent_since = now - silent_s if silent_s else None
        if self._state is State.RECORDING:
            self._set_end()

    def _set_end(self) -> None:
        """Note when the recording ends by itself."""
        self.due = self._begun + self._record_s
        if self._silence_s and self._silent_since is not None:
            silent = max(self._silent_since, self._begun)
            self.due = min(self.due, silent + self._silence_s)

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
        """The recording has lasted long enough, or silence has."""
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
