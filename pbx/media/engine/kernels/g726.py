"""G.726 at 32 kbit/s: what comes in, to samples; ITU-T G.726 with Annex A in integers, bit for bit.

What goes out is coded by spandsp, whose decoder doesn't limit the signal to 14 bits (Annex A, LIMO):
what is too loud turns its sign there, and is heard as a crack at full scale.

A decoder's state is an int16 array of `MEMORY` words; it begins as `start` makes it.
"""

from typing import Any

import numpy as np

from pbx.media.engine.kernels.g726_lanes import adapt, predict
from pbx.media.engine.kernels.lanes import by_register, clz16
from pbx.media.engine.native import inlined, kernel

# --- words of the state, with the Recommendation's names --------------------------------------------
_B = 0
"""Six coefficients of the zeros (Bn)."""
_A1 = 6
_A2 = 7
_DQ = 8
"""Six past differences as floats, the newest first: sign, 4 bits of exponent, 6 of mantissa."""
_SR1 = 14
_SR2 = 15
"""The last two signals, as floats."""
_PK1 = 16
_PK2 = 17
"""1: the partly reconstructed signal was negative."""
_YU = 18
_YL_HIGH = 19
_YL_LOW = 20
"""YL has 19 bits: the upper 9, the lower 10."""
_DMS = 21
_DML = 22
_AP = 23
_TD = 24
MEMORY = 25

_ZERO = 32
"""Nothing, as a float."""

# By magnitude, 0 to 7.
_DQLN = np.array([-2048, 4, 135, 213, 273, 323, 373, 425], np.int16)
_WI = np.array([-12, 18, 41, 64, 112, 198, 355, 1122], np.int16)
_FI = np.array([0, 0, 0, 1, 1, 1, 3, 7], np.int16)


def start(memory: Any) -> None:
    """Make `memory` the state of a decoder that has heard nothing; for Python, at set-up."""
    memory[:] = 0
    memory[_DQ : _DQ + 6] = _ZERO
    memory[_SR1] = memory[_SR2] = _ZERO
    memory[_YU] = 544
    memory[_YL_HIGH] = 34816 >> 10


@inlined
def _float(magnitude: Any, negative: Any) -> Any:
    """FLOATA, FLOATB: a magnitude of 15 bits and 1 for a minus."""
    exponent = 16 - np.int64(clz16(np.int16(magnitude)))
    mantissa = (magnitude << 6) >> exponent if magnitude != 0 else 32
    return negative << 10 | exponent << 6 | mantissa


@kernel
def _wrapped(value: Any) -> Any:
    return np.int64(np.int16(value))


@kernel
def _limited(value: Any, most: Any) -> Any:
    return min(max(value, -most), most)


@inlined
def _scale(memory: Any, slow: Any) -> Any:
    """LIMA, MIX"""
    speed = np.int64(memory[_AP])
    share = 64 if speed >= 256 else speed >> 2
    behind = memory[_YU] - (slow >> 6)
    product = abs(behind) * share >> 6
    return (slow >> 6) + (product if behind >= 0 else -product)


@inlined
def _poles(memory: Any, partial: Any) -> Any:
    """ADDC's sign, UPA2, LIMC, UPA1, LIMD: returns both coefficients"""
    first, second = np.int64(memory[_A1]), np.int64(memory[_A2])
    sign = 1 if partial < 0 else 0
    turned_1, turned_2 = sign != memory[_PK1], sign != memory[_PK2]
    up_1 = up_2 = 0
    if partial != 0:
        slope = _limited(first, 8191) << 2
        up_2 = ((-16384 if turned_2 else 16384) + (slope if turned_1 else -slope)) >> 7
        up_1 = -192 if turned_1 else 192
    second = _limited(second + up_2 - (second >> 7), 12288)
    memory[_PK2] = memory[_PK1]
    memory[_PK1] = sign
    return _limited(first + up_1 - (first >> 8), 15360 - second), second


@inlined
def _adapt_speed(memory: Any, scale: Any, rank: Any, tone: Any) -> None:
    """FUNCTF, FILTA, FILTB, SUBTC, FILTC"""
    short, long = np.int64(memory[_DMS]), np.int64(memory[_DML])
    speed = np.int64(by_register(_FI)[rank])
    short += ((speed << 9) - short) >> 5
    long += ((speed << 11) - long) >> 7
    quickly = scale < 1536 or abs(4 * short - long) >= long >> 3 or tone
    memory[_DMS] = short
    memory[_DML] = long
    memory[_AP] += ((512 if quickly else 0) - memory[_AP]) >> 4


@inlined
def _jumps(memory: Any, slow: Any, magnitude: Any) -> Any:
    """TRANS: from one tone of a modem to another"""
    whole, part = slow >> 15, slow >> 10 & 31
    threshold = 31 << 10 if whole > 9 else (32 + part) << whole
    return memory[_TD] != 0 and magnitude > (threshold + (threshold >> 1)) >> 1


@inlined
def _take(memory: Any, code: Any) -> Any:
    """Return the sample of 16 bits that a code of 4 stands for."""
    slow = np.int64(memory[_YL_HIGH]) << 10 | np.int64(memory[_YL_LOW])
    zeros, whole = predict(memory)
    scale = _scale(memory, slow)
    negative = code >> 3
    rank = np.uint64(15 - code if negative != 0 else code)
    logarithm = by_register(_DQLN)[rank] + (scale >> 2)
    magnitude = 0
    if logarithm >= 0:
        magnitude = (128 + (logarithm & 127)) << 7 >> (14 - (logarithm >> 7 & 15))
    change = -magnitude if negative != 0 else magnitude
    signal = _wrapped((whole >> 1) + change)
    jump = _jumps(memory, slow, magnitude)
    fast = min(max(scale + ((32 * by_register(_WI)[rank] - scale) >> 5), 544), 5120)
    slow += fast + (-slow >> 6)
    memory[_YU] = fast
    memory[_YL_HIGH] = slow >> 10
    memory[_YL_LOW] = slow & 1023
    first, second = _poles(memory, change + (zeros >> 1))
    step = 128 if magnitude != 0 else 0
    newest = _float(abs(signal) & 32767, 1 if signal < 0 else 0)
    adapt(memory, negative, step, _float(magnitude, negative), first, second, newest)
    tone = second < -11776
    _adapt_speed(memory, scale, rank, tone)
    memory[_TD] = 1 if tone else 0
    if jump:
        # TRIGA, TRIGB
        memory[_A1] = memory[_A2] = memory[_TD] = 0
        memory[_AP] = 256
        for index in range(6):
            memory[_B + index] = 0
    return min(max(signal, -8192), 8191) << 2


@kernel
def decode_g726(memory: Any, payload: Any, length: Any, pcm: Any, first_low: Any) -> Any:
    """Decode octets of two codes each; returns the number of samples.

    Args:
        memory: the decoder's state.
        payload: uint8.
        length: octets of it.
        pcm: int16, at least twice as long.
        first_low: the first sample of an octet is in its low bits (RFC 3551 §4.5.4); else in its high
            ones (ITU-T I.366.2).
    """
    first = 0 if first_low else 4
    for index in range(2 * length):
        octet = np.int64(payload[np.uint64(index >> 1)])
        pcm[index] = _take(memory, octet >> ((index & 1) << 2 ^ first) & 15)
    return 2 * length
