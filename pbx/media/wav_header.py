"""What a WAV file says of its sound (RIFF; WAVE_FORMAT_EXTENSIBLE), whoever plays it, and whether players can."""

import math
import os
import stat
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

PCM, ALAW, ULAW = 1, 6, 7

_EXTENSIBLE = 0xFFFE
"""The code itself stands further behind, at the begin of a GUID."""

_MOST_CHUNKS = 1000
"""Of a file; what has more before its sound isn't made to be played."""


LONGEST = 1 << 26
"""Samples of mono that a file for players may have: they stay in memory as long as they are played, 134 MB."""

RATES = (8000, 16000, 48000)
"""At which players play, in samples a second; sound of other rates is converted."""

_LOWEST, _HIGHEST = 4000, 192_000

_MOST_PHASES = 640
"""Of the filter that converts; every usual rate has fewer."""


class WavError(ValueError):
    """A file that is no WAV file, or none that can be played.

    Args:
        key: names why, for those who say it in other languages.
        why: in one English sentence.
    """

    def __init__(self, key: str, why: str) -> None:
        super().__init__(why)
        self.key = key


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


def open_sound(path: Path) -> BinaryIO:
    """Open a file for players.

    Raises:
        WavError: it is no regular file.
        OSError: it can't be opened.
    """
    # A FIFO would have us wait for its writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise WavError("no-file", "it is no file")
    return os.fdopen(descriptor, "rb")


def read_playable(file: BinaryIO) -> WavHeader:
    """Return the header of a file that players can play.

    Raises:
        WavError: they can't.
        OSError: it can't be read.
    """
    form = read_wav_header(file)
    g711 = form.code in (ALAW, ULAW) and form.bits == 8
    if not (form.is_pcm or g711) or not 1 <= form.tracks <= 8:
        raise WavError("form", "only WAV files of PCM or G.711 can be played")
    rate = form.rate
    phases = min(wanted // math.gcd(rate, wanted) for wanted in RATES[:2]) if rate else 0
    if not _LOWEST <= rate <= _HIGHEST or phases > _MOST_PHASES:
        raise WavError("rate", f"{rate} samples in a second cannot be played")
    if form.octets < form.frame:
        raise WavError("silent", "it has no sound in it")
    if form.octets > LONGEST * form.frame:
        raise WavError("long", "it is too long")
    return form


def read_wav_header(file: BinaryIO) -> WavHeader:
    """Find form and samples among a file's chunks.

    Raises:
        WavError: there are none (`foreign`, `damaged` or `silent`).
        OSError: it can't be read.
    """
    head = _read(file, 0, 12)
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        raise WavError("foreign", "it is no WAV file")
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
    raise WavError("silent", "it has no sound in it")


def _form(body: bytes) -> tuple[int, int, int, int]:
    if len(body) < 16:
        raise WavError("damaged", "it is damaged")
    code, tracks, rate, _, _, bits = struct.unpack_from("<HHIIHH", body)
    if code == _EXTENSIBLE and len(body) >= 26:
        (code,) = struct.unpack_from("<H", body, 24)
    return code, tracks, rate, bits


def _read(file: BinaryIO, at: int, octets: int) -> bytes:
    file.seek(at)
    return file.read(octets)
