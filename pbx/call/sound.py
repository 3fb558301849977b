"""What a conversation has in the media engine beside its stream: a voice, players, a recording."""

from collections.abc import Callable, Iterator

from pbx.call.outputs import Discard, MediaCommands, Output
from pbx.media import protocol


class Sound:
    """The sound of one conversation.

    Args:
        names: gives players and recordings names that nothing in the engine has.
        emit: takes what is to be done.
        folder: where recordings are written.
    """

    def __init__(self, names: Iterator[int], emit: Callable[[Output], None], folder: str) -> None:
        self._names = names
        self._emit = emit
        self._folder = folder
        self._voice: protocol.Voice | None = None
        self._players: set[int] = set()
        self._recording = 0
        self._files: list[str] = []

    @property
    def last_recording(self) -> str:
        """The newest file; empty where there is none."""
        return self._files[-1] if self._files else ""

    @property
    def port(self) -> int:
        """The RTP port of its voice; 0 while it has none."""
        return self._voice.port if self._voice else 0

    def set(self, voice: protocol.Voice | None) -> bool:
        """Let the conversation sound so from now on; None for not at all.

        Returns:
            True where the voice is on another stream than before, which nothing plays for yet.
        """
        before, self._voice = self._voice, voice
        if voice == before:
            return False
        if voice is not None:
            self._tell(voice)
            if before is not None and before.port == voice.port:
                return False
        # What ran on the stream of before ends with it, and concerns nobody any more.
        self._players.clear()
        self._recording = 0
        return voice is not None

    def play(self, *, path: str = "", tone: str = "", level_db: float = 0.0, times: int = 1) -> int:
        """Play a file or a tone to the party; return the player's name (`protocol.Play`)."""
        player = next(self._names)
        if self._voice is not None:
            self._players.add(player)
            self._tell(
                protocol.Play(
                    player, self.port, path=path, tone=tone, level_db=level_db, times=times
                )
            )
        return player

    def play_to_room(self, tone: str, level_db: float) -> None:
        """Play a tone once to all of the room that the party is in, by one player for all of them."""
        if self._voice is not None and self._voice.room:
            player = next(self._names)
            self._players.add(player)
            self._tell(protocol.Play(player, room=self._voice.room, tone=tone, level_db=level_db))

    def stop(self, player: int) -> None:
        """End a player, if it hasn't ended."""
        if player in self._players:
            self._tell(protocol.StopPlaying(player))

    def record(self) -> None:
        """Record what the party says into a new file, `last_recording` when it is whole."""
        self._recording = next(self._names)
        path = recording_path(self._folder, self._recording)
        # It goes with the call: no flash card is to be worn for it
        self._tell(protocol.Record(self._recording, path, self.port, kept=False))

    def stop_recording(self) -> None:
        """End the recording; `Recorded` comes when its file is whole."""
        if self._recording:
            self._tell(protocol.StopRecording(self._recording))

    def takes(self, report: protocol.SoundReport) -> bool:
        """Note what the engine says; False where it concerns another conversation, or nobody."""
        match report:
            case protocol.Digit() | protocol.DigitEnded() | protocol.Line():
                return self._voice is not None and report.port == self.port
            case protocol.Played():
                if report.player not in self._players:
                    return False
                self._players.discard(report.player)
                return True
        if report.recording != self._recording:
            return False
        self._recording = 0
        self._files.append(recording_path(self._folder, report.recording))
        return True

    def discard(self) -> None:
        """Throw away what was recorded; what is still being written goes when it is whole."""
        for path in self._files:
            self._emit(Discard(path))
        self._files.clear()

    def forget(self) -> None:
        """The engine is another one, and knows nothing of this conversation."""
        if self._recording:
            self._files.append(recording_path(self._folder, self._recording))
            self._recording = 0
        self.discard()
        self._players.clear()
        self._voice = None

    def end(self) -> None:
        """The conversation is over, its stream released, and with it all that ran on it."""
        self._voice = None
        self._players.clear()
        self.discard()

    def _tell(self, command: protocol.Command) -> None:
        self._emit(MediaCommands([command]))


def recording_path(folder: str, recording: int) -> str:
    """Return the file of the recording with this name."""
    return f"{folder}/{recording}.wav"
