"""What a WAV file says of its sound (RIFF; WAVE_FORMAT_EXTENSIBLE), whoever plays it."""

import os
import struct
from dataclasses import dataclass
from typing import BinaryIO

PCM, ALAW, ULAW = 1, 6, 7

_EXTENSIBLE = 0xFFFE
"""The code itself stands further behind, at the begin of a GUID."""

_MOST_CHUNKS = 1000
"""Of a file; what has more before its sound isn't made to be played."""


class WavError(ValueError):
    """A file that is no WAV file; says why, in one sentence."""


@dataclass(frozen=True, slots=True)
class WavHeader:
    """The form of the sound, and where it is.

    Args:
        code: of the format: `PCM`, `ALAW`, `ULAW` or another one.
        tracks: samples of each come in turn.
        rate: samples of a track in a second.
        bits: of a sample.
        begin: where in the file the first one is.
        octets: of all samples that are there.
    """

    code: int
    tracks: int
    rate: int
    bits: int
    begin: int
    octets: int

    @property
    def frame(self) -> int:
        """Octets of a sample of each track."""
        return self.tracks * self.bits // 8

    @property
    def is_pcm(self) -> bool:
        """Whether samples are whole numbers of 8 (unsigned), 16, 24 or 32 bits."""
        return self.code == PCM and self.bits in (8, 16, 24, 32)


def read_wav_header(file: BinaryIO) -> WavHeader:
    """Find form and samples among a file's chunks.

    Raises:
        WavError: there are none.
        OSError: it can't be read.
    """
    head = _read(file, 0, 12)
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        raise WavError("it is no WAV file")
    size = os.fstat(file.fileno()).st_size
    at, form = 12, None
    for _ in range(_MOST_CHUNKS):
        head = _read(file, at, 8)
        if len(head) < 8:
            break
        kind, length = struct.unpack("<4sI", head)
        at += 8
        if kind == b"fmt ":
            form = _form(_read(file, at, min(length, 64)))
        elif kind == b"data" and form is not None:
            # A recording that was cut off may promise more than there is.
            return WavHeader(*form, at, min(length, size - at))
        at += length + length % 2
    raise WavError("it has no sound in it")


def _form(body: bytes) -> tuple[int, int, int, int]:
    if len(body) < 16:
        raise WavError("it is damaged")
    code, tracks, rate, _, _, bits = struct.unpack_from("<HHIIHH", body)
    if code == _EXTENSIBLE and len(body) >= 26:
        (code,) = struct.unpack_from("<H", body, 24)
    return code, tracks, rate, bits


def _read(file: BinaryIO, at: int, octets: int) -> bytes:
    file.seek(at)
    return file.read(octets)
