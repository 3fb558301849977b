"""G.722 at 64 kbit/s: ITU-T G.722 in integers, bit for bit.

The blocks carry the Recommendation's names. Three things are done in another order, with the same
bits: each band codes a whole stretch, so that its state stays in registers; the mirror filters run
over the stretch outside of that recursion, so that they use vector lanes; and the past differences
are kept doubled and saturated, as every use wants them.

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
"""Pairs of samples, or octets, that are worked on at once: 20 ms."""

_TAPS = 12
_PAST = _TAPS - 1
_FIRST = 64
"""Even samples (encoder) or sums of the bands (decoder): `_PAST` older ones, then the stretch."""
_SECOND = _FIRST + STRETCH + 16
"""Odd samples, or differences of the bands."""
_BANDS = _SECOND + STRETCH + 16
"""The stretch as the low band has it, then as the high one has it."""

MEMORY = _BANDS + 2 * STRETCH

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
_Q6 = np.array([
    35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858,
    940, 1023, 1121, 1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
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
_HIGHEST = int(_Q6[-1])
# How many decision levels are not above a number: what QUANTL looks for, step by step.
_RANKS = np.searchsorted(_Q6, np.arange(_HIGHEST + 1), side="right").astype(np.uint8)
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
def _six(band: Any, first: Any) -> Any:
    """Return six words of a band."""
    return (
        np.int64(band[first]),
        np.int64(band[first + 1]),
        np.int64(band[first + 2]),
        np.int64(band[first + 3]),
        np.int64(band[first + 4]),
        np.int64(band[first + 5]),
    )


@kernel
def _adapt_poles(a1: Any, a2: Any, partial: Any, p1: Any, p2: Any) -> Any:
    """UPPOL2 and UPPOL1."""
    same_1 = (partial ^ p1) >= 0
    same_2 = (partial ^ p2) >= 0
    slope = _saturate(a1 << 2)
    slope = min(-slope, 32767) if same_1 else slope
    a2 = (128 if same_2 else -128) + (slope >> 7) + ((a2 * 127) >> 7)
    a2 = min(max(a2, -12288), 12288)
    a1 = (192 if same_1 else -192) + ((a1 * 255) >> 8)
    bound = 15360 - a2
    return min(max(a1, -bound), bound), a2


@kernel
def _adapt_zero(zero: Any, past: Any, difference: Any) -> Any:
    """UPZERO for one coefficient, which can't leave its 16 bits."""
    move = 128 if difference != 0 else 0
    turn = (past ^ difference) >> 63
    return ((zero * 255) >> 8) + ((move ^ turn) - turn)


@kernel
def _adapt_zeros(zeros: Any, past: Any, difference: Any) -> Any:
    """UPZERO."""
    return (
        _adapt_zero(zeros[0], past[0], difference),
        _adapt_zero(zeros[1], past[1], difference),
        _adapt_zero(zeros[2], past[2], difference),
        _adapt_zero(zeros[3], past[3], difference),
        _adapt_zero(zeros[4], past[4], difference),
        _adapt_zero(zeros[5], past[5], difference),
    )


@kernel
def _filter_zeros(zeros: Any, past: Any) -> Any:
    """FILTEZ."""
    early = ((zeros[0] * past[0]) >> 15) + ((zeros[1] * past[1]) >> 15)
    middle = ((zeros[2] * past[2]) >> 15) + ((zeros[3] * past[3]) >> 15)
    late = ((zeros[4] * past[4]) >> 15) + ((zeros[5] * past[5]) >> 15)
    return _saturate(early + middle + late)


@kernel
def _step_of(scale: Any, exponent: Any) -> Any:
    """SCALEL, SCALEH."""
    shift = exponent - (scale >> 11)
    mantissa = np.int64(_ILB[(scale >> 6) & 31])
    return (mantissa >> shift if shift >= 0 else mantissa << -shift) << 2


@kernel
def _quantize_low(wanted: Any, step: Any) -> Any:
    """QUANTL: return the 6-bit code."""
    size = wanted ^ (wanted >> 63)
    # The levels are compared as (level * step) >> 12 <= size. Turned about, that's one division.
    most = np.int64(np.uint32(((size + 1) << 12) - 1) // np.uint32(step))
    rank = np.int64(_RANKS[most if most < _HIGHEST else _HIGHEST])
    return np.int64(_IL[rank + (32 if wanted < 0 else 0)])


@kernel
def _quantize_high(wanted: Any, step: Any) -> Any:
    """QUANTH: return the 2-bit code."""
    size = wanted ^ (wanted >> 63)
    far = size >= (564 * step) >> 12
    if wanted < 0:
        return 0 if far else 1
    return 2 if far else 3


@kernel
def _code_band(band: Any, high: Any, encoding: Any, samples: Any, octets: Any, count: Any) -> None:
    """Code one band of a stretch.

    Args:
        band: its 32 words.
        high: which one it is.
        encoding: True: `samples` into their bits of `octets`, the low band first; False: back.
        samples: int16.
        octets: uint8.
        count: of both.
    """
    s, sz, scale, step, r, a1 = _six(band, _S)
    a2, p1, p2, _, _, _ = _six(band, _A2)
    zeros = _six(band, _B)
    past = _six(band, _D)
    for index in range(count):
        if encoding:
            wanted = _saturate(samples[index] - s)  # SUBTRA
            if high:
                code = _quantize_high(wanted, step)
                octets[index] = octets[index] | (code << 6)
            else:
                code = _quantize_low(wanted, step)
                octets[index] = code
        else:
            code = np.int64(octets[index])
            code = code >> 6 if high else code & 0x3F
            # INVQBL, RECONS, LIMIT
            heard = s + ((step * (_QM2[code] if high else _QM6[code])) >> 15)
            samples[index] = min(max(heard, -16384), 16383)
        # INVQAL, INVQAH; LOGSCL, LOGSCH
        difference = (step * (_QM2[code] if high else _QM4[code >> 2])) >> 15
        weight = _WH[code] if high else _WL[code >> 2]
        scale = min(max(((scale * 127) >> 7) + weight, 0), 22528 if high else 18432)
        step = _step_of(scale, 10 if high else 8)
        # Block 4: RECONS, PARREC, the predictor, PREDIC
        partial = _saturate(sz + difference)
        doubled = _saturate(_saturate(s + difference) << 1)
        a1, a2 = _adapt_poles(a1, a2, partial, p1, p2)
        poles = _saturate(((a1 * doubled) >> 15) + ((a2 * r) >> 15))
        r, p2, p1 = doubled, p1, partial
        zeros = _adapt_zeros(zeros, past, difference)
        past = (_saturate(difference << 1), past[0], past[1], past[2], past[3], past[4])
        sz = _filter_zeros(zeros, past)
        s = _saturate(poles + sz)
    for word, value in enumerate((s, sz, scale, step, r, a1, a2, p1, p2, 0, *zeros, *past)):
        band[word] = value


@kernel
def _keep_past(memory: Any, count: Any) -> None:
    """Move the newest samples in front of where the next stretch begins."""
    for tap in range(_PAST):
        memory[_FIRST + tap] = memory[_FIRST + count + tap]
        memory[_SECOND + tap] = memory[_SECOND + count + tap]


@kernel
def _filtered(sound: Any, taps: Any, index: Any) -> Any:
    """Return one sample of a mirror filter's half, in 2^-12 of the unit of `sound`."""
    total = np.int32(0)
    for tap in range(_TAPS):
        total = np.int32(total + np.int32(sound[index + tap]) * np.int32(taps[tap]))
    return total


@kernel
def decode_g722(memory: Any, payload: Any, length: Any, pcm: Any) -> Any:
    """Decode `length` octets to twice as many samples at 16 kHz; returns their number.

    Args:
        memory: the decoder's `MEMORY` int16.
        payload: uint8; at least `length`.
        length: octets.
        pcm: int16; room for 2 * `length`.
    """
    sums = memory[_FIRST:_SECOND]
    differences = memory[_SECOND:_BANDS]
    low = memory[_BANDS : _BANDS + STRETCH]
    high = memory[_BANDS + STRETCH : MEMORY]
    done = 0
    while done < length:
        count = min(length - done, STRETCH)
        octets = payload[done : done + count]
        _code_band(memory[_LOW:_HIGH], False, False, low, octets, count)
        _code_band(memory[_HIGH:_FIRST], True, False, high, octets, count)
        for index in range(count):
            sums[_PAST + index] = low[index] + high[index]
            differences[_PAST + index] = low[index] - high[index]
        # RX QMF
        out = pcm[2 * done : 2 * (done + count)]
        for index in range(count):
            out[2 * index] = _saturate(_filtered(differences, _QMF_BACK, index) >> 11)
            out[2 * index + 1] = _saturate(_filtered(sums, _QMF, index) >> 11)
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
    even = memory[_FIRST:_SECOND]
    odd = memory[_SECOND:_BANDS]
    low = memory[_BANDS : _BANDS + STRETCH]
    high = memory[_BANDS + STRETCH : MEMORY]
    length = samples >> 1
    done = 0
    while done < length:
        count = min(length - done, STRETCH)
        source = pcm[2 * done : 2 * (done + count)]
        for index in range(count):
            even[_PAST + index] = source[2 * index]
            odd[_PAST + index] = source[2 * index + 1]
        # TX QMF
        for index in range(count):
            one = _filtered(even, _QMF, index)
            other = _filtered(odd, _QMF_BACK, index)
            low[index] = (other + one) >> 14
            high[index] = (other - one) >> 14
        octets = payload[done : done + count]
        _code_band(memory[_LOW:_HIGH], False, True, low, octets, count)
        _code_band(memory[_HIGH:_FIRST], True, True, high, octets, count)
        _keep_past(memory, count)
        done += count
    return length
