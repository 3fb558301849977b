"""Reads WAV files for players: PCM or G.711 sound of any usual rate, as mono at a rate of ours."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from pbx.media.wav_header import ALAW, RATES, ULAW, WavHeader, open_sound, read_playable

Sound = npt.NDArray[np.int16]

_CROSSINGS = 16
"""Zero crossings of the filter on each side."""

_PIECE = 4096
"""Samples that are reckoned at once."""


class SoundFileError(Exception):
    """A file that can't be played; says why, in one sentence."""


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
        with open_sound(path) as file:
            form = read_playable(file)
            wanted = form.rate if form.rate in RATES else (16000 if form.rate > 8000 else 8000)
            sound = _decode(form, file)
    except (OSError, ValueError) as error:
        # ValueError: no path at all.
        reason = getattr(error, "strerror", None) or str(error)
        raise SoundFileError(reason) from error
    return SoundFile(convert(sound, form.rate, wanted), wanted)


def _read(file: BinaryIO, at: int, octets: int) -> bytes:
    """Return so much of a file, or what there is of it.

    A map of it would end the process where a card fails or another program cuts the file.
    """
    file.seek(at)
    return file.read(octets)


def _decode(form: WavHeader, file: BinaryIO) -> Sound:
    """Return the samples, tracks mixed, a piece after the other: files are large and boards small."""
    width = form.frame
    sound = np.empty(form.octets // width, np.int16)
    table = {ALAW: _alaw, ULAW: _ulaw}[form.code]() if not form.is_pcm else None
    for first in range(0, len(sound), _PIECE):
        count = min(_PIECE, len(sound) - first)
        piece = _read(file, form.begin + first * width, count * width)
        if len(piece) < count * width:
            raise SoundFileError("it has become shorter while it was read")
        octets = np.frombuffer(piece, np.uint8)
        samples = table[octets] if table is not None else _pcm(octets, form.bits // 8)
        tracks = samples.reshape(count, form.tracks)
        sound[first : first + count] = tracks.mean(axis=1).round()
    return sound


def _pcm(octets: npt.NDArray[np.uint8], width: int) -> Sound:
    """Return samples of so many octets each as samples of 16 bits."""
    if width == 1:
        # Those are unsigned.
        return (octets.astype(np.int16) - 128) << 8
    # Little-endian: the last two octets are the highest ones.
    high = np.ascontiguousarray(octets.reshape(-1, width)[:, -2:])
    return high.view("<i2").ravel().astype(np.int16)


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
