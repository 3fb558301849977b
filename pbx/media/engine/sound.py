"""All sound that begins or ends in the engine: voices, players and recordings, as commands ask."""

from collections.abc import Callable

from pbx.media.engine import ring_row
from pbx.media.engine.background import Background
from pbx.media.engine.coders import Coders
from pbx.media.engine.libraries import Libraries
from pbx.media.engine.packet_threads import PacketThreads
from pbx.media.engine.players import Players
from pbx.media.engine.recordings import Recordings
from pbx.media.engine.rooms import Rooms
from pbx.media.engine.stream_record import SilentPortError
from pbx.media.engine.tables import Words
from pbx.media.engine.taps import Taps
from pbx.media.engine.tone_plans import DTMF_DIGITS
from pbx.media.engine.voices import Voices, pcm_rate, voice_counts
from pbx.media.protocol import (
    Digit,
    DigitEnded,
    EndDigit,
    Play,
    Record,
    Report,
    SendDigits,
    StopPlaying,
    StopRecording,
    StopVoice,
    Tap,
    Voice,
    VoiceCounts,
)

SoundCommand = (
    Voice | StopVoice | Play | StopPlaying | SendDigits | EndDigit | Tap | Record | StopRecording
)

_DIGITS = DTMF_DIGITS + "!"
"""By RFC 4733's event codes 0 to 16."""


class Sound:
    """What the engine's main thread does for voices, players and recordings.

    Args:
        packets: the packet threads.
        libraries: the codecs' libraries.
        report: tells the exchange.
    """

    def __init__(
        self, packets: PacketThreads, libraries: Libraries, report: Callable[[Report], None]
    ) -> None:
        tables = packets.voices
        rooms = Rooms(len(tables.rooms))
        self._report = report
        self._counted: dict[int, VoiceCounts] = {}
        self._reader = Background("reader")
        self._files = Background("files")
        self._coders = Coders(libraries, tables)
        self._voices = Voices(libraries, packets, rooms, self._coders)
        self._taps = Taps(packets, self._coders)
        self._players = Players(packets, rooms, self._reader, report)
        self._recordings = Recordings(packets, self._files, report)
        self.fds = (self._reader.fd, self._files.fd)
        """Readable while `finish` has something to do."""

    @property
    def codecs(self) -> list[str]:
        """See `protocol.Ready`."""
        return self._voices.codecs

    @property
    def recordings(self) -> list[int]:
        """See `protocol.Ready`."""
        return self._recordings.going_on

    def finish(self) -> None:
        """Go on with files that have been read, made or written."""
        self._reader.finish()
        self._files.finish()
        self._recordings.finish()

    def close(self) -> None:
        """Wait for files that are being read or made; the packet threads have ended."""
        self._reader.close()
        self._files.end()
        self._recordings.close()
        self._files.close()

    def end(self) -> bool:
        """End all recordings; returns False as long as they aren't written."""
        self._recordings.stop_all()
        return not self._recordings.running

    def begin_anew(self) -> None:
        """End what the exchange before wanted played: the new one knows nothing of it."""
        self._players.stop_all()

    def carry_out(self, message: SoundCommand, row: Callable[[int], int]) -> None:
        """Carry out one command.

        Args:
            message: the command.
            row: returns the row of a running stream's port.

        Raises:
            ImpossibleError: as the commands say, or raised by `row`.
        """
        if isinstance(message, Voice):
            partner = row(message.partner) if message.partner else -1
            self._voices.set(message, row(message.port), partner)
        elif isinstance(message, StopVoice):
            self._stop_voice(row(message.port))
        elif isinstance(message, Play):
            self._players.play(message, lambda port: self._voice_row(port, row))
        elif isinstance(message, StopPlaying):
            self._players.stop(message.player)
        elif isinstance(message, SendDigits):
            if not self._voices.send_digits(message, row(message.port)):
                self._players.dial(message, row(message.port))
        elif isinstance(message, EndDigit):
            # Both: the peer may take telephone-events since a tone has begun
            self._voices.end_digit(message, row(message.port))
            self._players.end_digit(row(message.port), message.on_ms)
        elif isinstance(message, Tap):
            self._taps.set(message, row(message.port))
        elif isinstance(message, Record):
            self._recordings.record(message, lambda port: self._heard(port, row))
        else:
            self._recordings.stop(message.recording)

    def _stop_voice(self, row: int) -> None:
        if self._voices.voice(row) is not None:
            self._players.stop_for(row)
            self._voices.stop(row)

    def _voice_row(self, port: int, row: Callable[[int], int]) -> int:
        """Return the row of the voice at a port, -1 for port 0."""
        if port == 0:
            return -1
        found = row(port)
        if self._voices.voice(found) is None:
            raise SilentPortError(f"port {port} is no voice")
        return found

    def _heard(self, port: int, row: Callable[[int], int]) -> tuple[int, int]:
        """Return the row of a stream that can be heard, and at how many samples in a second."""
        found = row(port)
        voice = self._voices.voice(found)
        rate = pcm_rate(voice) if voice else self._taps.rate(found)
        if not rate:
            raise SilentPortError(f"port {port} is no voice, and has no tap")
        return found, rate

    def stream_set(self, row: int, event_type: int) -> None:
        """Take note of which telephone-events a stream's peer takes; -1 none."""
        self._voices.stream_set(row, event_type)

    def release(self, row: int) -> None:
        """End what belongs to a stream, before the stream itself is released, but for its recording."""
        self._taps.release(row)
        if self._voices.voice(row) is not None:
            self._players.stop_for(row)
            self._voices.release(row)

    def end_recording(self, row: int) -> None:
        """End the recording of a stream, after it and all others that go with it are released."""
        self._recordings.stop_of(row)

    def counts(self, row: int) -> VoiceCounts | None:
        """Return what a voice has counted, once: its record comes before its stream's."""
        return self._counted.pop(row, None)

    def released(self, row: int) -> VoiceCounts | None:
        """Take note that a stream has ended; returns what its voice had counted."""
        self._taps.changed(row)
        return self._voice_ended(row)

    def _voice_ended(self, row: int) -> VoiceCounts | None:
        counts = self.counts(row)
        if counts is not None:
            self._voices.released(row)
        return counts

    def pass_on(self, record: Words, port: int) -> None:
        """Take in a report of a packet thread on voices, players or recordings.

        Args:
            record: of `ring_row`; its kind is none of the streams'.
            port: of its row, where that is a stream's.
        """
        kind, row = int(record[ring_row.KIND]), int(record[ring_row.ROW])
        first, second = int(record[ring_row.FIRST]), int(record[ring_row.SECOND])
        if kind == ring_row.VOICE_COUNTED:
            self._counted[row] = voice_counts(record, port)
        elif kind == ring_row.DIGIT:
            # Other events, such as those of a fax machine, are nobody's keys.
            if first < len(_DIGITS):
                self._report(Digit(port, _DIGITS[first], bool(second)))
        elif kind == ring_row.DIGIT_ENDED:
            if first < len(_DIGITS):
                self._report(DigitEnded(port, _DIGITS[first], second))
        elif kind == ring_row.LINE:
            news = self._voices.line(row, first, second)
            if news is not None:
                self._report(news)
        elif kind == ring_row.PLAYED:
            self._players.played(row)
        elif kind == ring_row.VOICE_STOPPED:
            self._voice_ended(row)
        elif kind == ring_row.TAP_SET:
            self._taps.changed(row)
        elif kind == ring_row.VOICE_SET:
            self._coders.free([first, second])
