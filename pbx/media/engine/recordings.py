"""The recordings as the main thread sees them: blocks taken from the packet thread, and written."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pbx.media.engine import ring_row, tape_row
from pbx.media.engine.background import Background
from pbx.media.engine.packet_thread import PacketThread
from pbx.media.engine.stream_record import ImpossibleError, command_record
from pbx.media.engine.wav import WavFile
from pbx.media.protocol import Record, Recorded, Report

_RATES = (8000, 16000)
"""What a recording has: more than a wideband voice has isn't kept."""


@dataclass(slots=True)
class _Recording:
    """One recording.

    Args:
        name: what the exchange calls it.
        row: its row of the tape table.
        voices: the rows of its voices.
        file: what is written.
        tracks: 1 or 2.
        failure: why it can't be written any more; empty as long as it can.
        stopped: its end has been asked for.
    """

    name: int
    row: int
    voices: tuple[int, ...]
    file: WavFile
    tracks: int
    failure: str = ""
    stopped: bool = False


class Recordings:
    """Turns `Record` and `StopRecording` into commands, and blocks into files.

    Args:
        packets: the packet thread.
        writer: where files are written.
        report: tells the exchange.
    """

    def __init__(
        self, packets: PacketThread, writer: Background, report: Callable[[Report], None]
    ) -> None:
        self._packets = packets
        self._writer = writer
        self._report = report
        self._free = list(range(tape_row.TAPES - 1, -1, -1))
        self._taken = [0] * tape_row.TAPES
        self._named: dict[int, _Recording] = {}
        self._rows: dict[int, _Recording] = {}

    def record(self, message: Record, left: int, right: int, rate: int) -> None:
        """Begin a recording; one whose file can't be made is reported as ended.

        Args:
            message: what the exchange wants.
            left, right: rows of the voices; -1 none.
            rate: the highest of the voices' rates.

        Raises:
            ImpossibleError: the name or a voice is taken, or there are too many.
        """
        voices = tuple(row for row in (left, right) if row >= 0)
        if message.recording <= 0 or message.recording in self._named:
            raise ImpossibleError(f"recording {message.recording} is there already, or no name")
        if any(row in one.voices for one in self._rows.values() for row in voices):
            raise ImpossibleError(f"port {message.left} is being recorded already")
        if not self._free:
            raise ImpossibleError(f"{tape_row.TAPES} recordings run already")
        tracks = 2 if message.stereo else 1
        rate = min(rate, _RATES[-1])
        try:
            file = WavFile(Path(message.path), rate, tracks)
        except (OSError, ValueError) as error:
            # ValueError: a zero in the path.
            reason = getattr(error, "strerror", None) or error
            why = f"{Path(message.path).name}: {reason}"
            self._report(Recorded(message.recording, 0.0, why))
            return
        row = self._free.pop()
        recording = _Recording(message.recording, row, voices, file, tracks)
        self._named[recording.name] = self._rows[row] = recording
        command = command_record(ring_row.RECORD, row)
        command[ring_row.SETTINGS : ring_row.SETTINGS + 4] = left, right, message.stereo, rate
        self._packets.command(command)

    def stop(self, name: int) -> None:
        """End a recording; nothing happens where there's none of that name."""
        recording = self._named.get(name)
        if recording is not None and not recording.stopped:
            recording.stopped = True
            self._packets.command(command_record(ring_row.STOP_RECORDING, recording.row))

    def stop_of(self, voice: int) -> None:
        """End the recording of a voice, if it has one."""
        for recording in [one for one in self._rows.values() if voice in one.voices]:
            self.stop(recording.name)

    def stop_all(self) -> None:
        """End every recording: the exchange that wanted it has gone."""
        for name in list(self._named):
            self.stop(name)

    def taped(self, row: int, bank: int, samples: int) -> None:
        """Take a block out of its bank and have it written."""
        recording = self._rows[row]
        begin = bank * tape_row.LONGEST_BLOCK
        block = self._packets.voices.banks[
            row, begin : begin + samples * recording.tracks
        ].tobytes()
        self._taken[row] += 1
        self._packets.took(row, self._taken[row])
        self._writer.submit(lambda: self._write(recording, block))

    def recorded(self, row: int) -> None:
        """Take note that the packet thread has ended a recording."""
        recording = self._rows.pop(row)
        self._free.append(row)
        self._writer.submit(lambda: self._close(recording))

    def _write(self, recording: _Recording, block: bytes) -> Callable[[], None]:
        """Append a block; a disk that is full ends the recording."""
        if not recording.failure:
            try:
                recording.file.append(block)
            except OSError as error:
                recording.failure = error.strerror or str(error)
                return lambda: self.stop(recording.name)
        return _nothing

    def _close(self, recording: _Recording) -> Callable[[], None]:
        with contextlib.suppress(OSError):
            recording.file.close()

        def end() -> None:
            del self._named[recording.name]
            seconds = recording.file.seconds
            self._report(Recorded(recording.name, round(seconds, 3), recording.failure))

        return end


def _nothing() -> None:
    pass
