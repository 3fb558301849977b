"""Reads WAV files for players: 16-bit or G.711 sound of any usual rate, as mono at a rate of ours."""

import math
import os
import stat
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Sound = npt.NDArray[np.int16]

LONGEST_S = 3600
LARGEST = 128 << 20
"""Octets. Longer and larger files are refused: they stay in memory as long as they are played."""

RATES = (8000, 16000, 48000)
_LOWEST, _HIGHEST = 4000, 192_000

_PCM, _ALAW, _ULAW, _EXTENSIBLE = 1, 6, 7, 0xFFFE
_WIDTHS = {_PCM: 16, _ALAW: 8, _ULAW: 8}

_CROSSINGS = 16
"""Zero crossings of the filter on each side."""

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


def read_sound(path: Path) -> tuple[Sound, int]:
    """Return a file's sound, both tracks of stereo in one, and its rate, one of `RATES`.

    Raises:
        SoundFileError: there is no such file, or it isn't one that can be played.
    """
    try:
        form, samples = _split(path.name, _read(path))
        sound = _decode(form, samples)
        wanted = form.rate if form.rate in RATES else (16000 if form.rate > 8000 else 8000)
        return np.ascontiguousarray(convert(sound, form.rate, wanted)), wanted
    except OSError as error:
        raise SoundFileError(f"{path.name}: {error.strerror or error}") from error
    except MemoryError as error:
        raise SoundFileError(f"{path.name} is too large for the memory there is") from error


def _read(path: Path) -> bytes:
    """Return what is in a file; a pipe or a device would keep the reader for ever."""
    if "\0" in str(path):
        raise SoundFileError(f"{str(path)!r} is no file name")
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(fd, "rb") as file:
        facts = os.fstat(fd)
        if not stat.S_ISREG(facts.st_mode):
            raise SoundFileError(f"{path.name} is no file")
        if facts.st_size > LARGEST:
            raise SoundFileError(f"{path.name} has more than {LARGEST >> 20} MiB")
        return file.read(LARGEST)


def _split(name: str, data: bytes) -> tuple[_Format, bytes]:
    """Find format and samples among a RIFF file's chunks."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise SoundFileError(f"{name} is no WAV file")
    at, form = 12, None
    while at + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, at)
        body = data[at + 8 : at + 8 + length]
        if kind == b"fmt ":
            form = _format(name, body)
        elif kind == b"data" and form is not None:
            # A recording that was cut off may promise more than there is.
            if len(body) > LONGEST_S * form.rate * form.tracks * form.bits // 8:
                raise SoundFileError(f"{name} is longer than {LONGEST_S // 60} minutes")
            return form, body
        at += 8 + length + length % 2
    raise SoundFileError(f"{name} has no sound in it")


def _format(name: str, body: bytes) -> _Format:
    if len(body) < 16:
        raise SoundFileError(f"{name} is damaged")
    code, tracks, rate, _, _, bits = struct.unpack_from("<HHIIHH", body)
    if code == _EXTENSIBLE and len(body) >= 26:
        (code,) = struct.unpack_from("<H", body, 24)
    if _WIDTHS.get(code) != bits or not 1 <= tracks <= 8:
        raise SoundFileError(f"{name}: only WAV files of 16-bit PCM or G.711 can be played")
    if not _LOWEST <= rate <= _HIGHEST:
        raise SoundFileError(f"{name}: {rate} samples in a second cannot be played")
    return _Format(code, tracks, rate, bits)


def _decode(form: _Format, data: bytes) -> Sound:
    whole = len(data) - len(data) % (form.tracks * form.bits // 8)
    if form.code == _PCM:
        samples = np.frombuffer(data[:whole], "<i2").astype(np.int16)
    else:
        table = _alaw() if form.code == _ALAW else _ulaw()
        samples = table[np.frombuffer(data[:whole], np.uint8)]
    if form.tracks == 1:
        return samples
    total = samples.reshape(-1, form.tracks).sum(axis=1, dtype=np.int32)
    mono: Sound = ((2 * total + form.tracks) // (2 * form.tracks)).astype(np.int16)
    return mono


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
    padded = np.pad(sound, (half - 1, half + 1))
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half)
    count = len(sound) * up // down
    out = np.empty(count, np.int16)
    for first in range(0, count, _PIECE):
        place = np.arange(first, min(first + _PIECE, count), dtype=np.int64) * down
        heard = np.einsum("nt,nt->n", windows[place // up], taps[place % up])
        out[first : first + len(heard)] = np.clip(np.rint(heard), -32768, 32767)
    return out
