"""What is on a line: DTMF digits in the sound (Q.23, Q.24), a tone and its cadence, silence.

DTMF at 8 kHz: the sound is taken in pieces of 5 ms. For each of the eight frequencies a piece is
one complex number, and three pieces, turned to one phase, are a window of 15 ms; how far the
phase moves from one window to the next tells how far off the frequency is. A digit is heard when
five windows in a row (28 ms of sound) hold the same two frequencies and little else, and ends
when five don't. Speech fails by its harmonics, which count against the two.

A line is watched for one tone, of one frequency or two that sound together: how long it lasts, and how
long it is silent before, tells the main thread which tone of a country it is (`line_watch`).
"""

import math
from typing import Any

import numpy as np

from pbx.media.engine.kernels.lanes import add32, by_register, mul16, mul32, sar32, two_dots16
from pbx.media.engine.kernels.levels import energy, level_of
from pbx.media.engine.kernels.sine_lanes import LANES, by_sines, in_eights
from pbx.media.engine.kernels.tones import sine
from pbx.media.engine.native import kernel

# --- the digit row: zeros at first ------------------------------------------------------------------
DIGIT = 0
"""The digit that sounds now, as RFC 4733's event code + 1; 0 none."""

SAMPLES = 1
"""How long it has been sounding, in samples of 8 kHz; stays after its end."""

_CANDIDATE = 2
_HITS = 3
_MISSES = 4
_PIECE = 5
WAITED = 6
"""Ticks in a row in which the peer's sound was missing; the caller's, not looked at here."""

_ENERGIES = 8
_PHASORS = 12
_PIECES = 4
_FREQUENCIES = 8
WIDTH = _PHASORS + _PIECES * _FREQUENCIES * 2

# --- the line row: zeros at first, but for LINE_TURNS and LINE_BESIDE ---------------------------------
LINE_TURNS = 0
"""What the phase of the tone that is looked for grows by with each sample, in turns / 2**32."""

LINE_BESIDE = 1
"""That of the frequency that sounds with it; 0 where there is none."""

LINE_TONE = 2
"""Frames in a row that were this tone."""

LINE_SILENT = 3
"""Frames in a row that were silent."""

_LINE_PAUSE = 4
"""Frames since the last burst of the tone."""

_LINE_NOISE = 5
"""Those of them that were neither silent nor in a burst."""

LINE_BURST = 6
"""The last burst's frames << 16 | those of the pause before it; 0: no burst.

What is silent for less than half its time, as an echo of the tone may last, is no pause, but 0."""

LINE_EVENTS = 7
"""What has happened, until whoever tells of it makes it 0."""

LINE_WIDTH = 8

# --- bits of LINE_EVENTS ------------------------------------------------------------------------------
BURST = 1
"""A burst of the tone has ended: `LINE_BURST`."""

OVER = 2
"""No other one has followed it."""

QUIET = 4
"""It has been silent for `QUIET_FRAMES`."""

SOUND = 8
"""It is silent no more."""

QUIET_FRAMES = 50

SILENT_LEVEL = 50
"""-dBov; what is quieter is silence."""

_SHORTEST_BURST = 4
_OVER_FRAMES = 100
_LONGEST_FRAMES = 0xFFFF

_STEP = 40
_HERTZ = (697, 770, 852, 941, 1209, 1336, 1477, 1633)
_CODES = np.array([1, 2, 3, 12, 4, 5, 6, 13, 7, 8, 9, 14, 10, 0, 11, 15], np.int64)

_HITS_NEEDED = 5
_HITS_SUSPECT = 3
_MISSES_NEEDED = 5

# Q.24 asks for -25 dBm0 (NTT -24, others to -27) to be heard, and lets what is below -29 be silent.
_LEAST = int(3 * _STEP / 2 * (32767 * 10 ** ((-28.0 - 3.14) / 20)) ** 2)
"""The energy of one frequency in a window that is loud enough."""

_TWIST = 4
"""How much stronger the higher frequency may be, as a ratio of powers; Q.24: 4 dB and more."""

_REVERSE_TWIST = 16
"""How much stronger the lower one may be; Q.24: 8 dB and more."""

_OFF_FREQUENCY = 0.0215
"""Between the 1.5 % that has to be heard and the 3.5 % that must not."""


def _table(function: Any) -> Any:
    """Return a function's values over a piece for one frequency after the other, in 1/1024."""
    angles = [2 * math.pi * hertz * n / 8000 for hertz in _HERTZ for n in range(_STEP)]
    return np.array([round(1024 * function(angle)) for angle in angles], np.int16)


_COS = _table(math.cos)
_SIN = _table(math.sin)
_dots = two_dots16(_STEP)


def _turns(function: Any) -> Any:
    """Return a function's values of what each phase turns by over a piece, in 1/2**14."""
    angles = [2 * math.pi * hertz * _STEP / 8000 for hertz in _HERTZ]
    return np.array([round(2**14 * function(angle)) for angle in angles], np.int64)


_TURN_COS = _turns(math.cos)
_TURN_SIN = _turns(math.sin)
_OFF_TAN = np.array(
    [round(256 * math.tan(_OFF_FREQUENCY * 2 * math.pi * h * _STEP / 8000)) for h in _HERTZ],
    np.int64,
)
"""Tangent of the angle that a frequency may be off between two windows, in 1/256."""

_FAR_OFF = 1 << 20
_NEXT = np.uint64(1)


@kernel
def _word(piece: Any, frequency: Any) -> Any:
    """Return the column of one piece's number; `piece` counts on for ever."""
    # Without a sign: it isn't to be looked whether it counts from the row's end.
    return np.uint64(_PHASORS + 2 * (_FREQUENCIES * (piece & (_PIECES - 1)) + frequency))


@kernel
def _enter_piece(row: Any, sound: Any) -> None:
    """Analyse one piece of `_STEP` samples and keep it in the row."""
    piece = row[_PIECE] + 1
    row[_PIECE] = piece
    row[_ENERGIES + (piece & (_PIECES - 1))] = energy(sound, _STEP)
    cosines, sines = by_register(_COS), by_register(_SIN)
    for frequency in range(_FREQUENCIES):
        word = _word(piece, frequency)
        real, imaginary = _dots(cosines, sines, _STEP * frequency, sound)
        row[word] = real
        row[word + _NEXT] = -np.int64(imaginary)


@kernel
def _turned(real: Any, imaginary: Any, frequency: Any) -> Any:
    """Return a number turned back by what a frequency's phase moves in one piece."""
    place = np.uint64(frequency)
    cosine, sinus = _TURN_COS[place], _TURN_SIN[place]
    return (
        (real * cosine + imaginary * sinus) >> 14,
        (imaginary * cosine - real * sinus) >> 14,
    )


@kernel
def _window(row: Any, piece: Any, frequency: Any) -> Any:
    """Return one frequency's number in the window of three pieces that ends with `piece`."""
    word = _word(piece, frequency)
    real, imaginary = row[word], row[word + _NEXT]
    for back in range(1, 3):
        real, imaginary = _turned(real, imaginary, frequency)
        word = _word(piece - back, frequency)
        real += row[word]
        imaginary += row[word + _NEXT]
    return real, imaginary


@kernel
def _power(row: Any, frequency: Any) -> Any:
    """Return one frequency's part of the energy of the newest window."""
    real, imaginary = _window(row, row[_PIECE], frequency)
    real, imaginary = real >> 8, imaginary >> 8
    # 120 samples of a sine of peak 1 give 60 * 1024, and have the energy 60.
    return (real * real + imaginary * imaginary) // (3 * _STEP * 8)


@kernel
def _off_frequency(row: Any, frequency: Any) -> Any:
    """Return by what the phase moves more or less than it should from one window to the next.

    It is the angle's tangent in 1/256; `_FAR_OFF` for more than a quarter turn.
    """
    piece = row[_PIECE]
    here, there = _window(row, piece, frequency)
    before, beside = _window(row, piece - 1, frequency)
    here, there, before, beside = here >> 12, there >> 12, before >> 12, beside >> 12
    real, imaginary = _turned(
        here * before + there * beside, there * before - here * beside, frequency
    )
    if real <= 0:
        return _FAR_OFF
    return min((abs(imaginary) << 8) // real, _FAR_OFF)


@kernel
def _whole_power(power: Any, off: Any) -> Any:
    """Return what the energy would be if the frequency were right.

    Three pieces whose phases differ by an angle add up to (1 + 2 cos) / 3 of what they have; the
    square of that is 1 / (1 + 9/16 tan^2), near enough for angles up to a seventh of a turn.
    """
    return power + ((9 * power * off * off) >> 20)


@kernel
def _strongest(row: Any, first: Any) -> Any:
    """Return the strongest of four frequencies, its energy, and the energy of the next."""
    best, most, second = first, -1, -1
    for frequency in range(first, first + 4):
        power = _power(row, frequency)
        if power > most:
            best, most, second = frequency, power, most
        else:
            second = max(second, power)
    return best, most, second


@kernel
def _digit(row: Any) -> Any:
    """Return the digit that the newest window holds, as code + 1; 0 none."""
    piece = row[_PIECE]
    whole = 0
    for back in range(3):
        whole += row[_ENERGIES + ((piece - back) & (_PIECES - 1))]
    # What speech and noise fail at comes first. Two frequencies have no more than twice the whole.
    if whole < _LEAST:
        return 0
    low, low_power, low_second = _strongest(row, 0)
    if low_power < _LEAST or 8 * low_second > low_power:
        return 0
    high, high_power, high_second = _strongest(row, 4)
    if high_power < _LEAST or 8 * high_second > high_power:
        return 0
    if high_power > _TWIST * low_power or low_power > _REVERSE_TWIST * high_power:
        return 0
    low_off, high_off = _off_frequency(row, low), _off_frequency(row, high)
    if low_off > _OFF_TAN[low] or high_off > _OFF_TAN[high]:
        return 0
    if 4 * (_whole_power(low_power, low_off) + _whole_power(high_power, high_off)) < 3 * whole:
        return 0
    return _CODES[4 * low + high - 4] + 1


@kernel
def _enter_verdict(row: Any, found: Any) -> Any:
    """Enter what a window holds; returns True where that makes a new digit."""
    if found == 0 or found != row[_CANDIDATE]:
        row[_HITS] = 0
    row[_CANDIDATE] = found
    if found != 0:
        row[_HITS] += 1
    if row[DIGIT] != 0:
        row[SAMPLES] += _STEP
        row[_MISSES] = 0 if found == row[DIGIT] else row[_MISSES] + 1
        if row[_MISSES] >= _MISSES_NEEDED:
            row[DIGIT] = 0
            # Until here it was not known to have ended.
            row[SAMPLES] -= _MISSES_NEEDED * _STEP
    if row[_HITS] < _HITS_NEEDED or found == row[DIGIT]:
        return False
    row[DIGIT] = found
    row[_MISSES] = 0
    row[SAMPLES] = (_HITS_NEEDED + 1) * _STEP
    return True


@kernel
def detect_dtmf(row: Any, pcm: Any, samples: Any) -> Any:
    """Listen to one frame; returns the code (RFC 4733, 0 to 15) of a digit that begins, or -1.

    How long it lasts is to be seen in the row.

    Args:
        row: the voice's digit row.
        pcm: int16 at 8 kHz.
        samples: a multiple of 40, at most 200 so that no two digits can begin in it; what is
            over is not heard.
    """
    began = -1
    length = min(samples, pcm.shape[0], 5 * _STEP)
    for start in range(0, length - _STEP + 1, _STEP):
        _enter_piece(row, pcm[start : start + _STEP])
        if _enter_verdict(row, _digit(row)):
            began = row[DIGIT] - 1
    return began


@kernel
def may_sound(row: Any) -> Any:
    """Return whether a digit sounds, or something that will be one if it goes on.

    It is so before 25 ms of it have been heard: too little for any receiver (Q.24).
    """
    return row[DIGIT] != 0 or row[_HITS] >= _HITS_SUSPECT


@kernel
def _tone_energy(pcm: Any, samples: Any, turns: Any) -> Any:
    """Return how much of the energy of at most 1024 samples is at one frequency."""
    real, imaginary = np.int32(0), np.int32(0)
    step, quarter = np.int32(turns), np.int32(1 << 30)
    phase = np.int32(0)
    eights = in_eights(samples)
    for i in range(0, eights, LANES):
        along, across = by_sines(phase, step, pcm, i)
        real, imaginary = add32(real, along), add32(imaginary, across)
        phase = add32(phase, mul32(step, LANES))
    for i in range(eights, samples):
        real = add32(real, sar32(mul16(pcm[i], np.int16(sine(add32(phase, quarter)))), 10))
        imaginary = add32(imaginary, sar32(mul16(pcm[i], np.int16(sine(phase))), 10))
        phase = add32(phase, step)
    whole = np.int64(real) * np.int64(real) + np.int64(imaginary) * np.int64(imaginary)
    # A sine of peak 1 gives 16 a sample, and has the energy 1/2 a sample.
    return np.int64(np.uint64(whole) // np.uint64(512 * samples))


@kernel
def _is_tone(row: Any, pcm: Any, samples: Any, whole: Any) -> Any:
    """Return whether three fifths of a frame's energy are at the tone, and an eighth at each frequency."""
    first = _tone_energy(pcm, samples, row[LINE_TURNS])
    if row[LINE_BESIDE] == 0:
        return 5 * first >= 3 * whole
    beside = _tone_energy(pcm, samples, row[LINE_BESIDE])
    return 5 * (first + beside) >= 3 * whole and 8 * min(first, beside) >= whole


@kernel
def _enter_pause(row: Any, silent: Any) -> None:
    """Enter a frame that isn't the tone; it may be the end of a burst."""
    lasted = row[LINE_TONE]
    row[LINE_TONE] = 0
    if lasted >= _SHORTEST_BURST:
        silence = row[_LINE_PAUSE] if 2 * row[_LINE_NOISE] <= row[_LINE_PAUSE] else 0
        row[LINE_BURST] = min(lasted, _LONGEST_FRAMES) << 16 | min(silence, _LONGEST_FRAMES)
        row[LINE_EVENTS] = row[LINE_EVENTS] & ~OVER | BURST
        row[_LINE_PAUSE] = 0
        row[_LINE_NOISE] = 0
    else:
        row[_LINE_PAUSE] += lasted
        row[_LINE_NOISE] += lasted
    row[_LINE_PAUSE] += 1
    row[_LINE_NOISE] += 0 if silent else 1
    if row[_LINE_PAUSE] >= _OVER_FRAMES and row[LINE_BURST] != 0:
        row[LINE_BURST] = 0
        row[LINE_EVENTS] = row[LINE_EVENTS] & ~BURST | OVER


@kernel
def _enter_silence(row: Any, silent: Any) -> None:
    """Enter whether a frame is silent."""
    if silent:
        row[LINE_SILENT] += 1
        if row[LINE_SILENT] == QUIET_FRAMES:
            row[LINE_EVENTS] = row[LINE_EVENTS] & ~SOUND | QUIET
        return
    if row[LINE_SILENT] >= QUIET_FRAMES:
        row[LINE_EVENTS] = row[LINE_EVENTS] & ~QUIET | SOUND
    row[LINE_SILENT] = 0


@kernel
def watch_line(row: Any, pcm: Any, samples: Any) -> None:
    """Enter one frame of any rate into the line row: is it the tone, is it silence?

    What that changes is in `LINE_EVENTS` then.

    Args:
        row: `LINE_WIDTH` words; `LINE_TURNS` and `LINE_BESIDE` are the tone; it may be off by 18 Hz.
        pcm: int16.
        samples: at most 1024; what is over is not heard.
    """
    length = min(samples, pcm.shape[0], 1024)
    if length <= 0:
        return
    whole = energy(pcm, length)
    silent = level_of(whole, length) > SILENT_LEVEL
    _enter_silence(row, silent)
    if not silent and _is_tone(row, pcm, length, whole):
        row[LINE_TONE] += 1
    else:
        _enter_pause(row, silent)
