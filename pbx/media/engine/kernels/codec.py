"""One coder, whatever its codec: payloads to samples and back.

Nothing is believed of a payload: any octets and any length decode to samples or to none, never
beyond the arrays that are handed in. What a library that isn't there would have to do, is not done
(0 samples, 0 octets).
"""

from typing import Any

import numpy as np

from pbx.media import codecs
from pbx.media.engine import coder_row as row
from pbx.media.engine import libraries
from pbx.media.engine.kernels.g711 import decode_alaw, decode_ulaw, encode_alaw, encode_ulaw
from pbx.media.engine.kernels.g722 import decode_g722, encode_g722
from pbx.media.engine.kernels.g726 import decode_g726
from pbx.media.engine.native import call_function, kernel

_GSM_SAMPLES = 160
_GSM_OCTETS = 33
_GSM_MARK = 0xD

_G729_SAMPLES = 80
_G729_OCTETS = 10
_G729_SID_OCTETS = 2

_OPUS_LONGEST = 5760
"""Samples: 120 ms, the longest packet."""

_OPUS_NOTHING = 2
"""Octets of a packet that need not be sent (RFC 7587 §3.1.3, DTX)."""


@kernel
def _decode_l16(payload: Any, samples: Any, pcm: Any) -> Any:
    for index in range(samples):
        pcm[index] = (payload[2 * index] << 8) | payload[2 * index + 1]
    return samples


@kernel
def _encode_l16(pcm: Any, samples: Any, payload: Any) -> Any:
    for index in range(samples):
        payload[2 * index] = pcm[index] >> 8
        payload[2 * index + 1] = pcm[index]
    return 2 * samples


@kernel
def _decode_opus(
    functions: Any, state: Any, payload: Any, length: Any, pcm: Any, samples: Any, fec: Any
) -> Any:
    """Decode; without a payload (`length` 0) go on as if there had been one."""
    source = payload.ctypes.data if length > 0 else 0
    return call_function(
        functions[libraries.OPUS_DECODE], (state, source, length, pcm.ctypes.data, samples, fec)
    )


@kernel
def _decode_gsm(address: Any, state: Any, payload: Any, length: Any, pcm: Any) -> Any:
    frames = length // _GSM_OCTETS
    if frames * _GSM_SAMPLES > pcm.shape[0]:
        return 0
    for frame in range(frames):
        if payload[_GSM_OCTETS * frame] >> 4 != _GSM_MARK:
            return 0
    used = frames * _GSM_OCTETS
    return call_function(address, (state, pcm.ctypes.data, payload.ctypes.data, used))


@kernel
def _decode_g729(address: Any, state: Any, payload: Any, length: Any, pcm: Any) -> Any:
    speech = length // _G729_OCTETS
    rest = length - speech * _G729_OCTETS
    noise = 1 if rest == _G729_SID_OCTETS else 0
    samples = (speech + noise) * _G729_SAMPLES
    if samples > pcm.shape[0] or (rest != 0 and noise == 0):
        return 0
    for frame in range(speech + noise):
        sid = 1 if frame == speech else 0
        octets = _G729_SID_OCTETS if sid != 0 else _G729_OCTETS
        source = payload.ctypes.data + frame * _G729_OCTETS
        target = pcm.ctypes.data + 2 * frame * _G729_SAMPLES
        call_function(address, (state, source, octets, 0, sid, 0, target))
    return samples


@kernel
def _encode_g729(address: Any, coder: Any, pcm: Any, samples: Any, payload: Any) -> Any:
    frames = samples // _G729_SAMPLES
    if frames * _G729_OCTETS > payload.shape[0]:
        return 0
    written = coder.ctypes.data + 8 * row.RESULT
    octets = 0
    for frame in range(frames):
        source = pcm.ctypes.data + 2 * frame * _G729_SAMPLES
        target = payload.ctypes.data + octets
        coder[row.RESULT] = 0
        call_function(address, (coder[row.STATE], source, target, written))
        octets += coder[row.RESULT] & 0xFF
    return octets


@kernel
def decode(functions: Any, coder: Any, memory: Any, payload: Any, length: Any, pcm: Any) -> Any:
    """Decode one payload; returns the number of samples, 0 where it can't be decoded.

    Args:
        functions: `libraries.Libraries.functions`.
        coder: the decoder's row.
        memory: the decoder's `coder_row.MEMORY` int16.
        payload: uint8, behind the RTP header.
        length: octets of it.
        pcm: int16, of any length; a payload of more samples is not decoded. 5760 hold every
            packet that a peer may send.
    """
    if length <= 0 or length > payload.shape[0]:
        return 0
    number = coder[row.CODEC]
    state = coder[row.STATE]
    room = pcm.shape[0]
    samples = 0
    if number == codecs.PCMU and length <= room:
        samples = decode_ulaw(payload, length, pcm)
    elif number == codecs.PCMA and length <= room:
        samples = decode_alaw(payload, length, pcm)
    elif number == codecs.G722 and 2 * length <= room:
        samples = decode_g722(memory, payload, length, pcm)
    elif codecs.L16_8000 <= number <= codecs.L16_48000 and length >> 1 <= room:
        samples = _decode_l16(payload, length >> 1, pcm)
    elif number in (codecs.G726_32, codecs.AAL2_G726_32) and 2 * length <= room:
        samples = decode_g726(memory, payload, length, pcm, number == codecs.G726_32)
    elif state == 0:
        samples = 0
    elif number == codecs.OPUS:
        samples = _decode_opus(functions, state, payload, length, pcm, min(room, _OPUS_LONGEST), 0)
    elif number == codecs.GSM:
        samples = _decode_gsm(functions[libraries.GSM_DECODE], state, payload, length, pcm)
    elif number == codecs.G729:
        samples = _decode_g729(functions[libraries.G729_DECODE], state, payload, length, pcm)
    return max(samples, 0)


@kernel
def has_memory(coder: Any) -> Any:
    """Return whether what a packet sounds like depends on those decoded before: all but G.711 and L16."""
    codec = coder[row.CODEC]
    g711 = codec == codecs.PCMU or codec == codecs.PCMA
    linear = codec == codecs.L16_8000 or codec == codecs.L16_16000 or codec == codecs.L16_48000
    return not g711 and not linear


@kernel
def encode(functions: Any, coder: Any, memory: Any, pcm: Any, samples: Any, payload: Any) -> Any:
    """Encode `samples`; returns the number of octets, 0 where there is nothing to send.

    Args:
        functions: `libraries.Libraries.functions`.
        coder: the encoder's row.
        memory: the encoder's `coder_row.MEMORY` int16.
        pcm: int16 at the codec's rate.
        samples: of them; GSM and G.729 take frames of 20 and 10 ms and leave a rest out, Opus takes
            2.5, 5, 10, 20, 40 or 60 ms and nothing else.
        payload: uint8 to write to, of any length; nothing is written where it can't hold it all.
    """
    if samples <= 0 or samples > pcm.shape[0]:
        return 0
    number = coder[row.CODEC]
    state = coder[row.STATE]
    room = payload.shape[0]
    octets = 0
    if number == codecs.PCMU and samples <= room:
        octets = encode_ulaw(pcm, samples, payload)
    elif number == codecs.PCMA and samples <= room:
        octets = encode_alaw(pcm, samples, payload)
    elif number == codecs.G722 and samples >> 1 <= room:
        octets = encode_g722(memory, pcm, samples, payload)
    elif codecs.L16_8000 <= number <= codecs.L16_48000 and 2 * samples <= room:
        octets = _encode_l16(pcm, samples, payload)
    elif state == 0:
        octets = 0
    elif number == codecs.OPUS:
        octets = call_function(
            functions[libraries.OPUS_ENCODE],
            (state, pcm.ctypes.data, samples, payload.ctypes.data, room),
        )
        octets = octets if octets > _OPUS_NOTHING else 0
    elif number == codecs.GSM and samples // _GSM_SAMPLES * _GSM_OCTETS <= room:
        whole = samples // _GSM_SAMPLES * _GSM_SAMPLES
        octets = call_function(
            functions[libraries.GSM_ENCODE],
            (state, payload.ctypes.data, pcm.ctypes.data, whole),
        )
    elif number in (codecs.G726_32, codecs.AAL2_G726_32) and samples >> 1 <= room:
        octets = call_function(
            functions[libraries.G726_ENCODE],
            (state, payload.ctypes.data, pcm.ctypes.data, samples & ~1),
        )
    elif number == codecs.G729:
        octets = _encode_g729(functions[libraries.G729_ENCODE], coder, pcm, samples, payload)
    return max(octets, 0)


@kernel
def ends_in_noise(coder: Any, length: Any) -> Any:
    """Return whether a payload of G.729 ends with Annex B's comfort noise frame (RFC 3551 §4.5.6).

    Args:
        coder: the decoder's row.
        length: octets of the payload.
    """
    return coder[row.CODEC] == codecs.G729 and length % _G729_OCTETS == _G729_SID_OCTETS


@kernel
def opus_has_copy(payload: Any, length: Any) -> Any:
    """Return whether an Opus packet has a copy of the sound before it (RFC 6716 §4.2.3, its LBRR flag).

    It may be in the first of several frames; packets of more than two are taken for having none.

    Args:
        payload, length: see `decode`.
    """
    if length < 2 or length > payload.shape[0]:
        return False
    # §3.1: mode, bandwidth and length of a frame, s for stereo, and how many frames there are.
    first = np.int64(payload[0])
    config, code = first >> 3, first & 3
    if config >= 16 or code > 2:
        return False
    begin = 1
    if code == 2:
        # §3.2.1: the first frame's length, in one octet or two.
        begin = 2 if payload[1] < 252 else 3
        if length <= begin:
            return False
    # A frame of the LP layer is as long as it says, where it stands alone; beside CELT 20 ms at most.
    tens = config & 3
    frames = 1 if config >= 12 or tens == 0 else tens
    flags = np.int64(payload[begin])
    found = flags >> (7 - frames) & 1
    if first & 4 != 0:
        found |= flags >> (6 - 2 * frames) & 1
    return found != 0


@kernel
def recover(functions: Any, coder: Any, payload: Any, length: Any, pcm: Any, samples: Any) -> Any:
    """Make good a loss out of the packet behind it (Opus' FEC); to be called before its `decode`.

    Where that packet has no copy of the lost sound, Opus conceals it. Returns the number of
    samples, 0 where the codec has nothing of the kind: then `kernels.plc` conceals.

    Args:
        functions, coder: see `decode`.
        payload, length: the first packet behind the loss.
        pcm: int16 to write to.
        samples: how much is to be made good, up to 120 ms; Opus refuses what is no multiple of
            2.5 ms.
    """
    wrong = samples <= 0 or samples > min(pcm.shape[0], _OPUS_LONGEST)
    if coder[row.CODEC] != codecs.OPUS or coder[row.STATE] == 0 or wrong:
        return 0
    usable = length if 0 < length <= payload.shape[0] else 0
    fec = 1 if usable > 0 else 0
    return max(_decode_opus(functions, coder[row.STATE], payload, usable, pcm, samples, fec), 0)


@kernel
def conceal_natively(functions: Any, coder: Any, pcm: Any, samples: Any) -> Any:
    """Let a codec that can do so go on without a packet: Opus and G.729.

    Returns the number of samples, 0 where the codec can't: then `kernels.plc` conceals.

    Args:
        functions, coder: see `decode`.
        pcm: int16 to write to.
        samples: how many; see `recover`; for G.729 a multiple of 10 ms.
    """
    if coder[row.CODEC] == codecs.OPUS:
        return recover(functions, coder, pcm, 0, pcm, samples)
    frames = samples // _G729_SAMPLES
    wrong = frames <= 0 or samples != frames * _G729_SAMPLES or samples > pcm.shape[0]
    if coder[row.CODEC] != codecs.G729 or coder[row.STATE] == 0 or wrong:
        return 0
    for frame in range(frames):
        target = pcm.ctypes.data + 2 * frame * _G729_SAMPLES
        # The decoder may look at the octets of a frame that it is told to be lost.
        lost = (coder[row.STATE], coder.ctypes.data, _G729_OCTETS, 1, 0, 0, target)
        call_function(functions[libraries.G729_DECODE], lost)
    return samples
