"""Real coders with guarded buffers, for the tests of codecs."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pbx.media import codecs
from pbx.media.engine import coder
from pbx.media.engine.coder import OpusSettings
from pbx.media.engine.kernels import codec
from pbx.media.engine.libraries import Libraries, load_libraries
from tests.media.kernels.sound import Sound

LIBRARIES = load_libraries()

LONGEST = 5760
"""Samples of the longest packet: 120 ms at 48 kHz."""

WORST = {
    codecs.PCMU: -36.0,
    codecs.PCMA: -36.0,
    codecs.L16_8000: -75.0,
    codecs.L16_16000: -75.0,
    codecs.L16_48000: -75.0,
    codecs.G722: -45.0,
    codecs.GSM: -25.0,
    codecs.G726_32: -35.0,
    codecs.AAL2_G726_32: -35.0,
    codecs.OPUS: -25.0,
    codecs.G729: -20.0,
}
"""THD+N of a sine of -13 dBov, in dB below it."""

_GUARD = 64
_FILL = 0x5A


class Guarded:
    """An array between two zones that nobody may write to.

    Args:
        size: its length.
        kind: int16 or uint8.
    """

    def __init__(self, size: int, kind: type[np.generic]) -> None:
        self._whole: npt.NDArray[Any] = np.full(size + 2 * _GUARD, _FILL, kind)
        self.inside = self._whole[_GUARD : _GUARD + size]

    def check(self) -> None:
        assert (self._whole[:_GUARD] == _FILL).all()
        assert (self._whole[len(self._whole) - _GUARD :] == _FILL).all()

    def untouched(self) -> bool:
        return bool((self.inside == _FILL).all())


@dataclass
class Encoder:
    """An open encoder."""

    libraries: Libraries
    row: npt.NDArray[np.int64]
    memory: Sound

    def encode(self, pcm: Sound, samples: int | None = None, room: int = 2048) -> bytes:
        """Encode; checks the guards."""
        payload = Guarded(room, np.uint8)
        count = len(pcm) if samples is None else samples
        octets = codec.encode(
            self.libraries.functions, self.row, self.memory, pcm, count, payload.inside
        )
        payload.check()
        assert 0 <= octets <= room
        return payload.inside[:octets].tobytes()

    def frames(self, pcm: Sound, samples: int) -> list[bytes]:
        """Encode all of `pcm` in packets of so many samples."""
        return [
            self.encode(pcm[at : at + samples]) for at in range(0, len(pcm) - samples + 1, samples)
        ]


@dataclass
class Decoder:
    """An open decoder."""

    libraries: Libraries
    row: npt.NDArray[np.int64]
    memory: Sound

    def decode(self, data: bytes, length: int | None = None, room: int = LONGEST) -> Sound:
        """Decode; checks the guards."""
        payload = np.frombuffer(data, np.uint8).copy()
        pcm = Guarded(room, np.int16)
        count = len(data) if length is None else length
        samples = codec.decode(
            self.libraries.functions, self.row, self.memory, payload, count, pcm.inside
        )
        return self._sound(pcm, samples)

    def recover(self, data: bytes, samples: int, room: int = LONGEST) -> Sound:
        """Make good a loss before `data`; checks the guards."""
        payload = np.frombuffer(data, np.uint8).copy()
        pcm = Guarded(room, np.int16)
        made = codec.recover(
            self.libraries.functions, self.row, payload, len(data), pcm.inside, samples
        )
        return self._sound(pcm, made)

    def conceal(self, samples: int, room: int = LONGEST) -> Sound:
        """Go on without a packet; checks the guards."""
        pcm = Guarded(room, np.int16)
        made = codec.conceal_natively(self.libraries.functions, self.row, pcm.inside, samples)
        return self._sound(pcm, made)

    def _sound(self, pcm: Guarded, samples: int) -> Sound:
        pcm.check()
        assert 0 <= samples <= len(pcm.inside)
        return pcm.inside[:samples].copy()


@contextmanager
def encoder(
    number: int, opus: OpusSettings | None = None, libraries: Libraries = LIBRARIES
) -> Iterator[Encoder]:
    one = Encoder(libraries, coder.make_row(), coder.make_memory())
    coder.open_encoder(libraries, number, one.row, one.memory, opus or OpusSettings())
    try:
        yield one
    finally:
        coder.close(libraries, one.row)


@contextmanager
def decoder(
    number: int, libraries: Libraries = LIBRARIES, opus_rate: int = 48000
) -> Iterator[Decoder]:
    one = Decoder(libraries, coder.make_row(), coder.make_memory())
    coder.open_decoder(libraries, number, one.row, one.memory, opus_rate)
    try:
        yield one
    finally:
        coder.close(libraries, one.row)
