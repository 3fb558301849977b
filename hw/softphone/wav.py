"""WAV files as microphone and loudspeaker."""

import errno
import io
import os
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hw.softphone.g711 import Samples
from hw.softphone.locale import say
from hw.softphone.resampler import Resampler
from hw.softphone.session import CLOCK_HZ
from hw.softphone.words import error_in_words
from pbx.errors import StartError
from pbx.media.wav_header import WavError, WavHeader, read_wav_header

_RATES = range(4000, 192001)
_TRACKS = range(1, 9)


class WavSource:
    """A file to be played: PCM of 8, 16, 24 or 32 bits, any rate; all tracks, mixed.

    Args:
        path: of the file.

    Raises:
        StartError: it can't be read, or is no such file.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file = path.open("rb")
        except FileNotFoundError:
            raise StartError(say("no-file", path=path), os.EX_NOINPUT) from None
        except OSError as error:
            raise _unplayable(path, error) from error
        try:
            self._form = form = read_wav_header(self._file)
            _check(form)
        except (OSError, ValueError) as error:
            self._file.close()
            raise _unplayable(path, error) from error
        self._file.seek(form.begin)
        self._left = form.octets // form.frame
        rate = form.rate
        self._resampler = Resampler(rate, CLOCK_HZ) if rate != CLOCK_HZ else None
        self._block = max(1, rate // 10)
        self._waiting: Samples = np.zeros(0, np.int16)
        self._over = False

    def read(self, count: int) -> Samples:
        """Return the next samples; silence once the file is at its end."""
        while len(self._waiting) < count and not self._over:
            more = self._frames()
            if not len(more):
                self._over = True
                # What is still in the filter
                more = np.zeros(self._block, np.int16)
            if self._resampler is not None:
                more = self._resampler.convert(more)
            self._waiting = np.concatenate([self._waiting, more])
        samples, self._waiting = self._waiting[:count], self._waiting[count:]
        return np.pad(samples, (0, count - len(samples)))

    def _frames(self) -> Samples:
        """Return a block of the file, none at its end."""
        count = min(self._block, self._left)
        self._left -= count
        return _pcm(self._file.read(count * self._form.frame), self._form)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _check(form: WavHeader) -> None:
    """Raise ValueError, in the language spoken, where the form can't be played."""
    if not form.is_pcm:
        raise ValueError(say("wav-not-pcm"))
    if form.tracks not in _TRACKS:
        raise ValueError(say("wav-tracks", count=form.tracks))
    if form.rate not in _RATES:
        raise ValueError(say("wav-rate", rate=form.rate))


def _unplayable(path: Path, error: OSError | ValueError) -> StartError:
    match error:
        case OSError():
            why = error_in_words(error)
        case WavError():
            why = say(f"wav-{error.key}")
        case _:
            why = str(error)
    return StartError(say("no-wav", path=path, why=why), os.EX_NOINPUT)


def _pcm(data: bytes, form: WavHeader) -> Samples:
    """Return the octets of whole frames as one track of 16 bits."""
    width, channels = form.bits // 8, form.tracks
    octets = np.frombuffer(data, np.uint8)[: len(data) // form.frame * form.frame]
    # Little-endian: the last octet of a sample is its highest.
    planes = octets.reshape(-1, channels, width)
    high = planes[:, :, width - 1].astype(np.int32)
    if width == 1:
        # 8 bits are unsigned.
        wide = (high - 128) * 256
    else:
        wide = ((high ^ 0x80) - 0x80) * 256 + planes[:, :, width - 2]
    mixed: npt.NDArray[np.int16] = (wide.sum(axis=1) // channels).astype(np.int16)
    return mixed


class WavSink:
    """A file that keeps what is heard: 16 bits, 8000 Hz, one track.

    Args:
        path: of the file; one that is there is overwritten.

    Raises:
        StartError: it can't be written.
    """

    def __init__(self, path: Path) -> None:
        self._octets = 0
        try:
            # Unbuffered: a full disk shows at once, and no sound waits for one that never comes.
            self._file = io.FileIO(path, "wb")
        except OSError as error:
            raise _unwritable(path, error) from error
        try:
            self._write(self._header())
        except OSError as error:
            self._file.close()
            raise _unwritable(path, error) from error

    def _header(self) -> bytes:
        """Return the header as the sound so far wants it (RIFF, with PCM's 16-octet format)."""
        form = struct.pack("<HHIIHH", 1, 1, CLOCK_HZ, 2 * CLOCK_HZ, 2, 16)
        data = b"fmt " + struct.pack("<I", len(form)) + form
        data = b"WAVE" + data + b"data" + struct.pack("<I", self._octets)
        return b"RIFF" + struct.pack("<I", len(data) + self._octets) + data

    def _write(self, octets: bytes) -> None:
        if self._file.write(octets) < len(octets):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def write(self, samples: Samples) -> None:
        """Add samples; raises OSError where that is impossible."""
        octets = samples.astype("<i2").tobytes()
        self._write(octets)
        self._octets += len(octets)

    def close(self) -> None:
        """Write how long it is, and close the file; raises OSError where that is impossible."""
        with self._file:
            if self._file.seekable():
                self._file.seek(0)
                self._write(self._header())


def _unwritable(path: Path, error: OSError) -> StartError:
    sentence = say("cannot-record", path=path, why=error_in_words(error))
    return StartError(sentence, os.EX_CANTCREAT)
