"""Opens and closes coders: the states that kernels use, and that libraries allocate.

All of this is done by Python when a voice is set up; variadic C functions (`opus_encoder_ctl`)
could not be called from a kernel anyway.
"""

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pbx.media import codecs
from pbx.media.engine import coder_row as row
from pbx.media.engine.kernels import g722, g726
from pbx.media.engine.libraries import BCG729, OPUS, SPANDSP, Libraries
from pbx.media.engine.tables import Words

Memory = npt.NDArray[np.int16]

_GSM_PACKING_VOIP = 2
_G726_RATE = 32000
_G726_LINEAR = 0
_G726_LEFT = 1
"""The first sample in an octet's high bits: ITU-T I.366.2 (AAL2)."""
_G726_RIGHT = 2
"""The first sample in an octet's low bits: RFC 3551 §4.5.4."""

_OPUS_RATE = 48000
_OPUS_VOIP = 2048
_OPUS_SET_BITRATE = 4002
_OPUS_SET_MAX_BANDWIDTH = 4004
_OPUS_SET_VBR = 4006
_OPUS_SET_COMPLEXITY = 4010
_OPUS_SET_INBAND_FEC = 4012
_OPUS_SET_PACKET_LOSS = 4014

_OPUS_BANDWIDTHS = ((40000, 1105), (24000, 1104), (16000, 1103), (12000, 1102), (0, 1101))
"""By twice the highest frequency that is in them (RFC 6716 §2)."""

# Values of the word FREE, and whose function gives the state back.
_GSM, _G726, _OPUS_DECODER, _OPUS_ENCODER, _G729_DECODER, _G729_ENCODER = range(1, 7)
_FREES = {
    _GSM: (SPANDSP, "gsm0610_free"),
    _G726: (SPANDSP, "g726_free"),
    _OPUS_DECODER: (OPUS, "opus_decoder_destroy"),
    _OPUS_ENCODER: (OPUS, "opus_encoder_destroy"),
    _G729_DECODER: (BCG729, "closeBcg729DecoderChannel"),
    _G729_ENCODER: (BCG729, "closeBcg729EncoderChannel"),
}


class CoderError(Exception):
    """A codec that can't be used on this machine; says why, in one sentence."""


@dataclass(frozen=True, slots=True)
class OpusSettings:
    """How an Opus encoder works.

    Args:
        bitrate: bits per second.
        complexity: 0 (fast) to 10; 5 costs about half of 10 and hardly sounds different.
        fec: put a coarse copy of each packet into the next one, as the peer's SDP asks for.
        loss_percent: the loss to be prepared for; without any, `fec` copies nothing.
        rate: samples per second of what is encoded: 8000, 16000 or 48000; 8000 costs less than half
            of 48000.
        plays_hz: samples per second that the peer plays; nothing above half of it is encoded.
        constant: at that bitrate exactly, whatever is said; else around it.
    """

    bitrate: int = 32000
    complexity: int = 5
    fec: bool = True
    loss_percent: int = 10
    rate: int = _OPUS_RATE
    plays_hz: int = _OPUS_RATE
    constant: bool = False

    @property
    def bandwidth(self) -> int:
        """The widest of Opus' bandwidths that the peer can play."""
        return next(number for hertz, number in _OPUS_BANDWIDTHS if self.plays_hz >= hertz)


DEFAULT_OPUS = OpusSettings()


def make_row() -> Words:
    """Return the row of a coder that is not open."""
    return np.zeros(row.WIDTH, np.int64)


def make_memory() -> Memory:
    """Return a coder's int16 memory."""
    return np.zeros(row.MEMORY, np.int16)


def open_decoder(
    libraries: Libraries, codec: int, coder: Words, memory: Memory, opus_rate: int = _OPUS_RATE
) -> None:
    """Make `coder` and `memory` a decoder; they must not be those of an open one.

    Args:
        libraries: what this machine has.
        codec: its number.
        coder, memory: of `make_row` and `make_memory`, or rows of tables of such.
        opus_rate: samples per second that Opus is decoded to: 8000, 16000 or 48000.

    Raises:
        CoderError: its library is missing or out of memory, or the codec carries no speech.
    """
    _check(libraries, codec)
    if codec == codecs.OPUS:
        state = _opus(libraries, "opus_decoder_create", opus_rate, 1)
        _begin(coder, memory, codec, state, _OPUS_DECODER)
    elif codec == codecs.G729:
        state = _make(libraries, BCG729, "initBcg729DecoderChannel")
        _begin(coder, memory, codec, state, _G729_DECODER)
    elif codec in (codecs.G726_32, codecs.AAL2_G726_32):
        _begin(coder, memory, codec, 0, 0)
        g726.start(memory)
    else:
        _begin_either(libraries, codec, coder, memory)


def open_encoder(
    libraries: Libraries,
    codec: int,
    coder: Words,
    memory: Memory,
    opus: OpusSettings = DEFAULT_OPUS,
) -> None:
    """Make `coder` and `memory` an encoder; they must not be those of an open one.

    Args:
        libraries, codec, coder, memory: see `open_decoder`.
        opus: for Opus only.

    Raises:
        CoderError: see `open_decoder`; or Opus does not take a setting.
    """
    _check(libraries, codec)
    if codec == codecs.OPUS:
        state = _opus(libraries, "opus_encoder_create", opus.rate, 1, _OPUS_VOIP)
        _begin(coder, memory, codec, state, _OPUS_ENCODER)
        coder[row.SIZE] = libraries.loaded[OPUS].opus_encoder_get_size(1)
        how = (opus.rate << 16 | opus.bandwidth) << 1 | int(opus.fec)
        coder[row.SETTINGS] = (how << 20 | opus.bitrate) << 1 | int(opus.constant)
        try:
            _set_opus(libraries, state, opus)
        except CoderError:
            close(libraries, coder)
            raise
    elif codec == codecs.G729:
        # Without voice activity detection: peers that know no Annex B take it too.
        state = _make(libraries, BCG729, "initBcg729EncoderChannel", 0)
        _begin(coder, memory, codec, state, _G729_ENCODER)
    elif codec in (codecs.G726_32, codecs.AAL2_G726_32):
        packing = _G726_RIGHT if codec == codecs.G726_32 else _G726_LEFT
        state = _make(libraries, SPANDSP, "g726_init", None, _G726_RATE, _G726_LINEAR, packing)
        _begin(coder, memory, codec, state, _G726)
        coder[row.SIZE] = _allocated(state)
    else:
        _begin_either(libraries, codec, coder, memory)


def close(libraries: Libraries, coder: Words) -> None:
    """Give back what an open coder holds; no kernel may be using it. Harmless to repeat."""
    if coder[row.STATE]:
        library, name = _FREES[int(coder[row.FREE])]
        free = getattr(libraries.loaded[library], name)
        free.argtypes = [ctypes.c_void_p]
        free(int(coder[row.STATE]))
    coder[:] = 0


def _check(libraries: Libraries, codec: int) -> None:
    try:
        wanted = codecs.codec(codec)
    except KeyError:
        raise CoderError(f"there is no codec number {codec}") from None
    if not wanted.pcm_rate:
        raise CoderError(f"{wanted.name} carries no speech")
    if codec not in libraries.codecs:
        raise CoderError(f"{wanted.name} needs a library that is not installed")


def _begin(coder: Words, memory: Memory, codec: int, state: int, free: int) -> None:
    coder[:] = 0
    coder[row.CODEC] = codec
    coder[row.STATE] = state
    coder[row.FREE] = free
    memory[:] = 0


def _begin_either(libraries: Libraries, codec: int, coder: Words, memory: Memory) -> None:
    """Open a coder of which decoder and encoder begin alike."""
    if codec == codecs.GSM:
        state = _make(libraries, SPANDSP, "gsm0610_init", None, _GSM_PACKING_VOIP)
        # Not to be copied: its prediction doesn't fade, so a decoder that joins in would have another
        # one for as long as a tone lasts, and hear that much too low.
        _begin(coder, memory, codec, state, _GSM)
    else:
        _begin(coder, memory, codec, 0, 0)
        g722.start(memory)


def _allocated(state: int) -> int:
    """Return the octets of a state that its library has for itself, and says nothing of.

    Those of spandsp's G.726 hold no address but of functions, which are the same in each: they may
    be copied. Not so those of bcg729, which point into themselves.
    """
    size = ctypes.CDLL(None).malloc_usable_size
    size.argtypes = [ctypes.c_void_p]
    size.restype = ctypes.c_size_t
    return int(size(state))


def _make(libraries: Libraries, library: str, name: str, *arguments: Any) -> int:
    """Call a function that returns a new state."""
    function = getattr(libraries.loaded[library], name)
    function.restype = ctypes.c_void_p
    address = function(*arguments)
    if not address:
        raise CoderError(f"{library} could not make a coder")
    return int(address)


def _opus(libraries: Libraries, name: str, *arguments: int) -> int:
    error = ctypes.c_int()
    return _make(libraries, OPUS, name, *arguments, ctypes.byref(error))


def _set_opus(libraries: Libraries, state: int, settings: OpusSettings) -> None:
    control = libraries.loaded[OPUS].opus_encoder_ctl
    # The named arguments only: the value that follows is variadic.
    control.argtypes = [ctypes.c_void_p, ctypes.c_int]
    for request, value in (
        (_OPUS_SET_BITRATE, settings.bitrate),
        (_OPUS_SET_VBR, int(not settings.constant)),
        (_OPUS_SET_MAX_BANDWIDTH, settings.bandwidth),
        (_OPUS_SET_COMPLEXITY, settings.complexity),
        (_OPUS_SET_INBAND_FEC, int(settings.fec)),
        (_OPUS_SET_PACKET_LOSS, settings.loss_percent),
    ):
        if control(state, request, ctypes.c_int(value)) != 0:
            raise CoderError(f"Opus does not take {value} for its setting {request}")
