"""A WAV file that is whole at any moment: its header follows each block that is written.

First the sound goes to the end of the file, then the lengths into the header. Wherever that is cut
the header promises no more than there is, and players take what it promises. Where the power goes
and the file system had written the header alone, the file is shorter than it says, which players
take as its end.
"""

import os
import struct
from pathlib import Path
from types import TracebackType
from typing import Self

HEADER = 44
LONGEST = 0xFFFFFFFF - HEADER
"""Octets of sound that the header can say: 37 hours of two tracks at 8 kHz."""


def wav_header(octets: int, rate: int, tracks: int) -> bytes:
    """Return the header of a file with `octets` of 16-bit sound.

    Args:
        octets: of sound; what is more than the header can say is left out.
        rate: samples in a second.
        tracks: 1 or 2.
    """
    octets = min(octets, LONGEST - LONGEST % (2 * tracks))
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", octets + HEADER - 8, b"WAVE"),
        *(b"fmt ", 16, 1, tracks, rate, rate * tracks * 2, tracks * 2, 16),
        *(b"data", octets),
    )


class WavFile:
    """A recording that is being written.

    Args:
        path: a new file.
        rate: samples in a second.
        tracks: 1 or 2, samples of which come in turn.

    Raises:
        OSError: the file is there already, or can't be made or written.
    """

    def __init__(self, path: Path, rate: int, tracks: int) -> None:
        self._rate = rate
        self._tracks = tracks
        self._octets = 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._fd = os.open(path, flags, 0o640)
        try:
            self._write(wav_header(0, rate, tracks), 0)
        except OSError:
            os.close(self._fd)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def seconds(self) -> float:
        """Length of the sound that is in the file."""
        return self._octets / (2 * self._tracks * self._rate)

    def append(self, sound: bytes | memoryview) -> None:
        """Write a block of little-endian samples.

        Raises:
            OSError: the disk is full or gone; what was there before stays playable, and the next
                block takes the place of this one.
            ValueError: the block ends within a sample.
        """
        view = memoryview(sound).cast("B")
        if len(view) % (2 * self._tracks):
            raise ValueError("a block of sound must end with a whole sample of each track")
        self._write(view, HEADER + self._octets)
        self._octets += len(view)
        self._write(wav_header(self._octets, self._rate, self._tracks), 0)

    def close(self) -> None:
        """Close the file; it is whole already."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _write(self, octets: bytes | memoryview, at: int) -> None:
        view = memoryview(octets)
        while view:
            written = os.pwrite(self._fd, view, at)
            view, at = view[written:], at + written
