"""What the parties of a call hear of its being recorded."""

from collections.abc import Iterator

from pbx.call.passage import Passage
from pbx.config.recording import TONE
from pbx.media.session import LegMedia

BEGUN = "1400/200"
ENDED = "1400/100 0/100 1400/100"
REFUSED = "425/200 0/100 425/200 0/100 425/200"
WARNING = "1400/250 0/14750"
"""Tones, as the media engine writes them: FREQUENCY/MILLISECONDS. The last one is what recorders that warn
have long sounded like: 1400 Hz for a quarter of a second, every 15 seconds."""

LEVEL_DBM0 = -18.0


class RecordingSigns:
    """Tells them, where the engine can code what they hear.

    Args:
        passage: what the call has in the media engine.
        names: gives players names that nothing in it has.
        announcement: what both parties hear: empty for nothing, `TONE`, or the path of a WAV file.
    """

    def __init__(self, passage: Passage, names: Iterator[int], announcement: str) -> None:
        self._passage = passage
        self._names = names
        self._announcement = announcement
        self._files: dict[int, int] = {}

    def begun(self) -> None:
        """Tell both parties that they are recorded from now on."""
        if self._announcement == TONE:
            for port in self._passage.sound_ports:
                self._warn(port)
        elif self._announcement:
            self._play_file(self._announcement)

    def failed(self, player: int) -> None:
        """Play the tone to a party that was to hear the file, and can't."""
        port = self._files.pop(player, None)
        if port is not None:
            self._warn(port)

    def go_on(self) -> None:
        """Tell both parties still: the exchange has been restarted."""
        if self._announcement == TONE:
            self.begun()

    def ended(self) -> None:
        """Tell nothing any more."""
        self._files = {}
        self._passage.stop_playing()

    def answer(self, media: LegMedia, *, recorded: bool) -> None:
        """Answer the party that has pressed the code.

        Args:
            media: of its leg.
            recorded: the call is recorded now; false: it isn't, any longer.
        """
        if recorded and self._announcement:
            # It is told with the other one
            return
        tone = BEGUN if recorded else ENDED
        self._passage.play(next(self._names), media.sound_port, tone=tone, level_db=LEVEL_DBM0)

    def refuse(self, media: LegMedia) -> None:
        """Tell the party that has pressed the code that the call can't be recorded.

        Args:
            media: of its leg.
        """
        self._passage.play(next(self._names), media.sound_port, tone=REFUSED, level_db=LEVEL_DBM0)

    def _play_file(self, path: str) -> None:
        self._files = {}
        for port in self._passage.sound_ports:
            player = next(self._names)
            self._files[player] = port
            self._passage.play(player, port, path=path)

    def _warn(self, port: int) -> None:
        """Let a party hear that it is recorded, as long as it is."""
        player = next(self._names)
        self._passage.play(player, port, tone=WARNING, level_db=LEVEL_DBM0, times=0)
