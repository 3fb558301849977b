"""The jitter buffer of a voice, where packets go out; `jitter` is where they come in.

At each tick the caller asks `next_step` and does what it says, until the line holds a frame:

    step = next_step(row, now)
    PLAY:    samples = decode(payload in SLOT) to line[LINE:]; decoded(row, line, samples)
    CONCEAL: conceal WANTED samples to line[LINE:]; filled(row)
    COMFORT: the same with noise or silence
    NOISE:   the payload in SLOT is a noise description; ask again
    PASSED:  the payload in SLOT comes too late to be heard; ask again
    READY:   take(row, line, frame)
    NOTHING: the frame is silent

While packets follow each other (`RUNNING`), the delay stays as it is, but for single pitch periods
that are taken out or put in: the peer's clock and ours drift apart, and the network changes. In
silence the next packet waits until it has the delay that the network asks for.
"""

from typing import Any

import numpy as np

from pbx.media.engine.kernels import jitter_row as c
from pbx.media.engine.kernels.jitter import facts_of, slot_at, timestamp_of, units
from pbx.media.engine.kernels.timescale import lengthen, shorten
from pbx.media.engine.native import inlined, kernel

TICK_NS = 20_000_000

CONCEAL_TICKS = 5
"""Ticks of concealment before comfort noise takes over."""

_WAIT = -1
"""A step of this module's own: the first packet has to wait until it is due."""


@kernel
def _line_units(row: Any) -> Any:
    # Of 32 bits, which a line of the fastest clock doesn't fill: a wider division takes twice as long.
    return np.int64(np.uint32(row[c.LINE] * row[c.CLOCK]) // np.uint32(row[c.RATE]))


@kernel
def _watch_anew(row: Any) -> None:
    row[c.LOW_SLACK] = row[c.CLOCK] << 4
    row[c.LOW_LEFT] = row[c.CLOCK] << 4
    row[c.WATCHED] = 0


@kernel
def _pause(row: Any) -> None:
    """Let the next packet wait until it is due."""
    row[c.RUNNING] = 0
    row[c.BRIDGED] = 0


@kernel
def stood_still(row: Any, now: Any) -> Any:
    """Return whether ticks that never were should have played something.

    Args:
        row: the voice's jitter row, not asked for a step of this tick yet.
        now: the time of this tick.
    """
    return row[c.RUNNING] != 0 and now - row[c.TICK_NS] >= 2 * TICK_NS


@inlined
def _begin_tick(row: Any, now: Any) -> None:
    """Keep the delay bounded, and leave out what ticks of ours that never were should have played."""
    missed = now - row[c.TICK_NS] - TICK_NS
    row[c.TICK_NS] = now
    row[c.NOW] = units(now, row[c.CLOCK])
    if row[c.RUNNING] == 0:
        return
    if missed >= TICK_NS:
        row[c.NEXT_TS] += units(missed, row[c.CLOCK]) - _line_units(row)
        row[c.LINE] = 0
        row[c.RESYNCS] += 1
        _pause(row)
        return
    played = row[c.NEXT_TS] + row[c.BRIDGED] - _line_units(row)
    row[c.DELAY] = row[c.NOW] - played - row[c.BASE]
    if row[c.DELAY] > row[c.MAX_DELAY]:
        row[c.NEXT_TS] = row[c.NOW] - row[c.BASE] - row[c.TARGET]
        row[c.DELAY] = row[c.TARGET]
        row[c.RESYNCS] += 1
        _pause(row)


@inlined
def _is_passed(row: Any) -> Any:
    """Return whether the first packet is older than what has been played."""
    passed = row[c.NEXT_TS] - (row[c.DURATION] >> 1)
    return row[c.COUNT] > 0 and timestamp_of(row, slot_at(row, row[c.HEAD])) < passed


@inlined
def _free_first(row: Any) -> Any:
    """Return the slot of the first packet, which is the next one to be filled from now on.

    Its memory is in the processor's cache, that of the others was.
    """
    slot = slot_at(row, row[c.HEAD])
    row[c.HEAD] += 1
    row[c.COUNT] -= 1
    first = (row[c.HEAD] + row[c.COUNT] + row[c.CANDIDATE]) & row[c.SLOT_MASK]
    last = (row[c.HEAD] - 1) & row[c.SLOT_MASK]
    row[np.uint64(c.ORDER + last)] = row[np.uint64(c.ORDER + first)]
    row[np.uint64(c.ORDER + first)] = slot
    return slot


@kernel
def _follows(row: Any, slot: Any) -> Any:
    """Return whether a packet is the one behind the last one played."""
    sequence = (facts_of(row, slot) >> 16) & 0xFFFF
    return row[c.LAST_SEQ] >= 0 and sequence == (row[c.LAST_SEQ] + 1) & 0xFFFF


@inlined
def _note_rest(row: Any, slot: Any) -> None:
    """Take note whether the peer was silent on purpose before a packet, which is about to be played.

    Who rests by its codec's DTX and sends none of its short packets shows it by nothing else: a lost packet
    has had a number.
    """
    passed = timestamp_of(row, slot) - row[c.NEXT_TS] >= CONCEAL_TICKS * row[c.FRAME_UNITS]
    if passed and row[c.DTX_OCTETS] != 0 and _follows(row, slot):
        row[c.RESTED] = c.JUST_NOW
    else:
        row[c.RESTED] = min(row[c.RESTED], c.ONCE)


@inlined
def _hand_out(row: Any) -> Any:
    """Hand the first packet out; returns its timestamp."""
    slot = _free_first(row)
    facts = facts_of(row, slot)
    timestamp = timestamp_of(row, slot)
    row[c.SLOT] = slot
    row[c.SLOT_LENGTH] = facts & 0xFFFF
    row[c.SLOT_TYPE] = facts >> 32
    row[c.SLOT_TS] = timestamp
    row[c.LAST_SEQ] = (facts >> 16) & 0xFFFF
    return timestamp


@kernel
def _pass_over(row: Any) -> Any:
    """Hand out the first packet, which can't be heard any more."""
    _hand_out(row)
    row[c.LAST_SEQ] = -1
    row[c.DISCARDED] += 1
    if row[c.SLOT_TYPE] == row[c.NOISE_TYPE]:
        row[c.SILENT] = 1
        return c.NOISE
    return c.PASSED


@inlined
def _play(row: Any) -> Any:
    """Hand the first packet out to be heard."""
    _note_rest(row, slot_at(row, row[c.HEAD]))
    timestamp = _hand_out(row)
    row[c.NEXT_TS] = timestamp
    row[c.BRIDGED] = 0
    row[c.EVENT_SINCE] = 0
    row[c.FRESH] = 0
    row[c.PLAYED] += 1
    if row[c.SLOT_TYPE] == row[c.NOISE_TYPE]:
        row[c.SILENT] = 1
        row[c.DURATION] = 0
        _pause(row)
        return c.NOISE
    slack = row[c.NOW] - timestamp - row[c.BASE] - row[c.TARGET]
    row[c.LOW_SLACK] = min(row[c.LOW_SLACK], slack)
    row[c.LOW_LEFT] = min(row[c.LOW_LEFT], _line_units(row))
    if slack < -(row[c.FRAME_UNITS] >> 3):
        # So much too early, others will be lost: no need to watch any longer.
        row[c.WATCHED] += row[c.CLOCK] // 10
    return c.PLAY


@inlined
def _wait(row: Any) -> Any:
    """Return `PLAY` or `PASSED` where the first packet is due, else what to be silent by."""
    if row[c.COUNT] > 0:
        timestamp = timestamp_of(row, slot_at(row, row[c.HEAD]))
        due = row[c.NOW] - timestamp - row[c.BASE]
        delay = due + _line_units(row)
        if delay > row[c.MAX_DELAY]:
            return c.PASSED
        if due >= row[c.TARGET]:
            row[c.RUNNING] = 1
            row[c.DELAY] = delay
            _watch_anew(row)
            return c.PLAY
    if row[c.FRESH] != 0 and row[c.LINE] == 0:
        return c.NOTHING
    row[c.WANTED] = row[c.FRAME] - row[c.LINE]
    row[c.COMFORT_SAMPLES] += row[c.WANTED]
    return c.COMFORT


@inlined
def _conceal(row: Any, missing: Any) -> Any:
    row[c.CONCEALING] += missing
    row[c.WANTED] = np.int64(np.uint64(missing * row[c.RATE]) // np.uint64(row[c.CLOCK]))
    row[c.CONCEALED] += row[c.WANTED]
    return c.CONCEAL


@kernel
def _note_loss(row: Any) -> None:
    """Have the delay hold a packet more for a while, if packets have copies of those before."""
    if row[c.COPIES] != 0:
        row[c.COPIES_WANTED] = c.COPIES_KEPT


@inlined
def _bridge(row: Any) -> Any:
    """Conceal a hole before the first packet, or wait where nothing has been lost.

    A hole between neighbours in sequence is the peer's silence; a long one is more than can be
    concealed.
    """
    slot = slot_at(row, row[c.HEAD])
    hole = timestamp_of(row, slot) - row[c.NEXT_TS]
    silent = _follows(row, slot) or row[c.SILENT] != 0 or row[c.EVENT_SINCE] != 0
    longest = CONCEAL_TICKS * row[c.FRAME_UNITS]
    if silent or row[c.CONCEALING] + hole > longest + row[c.FRAME_UNITS]:
        _pause(row)
        return _WAIT
    _note_loss(row)
    missing = min(hole, row[c.FRAME_UNITS])
    if row[c.COPIES] != 0 and hole <= row[c.DURATION]:
        # The decoder finds the copy of a whole packet only where it is asked for all of it.
        missing = hole
    if hole <= max(row[c.DURATION], missing):
        row[c.AFTER_LOSS] = slot
        row[c.AFTER_LENGTH] = facts_of(row, slot) & 0xFFFF
    row[c.NEXT_TS] += missing
    return _conceal(row, missing)


@inlined
def _starve(row: Any) -> Any:
    """Conceal a tick without knowing whether a packet is lost or only late."""
    silent = row[c.SILENT] != 0 or row[c.EVENT_SINCE] != 0
    if silent or row[c.CONCEALING] >= CONCEAL_TICKS * row[c.FRAME_UNITS]:
        if not silent and row[c.RESTED] != 0:
            # As it has before: its noise goes on, which else would be switched off and on.
            row[c.SILENT] = c.BY_CODEC
        _pause(row)
        return _WAIT
    row[c.BRIDGED] += row[c.FRAME_UNITS]
    return _conceal(row, row[c.FRAME_UNITS])


@inlined
def _go_on(row: Any) -> Any:
    """Return `PLAY` if the first packet is next, else what takes the place of what isn't there."""
    if row[c.COUNT] == 0:
        return _starve(row)
    first = slot_at(row, row[c.HEAD])
    ahead = timestamp_of(row, first) - row[c.NEXT_TS]
    # What was concealed while nothing was there turns out to have been this hole.
    skipped = max(min(ahead, row[c.BRIDGED]), 0)
    if skipped > 0 and not _follows(row, first):
        _note_loss(row)
    row[c.NEXT_TS] += skipped
    row[c.BRIDGED] = 0
    if ahead - skipped > np.int64(np.uint64(row[c.CLOCK]) // np.uint64(400)):
        return _bridge(row)
    return c.PLAY


@kernel
def next_step(row: Any, now: Any) -> Any:
    """Tell what the line of a voice needs next.

    Args:
        row: the voice's jitter row.
        now: the time of this tick, CLOCK_MONOTONIC in nanoseconds, the same for all calls of it.

    Returns:
        `READY`, `PLAY`, `CONCEAL`, `COMFORT`, `NOISE`, `PASSED` or `NOTHING` (`jitter_row`).
    """
    if now != row[c.TICK_NS]:
        _begin_tick(row, now)
    if row[c.LINE] >= row[c.FRAME]:
        return c.READY
    row[c.AFTER_LOSS] = -1
    if _is_passed(row):
        return _pass_over(row)
    step = _WAIT if row[c.RUNNING] == 0 else _go_on(row)
    if step == _WAIT:
        step = _wait(row)
    if step == c.PASSED:
        return _pass_over(row)
    return _play(row) if step == c.PLAY else step


@kernel
def next_waiting(row: Any) -> Any:
    """Hand out the oldest packet that waits, before it is due: of a voice that isn't heard any more.

    Args:
        row: the voice's jitter row.

    Returns:
        `PLAY`, `PASSED`, `NOISE` or, where none waits, `NOTHING`.
    """
    row[c.LINE] = 0
    if row[c.COUNT] == 0:
        return c.NOTHING
    return _pass_over(row) if _is_passed(row) else _play(row)


@kernel
def _adapt(row: Any, line: Any) -> None:
    """Take a pitch period out of the line or put one in, if the delay is wrong for long enough.

    A packet is decoded in the tick that needs its first sample: the delay can shrink by what the
    line still held then without any packet having to come earlier.
    """
    if row[c.WATCHED] < row[c.CLOCK] // 10 or row[c.LINE] < row[c.FRAME]:
        return
    slack = row[c.LOW_SLACK]
    left = row[c.LOW_LEFT] * row[c.RATE] // row[c.CLOCK]
    longest = row[c.FRAME] >> 1
    shortest = row[c.FRAME] >> 3
    # A tick less, and that not for a while only: the target is as restless as the network.
    spare = slack - row[c.FRAME_UNITS] - row[c.CLOCK] // 400 - (row[c.TARGET] >> 3)
    changed = -1
    if slack < 0:
        changed = lengthen(line, row[c.LINE], shortest, longest, row[c.REFUSALS])
        row[c.LINE] += changed
        row[c.LENGTHENED] += changed
    elif spare >= 0 or left >= 2 * shortest:
        if spare < 0:
            longest = min(longest, left)
        changed = shorten(line, row[c.LINE], shortest, longest, row[c.REFUSALS])
        row[c.LINE] -= changed
        row[c.SHORTENED] += changed
    row[c.REFUSALS] = row[c.REFUSALS] + 1 if changed == 0 else 0
    if changed != 0:
        _watch_anew(row)


@kernel
def decoded(row: Any, line: Any, samples: Any) -> None:
    """Take note of what the decoder has put at the end of the line.

    Args:
        row: the voice's jitter row, after `PLAY`.
        line: int16, at least `LINE_MS` long.
        samples: how many the packet yielded; 0 or less where it could not be decoded.
    """
    samples = min(samples, line.shape[0] - row[c.LINE])
    if samples <= 0:
        # As if it had been lost.
        row[c.LAST_SEQ] = -1
        return
    row[c.DURATION] = samples * row[c.CLOCK] // row[c.RATE]
    row[c.NEXT_TS] += row[c.DURATION]
    row[c.WATCHED] += row[c.DURATION]
    row[c.LINE] += samples
    row[c.CONCEALING] = 0
    rests = row[c.SLOT_LENGTH] <= row[c.DTX_OCTETS] or row[c.RESTED] == c.JUST_NOW
    row[c.SILENT] = c.BY_CODEC if rests else 0
    _adapt(row, line)


@kernel
def stands_in(row: Any) -> Any:
    """Return whether the last frame stood for packets that may yet come.

    Not so where the peer has said that it will be silent, or sends telephone-events instead.
    """
    silent = row[c.SILENT] != 0 or row[c.EVENT_SINCE] != 0
    return not silent and (row[c.RUNNING] == 0 or row[c.BRIDGED] != 0)


@kernel
def filled(row: Any) -> None:
    """Take note that `WANTED` samples have been put at the end of the line."""
    row[c.LINE] += row[c.WANTED]


@kernel
def take(row: Any, line: Any, frame: Any) -> None:
    """Move one tick's samples from the line to `frame`; the line must hold them (`READY`)."""
    count = min(row[c.FRAME], frame.shape[0])
    left = max(row[c.LINE] - count, 0)
    for index in range(count):
        frame[index] = line[index]
    later = line[count : count + left]
    for index in range(left):
        line[index] = later[index]
    row[c.LINE] = left
