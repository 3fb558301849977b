"""Reads WAV files for players: 16-bit or G.711 sound of any usual rate, as mono at a rate of ours."""

import math
import os
import stat
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

Sound = npt.NDArray[np.int16]

LONGEST = 1 << 26
"""Samples of mono that a file may have: they stay in memory as long as they are played, 134 MB."""

RATES = (8000, 16000, 48000)
_LOWEST, _HIGHEST = 4000, 192_000

_PCM, _ALAW, _ULAW, _EXTENSIBLE = 1, 6, 7, 0xFFFE
_WIDTHS = {_PCM: 16, _ALAW: 8, _ULAW: 8}

_CROSSINGS = 16
"""Zero crossings of the filter on each side."""

_MOST_PHASES = 640
"""Of a filter; every usual rate has fewer."""

_MOST_CHUNKS = 1000
"""Of a file; what has more before its sound isn't made to be played."""

_PIECE = 4096
"""Samples that are reckoned at once."""


class SoundFileError(Exception):
    """A file that can't be played; says why, in one sentence."""


@dataclass(frozen=True, slots=True)
class _Format:
    code: int
    tracks: int
    rate: int
    bits: int


@dataclass(eq=False)
class SoundFile:
    """What has been read.

    Args:
        samples: mono.
        rate: of them in a second, one of `RATES`.
    """

    samples: Sound
    rate: int


def read_sound(path: Path) -> SoundFile:
    """Return a file's sound, all tracks in one.

    Raises:
        SoundFileError: there is no such file, or it isn't one that can be played.
    """
    try:
        with _open(path) as file:
            form, begin, octets = _find(file)
            wanted = form.rate if form.rate in RATES else (16000 if form.rate > 8000 else 8000)
            sound = _decode(form, file, begin, octets)
    except (OSError, ValueError) as error:
        # ValueError: no path at all.
        reason = getattr(error, "strerror", None) or str(error)
        raise SoundFileError(reason) from error
    return SoundFile(convert(sound, form.rate, wanted), wanted)


def _open(path: Path) -> BinaryIO:
    # A FIFO would have us wait for its writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise SoundFileError("it is no file")
    return os.fdopen(descriptor, "rb")


def _read(file: BinaryIO, at: int, octets: int) -> bytes:
    """Return so much of a file, or what there is of it.

    A map of it would end the process where a card fails or another program cuts the file.
    """
    file.seek(at)
    return file.read(octets)


def _find(file: BinaryIO) -> tuple[_Format, int, int]:
    """Find format and samples among a RIFF file's chunks: where these begin, and their octets."""
    head = _read(file, 0, 12)
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        raise SoundFileError("it is no WAV file")
    size = os.fstat(file.fileno()).st_size
    at, form = 12, None
    for _ in range(_MOST_CHUNKS):
        head = _read(file, at, 8)
        if len(head) < 8:
            break
        kind, length = struct.unpack("<4sI", head)
        if kind == b"fmt ":
            form = _format(_read(file, at + 8, min(length, 64)))
        elif kind == b"data" and form is not None:
            # A recording that was cut off may promise more than there is.
            octets = min(length, size - at - 8)
            if octets > LONGEST * form.tracks * form.bits // 8:
                raise SoundFileError("it is too long")
            return form, at + 8, octets
        at += 8 + length + length % 2
    raise SoundFileError("it has no sound in it")


def _format(body: bytes) -> _Format:
    if len(body) < 16:
        raise SoundFileError("it is damaged")
    code, tracks, rate, _, _, bits = struct.unpack_from("<HHIIHH", body)
    if code == _EXTENSIBLE and len(body) >= 26:
        (code,) = struct.unpack_from("<H", body, 24)
    if _WIDTHS.get(code) != bits or not 1 <= tracks <= 8:
        raise SoundFileError("only WAV files of 16-bit PCM or G.711 can be played")
    phases = min(wanted // math.gcd(rate, wanted) for wanted in RATES[:2]) if rate else 0
    if not _LOWEST <= rate <= _HIGHEST or phases > _MOST_PHASES:
        raise SoundFileError(f"{rate} samples in a second cannot be played")
    return _Format(code, tracks, rate, bits)


def _decode(form: _Format, file: BinaryIO, begin: int, octets: int) -> Sound:
    """Return the samples, tracks mixed, a piece after the other: files are large and boards small."""
    width = form.tracks * form.bits // 8
    table = {_ALAW: _alaw, _ULAW: _ulaw}[form.code]() if form.code != _PCM else None
    sound = np.empty(octets // width, np.int16)
    for first in range(0, len(sound), _PIECE):
        count = min(_PIECE, len(sound) - first)
        piece = _read(file, begin + first * width, count * width)
        if len(piece) < count * width:
            raise SoundFileError("it has become shorter while it was read")
        if table is None:
            samples = np.frombuffer(piece, "<i2").astype(np.int16)
        else:
            samples = table[np.frombuffer(piece, np.uint8)]
        tracks = samples.reshape(count, form.tracks)
        sound[first : first + count] = tracks.mean(axis=1).round()
    return sound


def _ulaw() -> Sound:
    """G.711 Table 2b, as 16-bit samples."""
    code = ~np.arange(256) & 0xFF
    size = (((code & 0x0F) << 3) + 0x84 << ((code & 0x70) >> 4)) - 0x84
    return np.where(code & 0x80, -size, size).astype(np.int16)


def _alaw() -> Sound:
    """G.711 Table 1b, as 16-bit samples."""
    code = np.arange(256) ^ 0x55
    segment = (code & 0x70) >> 4
    size = ((code & 0x0F) << 4) + np.where(segment, 0x108, 8)
    size <<= np.maximum(segment - 1, 0)
    return np.where(code & 0x80, size, -size).astype(np.int16)


def convert(sound: Sound, rate: int, wanted: int) -> Sound:
    """Return sound at another rate, by a windowed sinc (Kaiser, 80 dB).

    Args:
        sound: mono.
        rate, wanted: samples in a second.
    """
    if rate == wanted or not len(sound):
        return sound
    common = math.gcd(rate, wanted)
    up, down = wanted // common, rate // common
    # Of the two rates the lower one says what may pass.
    cutoff = 0.95 * min(1.0, wanted / rate)
    half = math.ceil(_CROSSINGS / cutoff)
    places = np.arange(-half + 1, half + 1)[None, :] - np.arange(up)[:, None] / up
    window = np.i0(8.0 * np.sqrt(np.clip(1 - (places / half) ** 2, 0, 1))) / np.i0(8.0)
    taps = cutoff * np.sinc(cutoff * places) * window
    count = len(sound) * up // down
    out = np.empty(count, np.int16)
    for first in range(0, count, _PIECE):
        place = np.arange(first, min(first + _PIECE, count), dtype=np.int64) * down
        low, high = int(place[0]) // up - half + 1, int(place[-1]) // up + half + 1
        piece = sound[max(low, 0) : high].astype(np.float64)
        around = max(-low, 0), max(high - len(sound), 0)
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(piece, around), 2 * half)
        heard = np.einsum("nt,nt->n", windows[place // up - place[0] // up], taps[place % up])
        out[first : first + len(heard)] = np.clip(np.rint(heard), -32768, 32767)
    return out
