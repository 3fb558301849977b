"""A WAV file for a recording: made here, filled and kept whole by `kernels.writing`."""

import os
import struct
from pathlib import Path

from pbx.media.engine.file_row import HEADER

LONGEST = 0xFFFFFFFF - HEADER
"""Octets of sound that a header can say: 37 hours of two tracks at 8 kHz."""


def longest(tracks: int) -> int:
    """Return how many octets of whole samples a header can say at most."""
    return LONGEST - LONGEST % (2 * tracks)


def wav_header(rate: int, tracks: int) -> bytes:
    """Return the header of a file of 16-bit sound that has none yet.

    Args:
        rate: samples in a second.
        tracks: 1 or 2, samples of which come in turn.
    """
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", HEADER - 8, b"WAVE"),
        *(b"fmt ", 16, 1, tracks, rate, rate * tracks * 2, tracks * 2, 16),
        *(b"data", 0),
    )


def make_wav(path: Path, header: bytes) -> int:
    """Make a file with a header, and return its descriptor.

    Args:
        path: a new file.
        header: of `wav_header`.

    Raises:
        OSError: the file is there already, or can't be made or written.
        ValueError: there can be no such path.
    """
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
    try:
        done = 0
        while done < len(header):
            done += os.pwrite(fd, header[done:], done)
    except OSError:
        os.close(fd)
        raise
    return fd
