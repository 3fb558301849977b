"""Tones: sums of sines that begin, end and repeat as a program says.

A program is an array of steps, made by `tone_plans.program`; any number of voices may play one.
A voice's tone row is WIDTH words, zeros at first. The sine is a polynomial of integers, within
-86 dB of the true one; 32 bits of phase never lose a beat, and from one step to the next no sine
jumps.
"""

from typing import Any

import numpy as np

from pbx.media.engine.kernels.lanes import (
    add32,
    max16,
    mul16,
    mul32,
    sar16,
    sar32,
    sat16,
    shl16,
    xor16,
)
from pbx.media.engine.kernels.sine_lanes import C1, C3, C5, C7, LANES, add_sines, in_eights
from pbx.media.engine.native import kernel, part

SINES = 4
"""The most that sound at once."""

# --- a step: one row of a program -------------------------------------------------------------------
SAMPLES = 0
"""How long it lasts; 0 for ever."""

NEXT = 1
"""The step after it; -1 ends the tone."""

TURNS = 2
"""SINES words: what the phase grows by with each sample, in turns / 2**32."""

PEAKS = TURNS + SINES
"""SINES words: amplitudes, 0 to 32767; 0 is no sine."""

STEP_WIDTH = PEAKS + SINES

# --- the tone row -----------------------------------------------------------------------------------
STEP = 0
"""The step that sounds; -1 as soon as the tone has ended."""

PLAYED = 1
"""Samples of the step that have been played."""

PHASES = 2
"""SINES words: phases, 0 to 2**32 - 1."""

WIDTH = PHASES + SINES

_LOW_32 = 0xFFFFFFFF


@kernel
def sine(phase: Any) -> Any:
    """Return the sine of a phase, an int32 of -32767 to 32767 in 1/32768.

    Args:
        phase: int32; a whole turn is 2**32.
    """
    high = np.int16(sar32(phase, 16))
    twice = shl16(high, 1)
    # In the outer quarters of the half turn the doubled number has wrapped: mirror it.
    z = max16(xor16(twice, sar16(xor16(high, twice), 15)), -32767)
    square = np.int16(sar32(mul16(z, z), 15))
    total = np.int16(sar32(add32(mul16(square, C7), C5), 14))
    total = np.int16(sar32(add32(mul16(square, total), C3), 15))
    total = np.int16(sar32(add32(add32(mul16(square, total), C1), 1 << 15), 16))
    return sar32(add32(mul16(z, total), 1 << 13), 14)


@kernel
def _add_sine(phase: Any, turns: Any, peak: Any, out: Any) -> None:
    """Add one sine to all of `out`."""
    angle, step, amplitude = np.int32(phase), np.int32(turns), np.int32(peak)
    whole = in_eights(out.shape[0])
    for i in range(0, whole, LANES):
        add_sines(angle, step, peak, out, i)
        angle = add32(angle, mul32(step, LANES))
    for i in range(whole, out.shape[0]):
        heard = sar32(add32(mul32(sine(angle), amplitude), 1 << 14), 15)
        out[i] = sat16(add32(heard, out[i]))
        angle = add32(angle, step)


@kernel
def _play_step(row: Any, step: Any, out: Any) -> None:
    for number in range(SINES):
        peak = min(max(step[PEAKS + number], 0), 32767)
        phase = row[PHASES + number]
        if peak > 0:
            _add_sine(phase, step[TURNS + number], peak, out)
            row[PHASES + number] = (phase + out.shape[0] * step[TURNS + number]) & _LOW_32
        else:
            # What begins after silence begins at zero.
            row[PHASES + number] = 0


@kernel
def play_tone(row: Any, program: Any, samples: Any, out: Any) -> Any:
    """Write the next samples of a tone, and silence when it has ended.

    Args:
        row: the voice's tone row.
        program: int64, a row for each step.
        samples: how many; no more than `out` holds.
        out: int16.

    Returns:
        How many of them belong to the tone, pauses and all.
    """
    length = max(min(samples, out.shape[0]), 0)
    for i in range(length):
        out[i] = 0
    done = 0
    while done < length:
        if not 0 <= row[STEP] < program.shape[0]:
            row[STEP] = -1
            break
        step = program[row[STEP]]
        count = length - done
        if step[SAMPLES] > 0:
            count = min(count, max(step[SAMPLES] - row[PLAYED], 1))
        _play_step(row, step, part(out, done, count))
        row[PLAYED] += count
        done += count
        if 0 < step[SAMPLES] <= row[PLAYED]:
            row[STEP] = step[NEXT]
            row[PLAYED] = 0
    return done
