"""Reads WAV files for players: PCM or G.711 sound of any usual rate, as mono at a rate of ours."""

import math
import os
import weakref
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pbx.media.wav_header import ALAW, RATES, ULAW, WavHeader, open_sound, read_playable

Sound = npt.NDArray[np.int16]
_Samples = npt.NDArray[np.float64]

_CROSSINGS = 16
"""Zero crossings of the filter on each side."""

_PIECE = 4096
"""Samples that are reckoned at once."""


class SoundFileError(Exception):
    """A file that can't be played; says why, in one sentence."""


class SoundFile:
    """A file's sound, all tracks in one, read piece by piece: what has been read can be heard already.

    Args:
        path: of the file, which stays open until all of it has been read or nobody has this any more.

    Raises:
        SoundFileError: there is no such file, or it isn't one that can be played.
    """

    def __init__(self, path: Path) -> None:
        try:
            with open_sound(path) as file:
                self._form = form = read_playable(file)
                self._fd = os.dup(file.fileno())
        except (OSError, ValueError) as error:
            raise _error(error) from error
        self._close = weakref.finalize(self, os.close, self._fd)
        self.name = path.name
        self._frames = form.octets // form.frame
        self._table = {ALAW: _alaw, ULAW: _ulaw}[form.code]() if not form.is_pcm else None
        self.rate = form.rate if form.rate in RATES else (16000 if form.rate > 8000 else 8000)
        """Samples in a second, one of `RATES`."""

        self._filter = _Filter(form.rate, self.rate) if form.rate != self.rate else None
        length = self._frames * self.rate // form.rate
        self.samples: Sound = np.empty(length, np.int16)
        """All of them, at `rate`; those from `ready` on say nothing yet."""

        self.ready = 0
        """How many samples have been read."""

        self.published = np.zeros(1, np.int64)
        """The same, for packet threads: how many of them those who hear it may have."""

    @property
    def is_whole(self) -> bool:
        """Whether all of it has been read."""
        return self.ready == len(self.samples)

    def read_on(self, samples: int) -> None:
        """Read at least so many samples more, or what there is.

        Raises:
            SoundFileError: they can't be read; what has been read can still be heard.
        """
        end = min(self.ready + samples, len(self.samples))
        while self.ready < end:
            first, last = self.ready, min(self.ready + _PIECE, len(self.samples))
            if self._filter is None:
                self.samples[first:last] = self._decoded(first, last)
            else:
                low, high = self._filter.reach(first, last)
                made = self._filter.convert(self._decoded(low, high), first, last)
                self.samples[first:last] = np.clip(np.rint(made), -32768, 32767)
            self.ready = last
        if self.is_whole:
            self._close()

    def _decoded(self, first: int, last: int) -> _Samples:
        """Return the file's own samples, tracks mixed; silence where there are none.

        A map of the file would end the process where a card fails or another program cuts it.
        """
        begin, end = max(first, 0), min(last, self._frames)
        width = self._form.frame
        try:
            piece = os.pread(self._fd, (end - begin) * width, self._form.begin + begin * width)
        except OSError as error:
            raise _error(error) from error
        if len(piece) < (end - begin) * width:
            raise SoundFileError("it has become shorter while it was read")
        octets = np.frombuffer(piece, np.uint8)
        samples = _pcm(octets, self._form) if self._table is None else self._table[octets]
        mixed = samples.reshape(end - begin, self._form.tracks).mean(axis=1).round()
        return np.pad(mixed, (begin - first, last - end))


def _error(error: OSError | ValueError) -> SoundFileError:
    # ValueError: no path at all, or no such file as is wanted.
    return SoundFileError(getattr(error, "strerror", None) or str(error))


class _Filter:
    """Brings sound to another rate, by a windowed sinc (Kaiser, 80 dB).

    Args:
        rate, wanted: samples in a second.
    """

    def __init__(self, rate: int, wanted: int) -> None:
        common = math.gcd(rate, wanted)
        self._up, self._down = wanted // common, rate // common
        # Of the two rates the lower one says what may pass.
        cutoff = 0.95 * min(1.0, wanted / rate)
        self._half = half = math.ceil(_CROSSINGS / cutoff)
        places = np.arange(-half + 1, half + 1)[None, :] - np.arange(self._up)[:, None] / self._up
        window = np.i0(8.0 * np.sqrt(np.clip(1 - (places / half) ** 2, 0, 1))) / np.i0(8.0)
        self._taps = cutoff * np.sinc(cutoff * places) * window

    def reach(self, first: int, last: int) -> tuple[int, int]:
        """Return which samples of the source those from `first` to before `last` are made of."""
        low, high = first * self._down // self._up, (last - 1) * self._down // self._up
        return low - self._half + 1, high + self._half + 1

    def convert(self, source: _Samples, first: int, last: int) -> _Samples:
        """Return the samples from `first` to before `last`, of what `reach` says."""
        place = np.arange(first, last, dtype=np.int64) * self._down
        windows = np.lib.stride_tricks.sliding_window_view(source, 2 * self._half)
        nearest = place // self._up
        heard: _Samples = np.einsum(
            "nt,nt->n", windows[nearest - nearest[0]], self._taps[place % self._up]
        )
        return heard


def _pcm(octets: npt.NDArray[np.uint8], form: WavHeader) -> Sound:
    """Return samples of whole numbers as samples of 16 bits."""
    if form.bits == 8:
        # Those are unsigned.
        return (octets.astype(np.int16) - 128) << 8
    # Little-endian: the last two octets are the highest ones.
    high = np.ascontiguousarray(octets.reshape(-1, form.bits // 8)[:, -2:])
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
