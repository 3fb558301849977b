"""G.711: mu-law and A-law, by arithmetic instead of tables (NEON has no gather).

PCM is 16 bits: G.711's 14 (mu-law) or 13 (A-law) bits stand on the left. Like ITU-T G.191's
reference, the encoders take ~x for the magnitude of a negative x, so that both signs are rounded
alike; -1 is the negative zero, 0x7F in mu-law and 0x55 in A-law.
"""

from typing import Any

from pbx.media.engine.kernels.lanes import (
    add16,
    and16,
    clz16,
    max16,
    min16,
    or16,
    sar16,
    shl16,
    shr16,
    sub16,
    xor16,
)
from pbx.media.engine.native import kernel

_ULAW_BIAS_16 = 0x84
_ULAW_BIAS = 33
_ULAW_MOST = 0x1FFF
_SEGMENT = 0x70
_STEP = 0x0F
_EVEN_BITS = 0x55


@kernel
def _room(length: Any, source: Any, target: Any) -> Any:
    """Return how many of `length` numbers may be read from `source` and written to `target`."""
    return max(min(length, source.shape[0], target.shape[0]), 0)


@kernel
def _with_sign(magnitude: Any, negative: Any) -> Any:
    """Return `magnitude`, or its opposite where `negative` is -1 instead of 0."""
    return sub16(xor16(magnitude, negative), negative)


@kernel
def decode_ulaw(payload: Any, length: Any, pcm: Any) -> Any:
    """Decode mu-law; returns the number of samples.

    Args:
        payload: uint8.
        length: octets to decode; more than there are, or than `pcm` has room for, are left.
        pcm: int16.
    """
    samples = _room(length, payload, pcm)
    for i in range(samples):
        code = xor16(payload[i], 0xFF)
        step = add16(shl16(and16(code, _STEP), 3), _ULAW_BIAS_16)
        segment = shr16(and16(code, _SEGMENT), 4)
        magnitude = sub16(shl16(step, segment), _ULAW_BIAS_16)
        # The sign bit, carried over all sixteen.
        pcm[i] = _with_sign(magnitude, sar16(shl16(code, 8), 15))
    return samples


@kernel
def decode_alaw(payload: Any, length: Any, pcm: Any) -> Any:
    """Decode A-law; returns the number of samples. The arguments are `decode_ulaw`'s."""
    samples = _room(length, payload, pcm)
    for i in range(samples):
        code = xor16(payload[i], _EVEN_BITS)
        segment = shr16(and16(code, _SEGMENT), 4)
        # All segments but the first begin with a one that isn't sent.
        unsent = shl16(min16(segment, 1), 8)
        step = add16(add16(shl16(and16(code, _STEP), 4), 8), unsent)
        magnitude = shl16(step, max16(sub16(segment, 1), 0))
        pcm[i] = _with_sign(magnitude, sar16(shl16(xor16(code, 0x80), 8), 15))
    return samples


@kernel
def encode_ulaw(pcm: Any, count: Any, payload: Any) -> Any:
    """Encode to mu-law; returns the number of octets.

    Args:
        pcm: int16.
        count: samples to encode; more than there are, or than `payload` has room for, are left.
        payload: uint8.
    """
    octets = _room(count, pcm, payload)
    for i in range(octets):
        negative = sar16(pcm[i], 15)
        magnitude = add16(shr16(xor16(pcm[i], negative), 2), _ULAW_BIAS)
        magnitude = min16(magnitude, _ULAW_MOST)
        segment = sub16(10, clz16(magnitude))
        step = and16(shr16(magnitude, add16(segment, 1)), _STEP)
        code = or16(shl16(segment, 4), step)
        payload[i] = xor16(or16(code, and16(negative, 0x80)), 0xFF)
    return octets


@kernel
def encode_alaw(pcm: Any, count: Any, payload: Any) -> Any:
    """Encode to A-law; returns the number of octets. The arguments are `encode_ulaw`'s."""
    octets = _room(count, pcm, payload)
    for i in range(octets):
        negative = sar16(pcm[i], 15)
        magnitude = shr16(xor16(pcm[i], negative), 4)
        segment = sub16(12, clz16(or16(magnitude, _STEP)))
        step = and16(shr16(magnitude, max16(sub16(segment, 1), 0)), _STEP)
        code = or16(shl16(segment, 4), step)
        payload[i] = xor16(or16(code, and16(negative, 0x80)), 0x80 | _EVEN_BITS)
    return octets
