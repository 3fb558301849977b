"""The recordings as the main thread sees them: blocks taken from the packet threads, and written."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pbx.media.engine import ring_row, tape_row
from pbx.media.engine.background import Background, Job
from pbx.media.engine.packet_threads import PacketThreads
from pbx.media.engine.stream_record import ImpossibleError, command_record
from pbx.media.engine.wav import WavFile
from pbx.media.protocol import Record, Recorded, Report

_HIGHEST = 16000
"""Samples in a second of a recording: more than a wideband voice has isn't kept."""


@dataclass(slots=True)
class _Recording:
    """One recording.

    Args:
        name: what the exchange calls it.
        row: its row of the tape table.
        streams: whose peers it hears.
        path: of its file.
        rate: samples in a second.
        tracks: 1 or 2.
        file: what is written; None until it has been made.
        failure: why it can't be written any more; empty as long as it can.
        stopped: its end has been asked for.
    """

    name: int
    row: int
    streams: tuple[int, ...]
    path: Path
    rate: int
    tracks: int
    file: WavFile | None = None
    failure: str = ""
    stopped: bool = False


class Recordings:
    """Turns `Record` and `StopRecording` into commands, and blocks into files.

    Args:
        packets: the packet threads.
        writer: where files are made and written: a card that hangs must hold nobody up.
        report: tells the exchange.
    """

    def __init__(
        self, packets: PacketThreads, writer: Background, report: Callable[[Report], None]
    ) -> None:
        self._packets = packets
        self._writer = writer
        self._report = report
        self._free = list(range(tape_row.TAPES - 1, -1, -1))
        self._taken = [0] * tape_row.TAPES
        self._named: dict[int, _Recording] = {}
        self._rows: dict[int, _Recording] = {}

    @property
    def running(self) -> bool:
        """Whether a packet thread still has a recording."""
        return bool(self._rows)

    def record(self, message: Record, left: int, right: int, rate: int) -> None:
        """Begin a recording; one that can't be is reported as ended.

        Args:
            message: what the exchange wants.
            left, right: rows of the streams; -1 none.
            rate: the highest of their rates.

        Raises:
            ImpossibleError: the name is taken.
        """
        streams = tuple(row for row in (left, right) if row >= 0)
        if message.recording <= 0 or message.recording in self._named:
            raise ImpossibleError(f"recording {message.recording} is there already, or no name")
        why = self._why_not(streams)
        if why:
            self._report(Recorded(message.recording, 0.0, why))
            return
        rate = min(rate, _HIGHEST)
        tracks = 2 if message.stereo else 1
        row = self._free.pop()
        recording = _Recording(message.recording, row, streams, Path(message.path), rate, tracks)
        self._named[recording.name] = self._rows[row] = recording
        self._do(recording, lambda: self._make(recording))
        command = command_record(ring_row.RECORD, row)
        command[ring_row.SETTINGS : ring_row.SETTINGS + 4] = left, right, message.stereo, rate
        self._packets.command(command)

    def _why_not(self, streams: tuple[int, ...]) -> str:
        running = [one for one in self._rows.values() if not one.stopped]
        if any(row in one.streams for one in running for row in streams):
            return "it is being recorded already"
        return "" if self._free else f"{tape_row.TAPES} recordings run already"

    def stop(self, name: int) -> None:
        """End a recording; nothing happens where there's none of that name."""
        recording = self._named.get(name)
        if recording is not None and not recording.stopped:
            recording.stopped = True
            self._packets.command(command_record(ring_row.STOP_RECORDING, recording.row))

    def stop_of(self, stream: int) -> None:
        """End the recording of a stream, if it has one."""
        for recording in [one for one in self._rows.values() if stream in one.streams]:
            self.stop(recording.name)

    def stop_all(self) -> None:
        """End every recording: the exchange that wanted it has gone, or the engine ends."""
        for name in list(self._named):
            self.stop(name)

    def taped(self, row: int, bank: int, samples: int) -> None:
        """Take a block out of its bank and have it written."""
        recording = self._rows[row]
        begin = bank * tape_row.LONGEST_BLOCK
        block = self._packets.voices.banks[
            row, begin : begin + samples * recording.tracks
        ].tobytes()
        self._do(recording, lambda: self._write(recording, block))

    def recorded(self, row: int) -> None:
        """Take note that its packet thread has ended a recording."""
        recording = self._rows.pop(row)
        self._do(recording, lambda: self._close(recording))

    def _do(self, recording: _Recording, job: Job) -> None:
        self._writer.submit(job, lambda why: self._fail(recording, why))

    def _fail(self, recording: _Recording, why: str) -> None:
        """Take note of a fault of ours while the file was made or written."""
        recording.failure = recording.failure or why
        self.stop(recording.name)

    def _make(self, recording: _Recording) -> Callable[[], None]:
        try:
            recording.file = WavFile(recording.path, recording.rate, recording.tracks)
        except (OSError, ValueError) as error:
            # ValueError: no path at all.
            reason = getattr(error, "strerror", None) or str(error)
            recording.failure = f"{recording.path.name}: {reason}"
            return lambda: self.stop(recording.name)
        return _nothing

    def _write(self, recording: _Recording, block: bytes) -> Callable[[], None]:
        """Append a block; a disk that is full ends the recording."""
        if recording.file is not None and not recording.failure:
            try:
                recording.file.append(block)
            except OSError as error:
                recording.failure = error.strerror or str(error)

        def give_back() -> None:
            self._taken[recording.row] += 1
            self._packets.took(recording.row, self._taken[recording.row])
            if recording.failure:
                self.stop(recording.name)

        return give_back

    def _close(self, recording: _Recording) -> Callable[[], None]:
        seconds = 0.0
        if recording.file is not None:
            seconds = recording.file.seconds
            with contextlib.suppress(OSError):
                recording.file.close()

        def end() -> None:
            self._free.append(recording.row)
            del self._named[recording.name]
            self._report(Recorded(recording.name, round(seconds, 3), recording.failure))

        return end


def _nothing() -> None:
    pass
