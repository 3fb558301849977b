"""How loud a frame is, who speaks, and who is heard in a room.

A voice's level row is WIDTH words, zeros at first. At each tick: `watch_level` with the voice's
frame; then, for each room, `choose_speakers`.

How loud a voice is, is measured in what others would hear, whatever its sender says of it
(RFC 6464): who claims to speak loudly and sends silence gets nobody's place. A sender knows better
only that what it has sent is no voice (keys, a fan, an echo); what it says so, it loses by alone.
"""

from decimal import Decimal
from typing import Any

import numpy as np

from pbx.media.engine.kernels.lanes import square_to_64
from pbx.media.engine.native import kernel

# --- the level row ----------------------------------------------------------------------------------
LEVEL = 0
"""Of the last frame in -dBov, 0 to 127, as RFC 6464 sends it; 127 is silence."""

FLOOR_64 = 1
"""The background, as loudness (127 less the level) in 1/64 dB."""

ACTIVE = 2
"""1 while there is voice."""

HANG = 3
"""Ticks that `ACTIVE` still lasts without voice."""

SCORE_16 = 4
"""Loudness in 1/16 dB, smoothed: quick to rise, at once where voice begins, and slow to fall."""

CHOSEN = 5
"""1 while the voice is heard in its room."""

HELD = 6
"""Ticks that `CHOSEN` still lasts without voice."""

STARTED = 7
WIDTH = 8

SILENCE = 127

HANG_TICKS = 15
"""A pause between two words, 300 ms."""

HOLD_TICKS = 50
"""A pause between two sentences: nobody else takes the place for a second, unless they speak."""

_ASSUMED_FLOOR = 127 - 60
_ON_ABOVE_FLOOR = 9
_OFF_ABOVE_FLOOR = 6
_ON_LEAST = 127 - 55
_OFF_LEAST = 127 - 60

_FAVOUR_16 = 6 * 16
"""Who is heard already stays until another is 6 dB louder."""

_VOICE = 1 << 16
"""Who speaks comes before all who only have spoken."""

_MOST_SAMPLES = 4096


def _thresholds() -> Any:
    """Return the least mean squares, times 2**20, that round to 0 ... 126 -dBov.

    0 dBov is a mean square of 2**30 (RFC 6465 appendix A, with 16 bits). Decimal gives the same numbers
    on every machine.
    """
    whole = Decimal(1 << 50)
    powers = [whole * Decimal(10) ** (-Decimal(2 * level + 1) / 20) for level in range(SILENCE)]
    return np.array([int(power) for power in powers], np.int64)


_THRESHOLDS = _thresholds()


@kernel
def energy(pcm: Any, samples: Any) -> Any:
    """Return the sum of the squares of the first `samples` samples, at most 4096."""
    total = 0
    for i in range(min(samples, pcm.shape[0], _MOST_SAMPLES)):
        total += square_to_64(pcm[i])
    return total


@kernel
def level_of(power: Any, samples: Any) -> Any:
    """Return the level of `samples` samples with that energy: -dBov, 0 to 127 (RFC 6464 §3)."""
    if samples <= 0:
        return SILENCE
    scaled = power << 20
    least, most = 0, SILENCE
    while least < most:
        middle = (least + most) >> 1
        if scaled >= _THRESHOLDS[np.uint64(middle)] * samples:
            most = middle
        else:
            least = middle + 1
    return most


@kernel
def _watch_voice(row: Any, loudness: Any, denied: Any) -> None:
    above = (loudness << 6) - row[FLOOR_64]
    on = loudness >= _ON_LEAST and above >= _ON_ABOVE_FLOOR << 6
    stays = loudness >= _OFF_LEAST and above >= _OFF_ABOVE_FLOOR << 6
    if not denied and (on or (row[ACTIVE] != 0 and stays)):
        row[ACTIVE] = 1
        row[HANG] = HANG_TICKS
    elif row[HANG] > 0:
        row[HANG] -= 1
    else:
        row[ACTIVE] = 0
    if above < 0:
        row[FLOOR_64] -= (3 - above) >> 2
    else:
        # 3 dB in a second; while somebody speaks 0.8, or a long speech would become background.
        row[FLOOR_64] += 1 if row[ACTIVE] != 0 else 4


@kernel
def watch_level(row: Any, pcm: Any, samples: Any, denied: Any) -> Any:
    """Enter one frame; returns its level in -dBov.

    Voice is found in its first frame, when it is 9 dB above the background and above -55 dBov;
    below 6 dB or -60 dBov it ends after `HANG_TICKS`.

    Args:
        row: the voice's.
        pcm: int16.
        samples: length of the frame.
        denied: its sender says that it is no voice.
    """
    length = min(samples, pcm.shape[0], _MOST_SAMPLES)
    level = level_of(energy(pcm, length), length)
    loudness = SILENCE - level
    if row[STARTED] == 0:
        row[STARTED] = 1
        row[FLOOR_64] = min(loudness, _ASSUMED_FLOOR) << 6
    row[LEVEL] = level
    rise = (loudness << 4) - row[SCORE_16]
    row[SCORE_16] += (rise + 1) >> 1 if rise > 0 else rise >> 4
    before = row[ACTIVE]
    _watch_voice(row, loudness, denied)
    if row[ACTIVE] > before:
        # Of many who speak, too, who begins is heard with the first syllable.
        row[SCORE_16] = max(row[SCORE_16], loudness << 4)
    return level


@kernel
def _rank(row: Any) -> Any:
    """Return a voice's claim to be heard; 0 none."""
    if row[ACTIVE] != 0:
        return _VOICE + row[SCORE_16] + (_FAVOUR_16 if row[CHOSEN] != 0 else 0)
    if row[CHOSEN] != 0 and row[HELD] > 0:
        return row[SCORE_16] + 1
    return 0


@kernel
def choose_speakers(rows: Any, members: Any, count: Any, most: Any, chosen: Any) -> Any:
    """Choose who of a room is heard now; returns how many, and writes their rows to `chosen`.

    Args:
        rows: the level rows of all voices.
        members: the room's rows; those that aren't there are passed over.
        count: how many of `members` count.
        most: how many may be heard at once.
        chosen: int64; no more are chosen than it has room for.
    """
    length = min(count, members.shape[0])
    heard = 0
    for _ in range(min(most, chosen.shape[0])):
        best, best_rank = -1, 0
        for place in range(length):
            member = members[place]
            if 0 <= member < rows.shape[0] and rows[member, CHOSEN] <= 1:
                rank = _rank(rows[member])
                if rank > best_rank:
                    best, best_rank = member, rank
        if best < 0:
            break
        if rows[best, ACTIVE] != 0:
            rows[best, HELD] = HOLD_TICKS
        else:
            rows[best, HELD] -= 1
        # 2: it has its place in this turn.
        rows[best, CHOSEN] = 2
        chosen[heard] = best
        heard += 1
    for place in range(length):
        member = members[place]
        if 0 <= member < rows.shape[0]:
            rows[member, CHOSEN] >>= 1
    return heard
