"""The mixer: everybody hears everybody else, at one rate.

A tick in a room of voices: `scale` each frame whose party has a gain, `add_parties` once, then
`mix_minus` for each party that was added and `mix_all` once for all that only listen (muted, not
chosen, or without a microphone): they share its frame, and so its encoding.

Sums are 32 bits wide, and what is heard is cut nowhere before the limiter has seen it. As long
as the sum fits into 16 bits it comes out as it is; where it doesn't, the gain of that output
falls within an eighth of a frame to what fits, and comes back over half a second or so. A gain
that stands still adds no harmonics, which a curve for the samples would.
"""

from typing import Any

import numpy as np

from pbx.media.engine.kernels.lanes import (
    abs32,
    add32,
    and16,
    mac16,
    max32,
    min32,
    mul32,
    sar32,
    sat16,
    sub32,
)
from pbx.media.engine.native import kernel

UNITY = 4096
"""A gain of one (Q12); 32767 is the greatest gain, 18 dB."""

# --- a limiter's row: one for each party and one for the common mix; zeros are a fresh one ----------
REDUCTION = 0
"""How far the gain is below `UNITY`."""

WIDTH = 1

_RECOVERY = 64
"""The most that a gain rises in one frame: from half to whole in 32 frames."""

_MOST = (1 << 19) - 1
"""The greatest magnitude that a gain is reckoned for: sixteen parties at full scale."""

_FULL_SCALE = 32767
_ATTACK = 3
"""A gain falls within the first 1/2**3 of a frame."""


@kernel
def scale(pcm: Any, samples: Any, gain: Any) -> None:
    """Multiply a frame, in place; what doesn't fit becomes the nearest that does.

    Args:
        pcm: int16.
        samples: length of the frame.
        gain: Q12, 0 to 32767; others are cut to that.
    """
    factor = np.int16(max(min(gain, 32767), 0))
    for i in range(min(samples, pcm.shape[0])):
        pcm[i] = sat16(sar32(mac16(UNITY // 2, pcm[i], factor), 12))


@kernel
def add_parties(frames: Any, members: Any, count: Any, samples: Any, total: Any) -> Any:
    """Add the frames of `count` parties; returns how many were added: all, or none.

    Args:
        frames: int16, a row for each voice.
        members: rows of `frames`; with one that isn't there nothing is added.
        count: how many of `members` count.
        samples: length of a frame; no more than a row and `total` hold.
        total: int32, the sums; what was in it is forgotten.
    """
    length = min(samples, total.shape[0])
    for i in range(length):
        total[i] = 0
    for place in range(count):
        if place >= members.shape[0] or not 0 <= members[place] < frames.shape[0]:
            return 0
    length = min(length, frames.shape[1])
    # Four in a pass: the sums are read and written a quarter as often.
    together = count & ~3
    for place in range(0, together, 4):
        first, second = frames[members[place]], frames[members[place + 1]]
        third, fourth = frames[members[place + 2]], frames[members[place + 3]]
        for i in range(length):
            pairs = add32(add32(first[i], second[i]), add32(third[i], fourth[i]))
            total[i] = add32(total[i], pairs)
    for place in range(together, count):
        frame = frames[members[place]]
        for i in range(length):
            total[i] = add32(total[i], frame[i])
    return count


@kernel
def _limit(
    limiter: Any, total: Any, own: Any, mask: Any, samples: Any, loudest: Any, out: Any
) -> None:
    """Write the difference again, under a gain that moves to what the loudest sample needs.

    `mask` is -1, or 0 where nothing is subtracted.
    """
    before = UNITY - limiter[REDUCTION]
    fitting = (_FULL_SCALE << 12) // min(max(loudest, _FULL_SCALE), _MOST)
    after = min(fitting, before + _RECOVERY, UNITY)
    falls = after < before
    ramp = max(samples >> _ATTACK if falls else samples, 1)
    start = np.int32(before << 12)
    step = np.int32(((after - before) << 12) // ramp)
    least = np.int32(after if falls else 0)
    for i in range(samples):
        gain = max32(sar32(add32(start, mul32(i, step)), 12), least)
        heard = sub32(total[i], and16(own[i], mask))
        heard = min32(max32(heard, -_MOST), _MOST)
        out[i] = sat16(sar32(add32(mul32(heard, gain), UNITY // 2), 12))
    limiter[REDUCTION] = UNITY - after


@kernel
def mix_minus(limiter: Any, total: Any, own: Any, samples: Any, out: Any) -> Any:
    """Write what one party hears: the sum without its own frame; returns the samples.

    Args:
        limiter: this party's row.
        total: what `add_parties` has made, this party among them.
        own: the party's frame as it was added.
        samples: length of the frame.
        out: int16; not the same memory as `own`.
    """
    length = max(min(samples, total.shape[0], own.shape[0], out.shape[0]), 0)
    loudest = np.int32(0)
    for i in range(length):
        heard = sub32(total[i], own[i])
        loudest = max32(loudest, abs32(heard))
        out[i] = sat16(heard)
    if loudest > _FULL_SCALE or limiter[REDUCTION] != 0:
        _limit(limiter, total, own, np.int16(-1), length, loudest, out)
    return length


@kernel
def mix_all(limiter: Any, total: Any, samples: Any, out: Any) -> Any:
    """Write what all hear who aren't in the sum; returns the samples."""
    length = max(min(samples, total.shape[0], out.shape[0]), 0)
    loudest = np.int32(0)
    for i in range(length):
        loudest = max32(loudest, abs32(total[i]))
        out[i] = sat16(total[i])
    if loudest > _FULL_SCALE or limiter[REDUCTION] != 0:
        # Nothing is subtracted, so any frame may stand for the own one.
        _limit(limiter, total, out, np.int16(0), length, loudest, out)
    return length
