"""The recordings as the main thread sees them: begun, given their files, and ended."""

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pbx.media.engine import ring_row, tape_row
from pbx.media.engine.background import Background
from pbx.media.engine.packet_threads import PacketThreads
from pbx.media.engine.stream_record import ImpossibleError, SilentPortError, command_record
from pbx.media.engine.syncing import DiskSync
from pbx.media.engine.wav import longest, make_wav, wav_header
from pbx.media.protocol import Record, Recorded, Report

_log = logging.getLogger(__name__)

TWICE = "it is being recorded already"
FULL = "as many calls are being recorded as can be at a time"
UNREAD = "the media engine can't read its sound"
"""Why there's no recording. Clients know these words by `pbx.locale`, which the engine knows nothing of."""


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
        kept: it is brought to the disk while it grows.
        fd: of its file; -1 where there's none.
        failure: why it can't be written any more; empty as long as it can.
        stopped: its end has been asked for.
        closing: it is written; its file is being closed.
    """

    name: int
    row: int
    streams: tuple[int, ...]
    path: Path
    rate: int
    tracks: int
    kept: bool
    fd: int = -1
    failure: str = ""
    stopped: bool = False
    closing: bool = False


class Recordings:
    """Turns `Record` and `StopRecording` into commands and files.

    Args:
        packets: the packet threads, and the writer of what they record.
        files: where files are made and closed: a card that hangs must hold nobody up.
        report: tells the exchange.
    """

    def __init__(
        self, packets: PacketThreads, files: Background, report: Callable[[Report], None]
    ) -> None:
        self._packets = packets
        self._writer = packets.writer
        self._files = files
        self._report = report
        self._disk = DiskSync()
        self._free = list(range(tape_row.TAPES - 1, -1, -1))
        self._named: dict[int, _Recording] = {}

    @property
    def running(self) -> bool:
        """Whether there's a recording that isn't written yet."""
        return bool(self._named)

    @property
    def going_on(self) -> list[int]:
        """The names of recordings whose end nobody has asked for."""
        return [one.name for one in self._named.values() if not one.stopped]

    def record(self, message: Record, heard: Callable[[int], tuple[int, int]]) -> None:
        """Begin a recording; one that can't be is reported as ended.

        Args:
            message: what the exchange wants.
            heard: returns the row of a port's stream and the samples per second that it is heard at;
                raises `SilentPortError`.

        Raises:
            ImpossibleError: the name is taken, it is of nobody, or raised by `heard`.
        """
        if message.recording <= 0 or message.recording in self._named:
            raise ImpossibleError(f"recording {message.recording} is there already, or no name")
        if not message.left or message.left == message.right:
            raise ImpossibleError(f"recording {message.recording} of nobody, or of one twice")
        try:
            found = [heard(port) for port in (message.left, message.right) if port]
        except SilentPortError as error:
            _log.warning("recording %d: %s", message.recording, error)
            self._report(Recorded(message.recording, 0.0, UNREAD))
            return
        streams = tuple(row for row, _ in found)
        why = self._why_not(streams)
        if why:
            self._report(Recorded(message.recording, 0.0, why))
            return
        left, right = streams if len(streams) == 2 else (*streams, -1)
        rate = min(max(rate for _, rate in found), tape_row.HIGHEST)
        tracks = 2 if message.stereo else 1
        row = self._free.pop()
        recording = _Recording(
            message.recording, row, streams, Path(message.path), rate, tracks, message.kept
        )
        self._named[recording.name] = recording
        self._writer.prepare(row)
        self._files.submit(lambda: self._make(recording), lambda why: self._give_up(recording, why))
        command = command_record(ring_row.RECORD, row)
        command[ring_row.SETTINGS : ring_row.SETTINGS + 4] = left, right, rate, tracks
        self._packets.command(command)

    def _why_not(self, streams: tuple[int, ...]) -> str:
        running = [one for one in self._named.values() if not one.stopped]
        if any(row in one.streams for one in running for row in streams):
            return TWICE
        return "" if self._free else FULL

    def stop(self, name: int) -> None:
        """End a recording; nothing happens where there's none of that name."""
        recording = self._named.get(name)
        if recording is not None and not recording.stopped:
            recording.stopped = True
            self._packets.command(command_record(ring_row.STOP_RECORDING, recording.row))

    def stop_of(self, stream: int) -> None:
        """End the recording of a stream, if it has one."""
        for recording in [one for one in self._named.values() if stream in one.streams]:
            self.stop(recording.name)

    def stop_all(self) -> None:
        """End every recording: the engine ends."""
        for name in list(self._named):
            self.stop(name)

    def finish(self) -> None:
        """Go on with what the writer has done, or can't do any more."""
        for recording in list(self._named.values()):
            if recording.closing:
                continue
            error = self._writer.error(recording.row)
            if error and not recording.failure:
                self._fail(recording, os.strerror(error))
            if self._writer.is_done(recording.row):
                recording.closing = True
                self._files.submit(
                    lambda one=recording: self._close(one),  # type: ignore[misc]
                    lambda why, one=recording: self._end(one),  # type: ignore[misc]
                )

    def close(self) -> None:
        """Close what is still open; all threads have ended."""
        for recording in self._named.values():
            self._close(recording)
        self._disk.close()

    def _fail(self, recording: _Recording, why: str) -> None:
        recording.failure = recording.failure or why
        self.stop(recording.name)

    def _give_up(self, recording: _Recording, why: str) -> None:
        self._writer.use_none(recording.row)
        self._fail(recording, why)

    def _make(self, recording: _Recording) -> Callable[[], None]:
        header = wav_header(recording.rate, recording.tracks)
        try:
            recording.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            recording.fd = make_wav(recording.path, header)
        except (OSError, ValueError) as error:
            # ValueError: no path at all.
            why = getattr(error, "strerror", None) or str(error)
            return lambda: self._give_up(recording, why)
        if recording.kept:
            self._disk.begin(
                recording.name,
                recording.fd,
                lambda why: self._files.hand_over(lambda: self._fail(recording, why)),
            )
        return lambda: self._writer.use(
            recording.row, recording.fd, header, recording.tracks, longest(recording.tracks)
        )

    def _close(self, recording: _Recording) -> Callable[[], None]:
        fd, recording.fd = recording.fd, -1
        if fd >= 0:
            os.close(fd)
        return lambda: self._end(recording)

    def _end(self, recording: _Recording) -> None:
        seconds = self._writer.samples(recording.row) / recording.rate
        self._packets.recorded(recording.row)
        self._free.append(recording.row)
        del self._named[recording.name]

        def report() -> None:
            self._report(Recorded(recording.name, round(seconds, 3), recording.failure))

        if recording.kept:
            # Not before the disk has said whether it has all of it
            self._disk.end(recording.name, lambda: self._files.hand_over(report))
        else:
            report()
