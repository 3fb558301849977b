"""G.722 at 64 kbit/s: ITU-T G.722 in integers, bit for bit.

The blocks carry the Recommendation's names. Two things are done in another order, with the same
bits: the mirror filters run over a whole stretch at once, outside of the recursion, so that they
use vector lanes; and the past differences are kept doubled and saturated, as every use wants them.

A coder's state is an int16 array of `MEMORY` words: both bands, then the filters' past and the
stretch; it begins as `start` makes it.
"""

from typing import Any

import numpy as np

from pbx.media.engine.native import kernel

# --- words of a band ------------------------------------------------------------------------------
_S = 0
"""Predicted signal."""
_SZ = 1
"""Its part from the zeros."""
_SCALE = 2
"""Logarithm of the step (NBL, NBH)."""
_STEP = 3
"""Step (DETL, DETH)."""
_R = 4
"""Last reconstructed signal, doubled and saturated."""
_A1 = 5
_A2 = 6
_P1 = 7
_P2 = 8
_B = 10
"""Coefficients of the six zeros."""
_D = 16
"""The last six differences, doubled and saturated, the newest first."""

_LOW = 0
_HIGH = 32

# --- the filters ----------------------------------------------------------------------------------
STRETCH = 160
"""Pairs of samples, or octets, that are filtered at once: 20 ms."""

_TAPS = 12
_PAST = _TAPS - 1
_FIRST = 64
"""The stretch of sums (decoder) or of even samples (encoder), behind `_PAST` older ones."""
_SECOND = _FIRST + STRETCH + 16
"""The same of differences, or of odd samples."""

MEMORY = 512

_QMF = np.array([3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11], np.int16)
_QMF_BACK = np.ascontiguousarray(_QMF[::-1])

# --- the Recommendation's tables ------------------------------------------------------------------
# fmt: off
_QM2 = np.array([-7408, -1616, 7408, 1616], np.int16)
_QM4 = np.array([
    0, -20456, -12896, -8968, -6288, -4240, -2584, -1200,
    20456, 12896, 8968, 6288, 4240, 2584, 1200, 0,
], np.int16)
_QM6 = np.array([
    -136, -136, -136, -136, -24808, -21904, -19008, -16704,
    -14984, -13512, -12280, -11192, -10232, -9360, -8576, -7856,
    -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576,
    -3168, -2776, -2400, -2032, -1688, -1360, -1040, -728,
    24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192,
    10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456,
    4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032,
    1688, 1360, 1040, 728, 432, 136, -432, -136,
], np.int16)
# Decision levels; behind the last one the search must not go on.
_Q6 = np.array([
    35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858,
    940, 1023, 1121, 1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919, 32767, 32767, 32767,
], np.int16)
_ILB = np.array([
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834,
    2896, 2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
], np.int16)
# By interval: for differences that are not negative, then for negative ones.
_IL = np.array([
    61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46,
    45, 44, 43, 42, 41, 40, 39, 38, 37, 36, 35, 34, 33, 32, 0, 0,
    63, 62, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18,
    17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 0, 0,
], np.int16)
# WL and WH, by the transmitted code.
_WL = np.array(
    [-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60], np.int16
)
_WH = np.array([798, -214, 798, -214], np.int16)
# fmt: on


def start(memory: Any) -> None:
    """Make `memory` the state of a coder that has heard nothing; for Python, at set-up."""
    memory[:] = 0
    memory[_LOW + _STEP] = 32
    memory[_HIGH + _STEP] = 8


@kernel
def _saturate(value: Any) -> Any:
    return min(max(value, -32768), 32767)


@kernel
def _predict(band: Any, difference: Any) -> None:
    """Block 4: adapt the predictor of a band to a quantized difference, and predict."""
    reconstructed = _saturate(band[_S] + difference)  # RECONS
    partial = _saturate(band[_SZ] + difference)  # PARREC
    same_1 = (partial ^ band[_P1]) >= 0
    same_2 = (partial ^ band[_P2]) >= 0
    # UPPOL2
    quarter = _saturate(band[_A1] << 2)
    quarter = min(-quarter, 32767) if same_1 else quarter
    a2 = (128 if same_2 else -128) + (quarter >> 7) + ((band[_A2] * 127) >> 7)
    a2 = min(max(a2, -12288), 12288)
    # UPPOL1
    a1 = (192 if same_1 else -192) + ((band[_A1] * 255) >> 8)
    bound = 15360 - a2
    a1 = min(max(a1, -bound), bound)
    # FILTEP
    doubled = _saturate(reconstructed << 1)
    poles = _saturate(((a1 * doubled) >> 15) + ((a2 * band[_R]) >> 15))
    band[_R] = doubled
    band[_A1] = a1
    band[_A2] = a2
    band[_P2] = band[_P1]
    band[_P1] = partial
    # UPZERO, FILTEZ: the coefficients can't leave their 16 bits.
    step = 128 if difference != 0 else 0
    doubled = _saturate(difference << 1)
    newer = doubled
    zeros = 0
    for tap in range(6):
        past = band[_D + tap]
        turn = (past ^ difference) >> 63
        coefficient = ((band[_B + tap] * 255) >> 8) + ((step ^ turn) - turn)
        band[_B + tap] = coefficient
        zeros += (coefficient * newer) >> 15
        band[_D + tap] = newer
        newer = past
    band[_SZ] = _saturate(zeros)
    band[_S] = _saturate(poles + band[_SZ])  # PREDIC


@kernel
def _adapt(band: Any, weight: Any, limit: Any, exponent: Any) -> None:
    """Block 3: LOGSCL and SCALEL (LOGSCH, SCALEH)."""
    scale = min(max(((band[_SCALE] * 127) >> 7) + weight, 0), limit)
    band[_SCALE] = scale
    shift = exponent - (scale >> 11)
    mantissa = np.int64(_ILB[(scale >> 6) & 31])
    band[_STEP] = (mantissa >> shift if shift >= 0 else mantissa << -shift) << 2


@kernel
def _update_low(band: Any, code: Any) -> None:
    """INVQAL and what follows, of a 4-bit code."""
    difference = (band[_STEP] * _QM4[code]) >> 15
    _adapt(band, _WL[code], 18432, 8)
    _predict(band, difference)


@kernel
def _update_high(band: Any, code: Any) -> Any:
    """INVQAH and what follows, of a 2-bit code; returns the reconstructed signal, limited."""
    difference = (band[_STEP] * _QM2[code]) >> 15
    heard = min(max(band[_S] + difference, -16384), 16383)
    _adapt(band, _WH[code], 22528, 10)
    _predict(band, difference)
    return heard


@kernel
def _quantize_low(band: Any, sample: Any) -> Any:
    """Block 1L: SUBTRA and QUANTL; returns the 6-bit code."""
    difference = _saturate(sample - band[_S])
    size = difference ^ (difference >> 63)
    step = band[_STEP]
    # The levels rise, so the interval is found by halves.
    interval = 0
    for half in (16, 8, 4, 2, 1):
        interval += half if size >= (_Q6[interval + half - 1] * step) >> 12 else 0
    # A step too small for 30 levels makes the last ones equal.
    interval = min(interval, 29)
    return _IL[interval + (32 if difference < 0 else 0)]


@kernel
def _quantize_high(band: Any, sample: Any) -> Any:
    """Block 1H: SUBTRA and QUANTH; returns the 2-bit code."""
    difference = _saturate(sample - band[_S])
    size = difference ^ (difference >> 63)
    far = size >= (564 * band[_STEP]) >> 12
    if difference < 0:
        return 0 if far else 1
    return 2 if far else 3


@kernel
def _keep_past(memory: Any, count: Any) -> None:
    """Move the newest samples in front of where the next stretch begins."""
    for tap in range(_PAST):
        memory[_FIRST + tap] = memory[_FIRST + count + tap]
        memory[_SECOND + tap] = memory[_SECOND + count + tap]


@kernel
def decode_g722(memory: Any, payload: Any, length: Any, pcm: Any) -> Any:
    """Decode `length` octets to twice as many samples at 16 kHz; returns their number.

    Args:
        memory: the decoder's `MEMORY` int16.
        payload: uint8; at least `length`.
        length: octets.
        pcm: int16; room for 2 * `length`.
    """
    low = memory[_LOW : _LOW + 32]
    high = memory[_HIGH : _HIGH + 32]
    first = memory[_FIRST : _FIRST + STRETCH + 16]
    second = memory[_SECOND : _SECOND + STRETCH + 16]
    done = 0
    while done < length:
        count = min(length - done, STRETCH)
        for index in range(count):
            code = np.int64(payload[done + index])
            low_code = code & 0x3F
            # INVQBL, RECONS, LIMIT
            heard = low[_S] + ((low[_STEP] * _QM6[low_code]) >> 15)
            heard = min(max(heard, -16384), 16383)
            _update_low(low, low_code >> 2)
            heard_high = _update_high(high, code >> 6)
            first[_PAST + index] = heard + heard_high
            second[_PAST + index] = heard - heard_high
        out = pcm[2 * done : 2 * (done + count)]
        for index in range(count):
            odd = np.int32(0)
            even = np.int32(0)
            for tap in range(_TAPS):
                odd = np.int32(odd + np.int32(second[index + tap]) * np.int32(_QMF_BACK[tap]))
                even = np.int32(even + np.int32(first[index + tap]) * np.int32(_QMF[tap]))
            out[2 * index] = _saturate(odd >> 11)
            out[2 * index + 1] = _saturate(even >> 11)
        _keep_past(memory, count)
        done += count
    return 2 * length


@kernel
def encode_g722(memory: Any, pcm: Any, samples: Any, payload: Any) -> Any:
    """Encode `samples` at 16 kHz, an even number of them; returns the number of octets.

    Args:
        memory: the encoder's `MEMORY` int16.
        pcm: int16; at least `samples`.
        samples: how many; of an odd number the last one is left out.
        payload: uint8; room for `samples` / 2.
    """
    low = memory[_LOW : _LOW + 32]
    high = memory[_HIGH : _HIGH + 32]
    first = memory[_FIRST : _FIRST + STRETCH + 16]
    second = memory[_SECOND : _SECOND + STRETCH + 16]
    octets = samples >> 1
    done = 0
    while done < octets:
        count = min(octets - done, STRETCH)
        source = pcm[2 * done : 2 * (done + count)]
        for index in range(count):
            first[_PAST + index] = source[2 * index]
            second[_PAST + index] = source[2 * index + 1]
        for index in range(count):
            odd = np.int32(0)
            even = np.int32(0)
            for tap in range(_TAPS):
                odd = np.int32(odd + np.int32(first[index + tap]) * np.int32(_QMF[tap]))
                even = np.int32(even + np.int32(second[index + tap]) * np.int32(_QMF_BACK[tap]))
            low_code = _quantize_low(low, (even + odd) >> 14)
            _update_low(low, low_code >> 2)
            high_code = _quantize_high(high, (even - odd) >> 14)
            _update_high(high, high_code)
            payload[done + index] = (high_code << 6) | low_code
        _keep_past(memory, count)
        done += count
    return octets
