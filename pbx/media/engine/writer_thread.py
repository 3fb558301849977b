"""The writer of recordings as the main thread sees it: files in, and what has become of them out."""

import os
import struct
import threading

from pbx.media.engine import file_row
from pbx.media.engine import tables as t
from pbx.media.engine.loading import Kernels
from pbx.media.engine.native_thread import settle
from pbx.media.engine.view import describe
from pbx.media.engine.voice_tables import VoiceTables

_ONE = struct.pack("=Q", 1)


class WriterThread:
    """Runs `write_loop`: no Python, and no lock, between packet threads and their recordings' files.

    Args:
        kernels: compiled.
        tables, voices: those of the first packet thread, which others are made from: its `REPORT_FD`
            must be there already, and `WRITER_FD` is now.
    """

    def __init__(self, kernels: Kernels, tables: t.Tables, voices: VoiceTables) -> None:
        self._kernels = kernels
        self._tables = tables
        self._voices = voices
        self._wake_fd = os.eventfd(0, os.EFD_CLOEXEC)
        tables.facts[t.WRITER_FD] = self._wake_fd
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Wait for all that the packet threads, which have ended, have left; then end the thread."""
        self._kernels.publish(self._tables.stop, t.STOP_WRITER, 1)
        os.write(self._wake_fd, _ONE)
        self._thread.join()
        os.close(self._wake_fd)

    def prepare(self, recording: int) -> None:
        """Make a row ready for a new recording, before the packet thread hears of it."""
        words = self._voices.files[recording]
        self._kernels.publish(words, file_row.FD, file_row.NOT_YET)
        words[file_row.TRACKS : file_row.DONE] = 0
        self._kernels.publish(words, file_row.DONE, 0)

    def use(self, recording: int, fd: int, header: bytes, tracks: int, longest: int) -> None:
        """Give a recording its file, which stays open until it is `done`.

        Args:
            recording: its row.
            fd: of the file.
            header: what it begins with.
            tracks: 1 or 2.
            longest: octets of sound that the header can say.
        """
        self._voices.headers[recording] = list(header)
        words = self._voices.files[recording]
        words[file_row.TRACKS], words[file_row.MOST] = tracks, longest
        self._begin(recording, fd)

    def use_none(self, recording: int) -> None:
        """Let a recording come to its end without a file."""
        self._begin(recording, file_row.NONE)

    def _begin(self, recording: int, fd: int) -> None:
        self._kernels.publish(self._voices.files[recording], file_row.FD, fd)
        os.write(self._wake_fd, _ONE)

    def error(self, recording: int) -> int:
        """Return the error number that has ended the writing of a recording; 0: none has."""
        return int(self._voices.files[recording, file_row.ERROR])

    def is_done(self, recording: int) -> bool:
        """Return whether a recording that has been stopped is written, as far as it can be."""
        return bool(self._voices.files[recording, file_row.DONE])

    def samples(self, recording: int) -> int:
        """Return how many samples of each track have been written."""
        return int(self._voices.files[recording, file_row.TAKEN])

    def _run(self) -> None:
        settle("writer")
        tables, voices = describe(self._tables), describe(self._voices)
        self._kernels.write_loop(tables.ctypes.data, voices.ctypes.data)
