"""Recordings of voices and tapped streams: packets to their place, and what is whole to the writer."""

from typing import Any

import numpy as np

from pbx.media.engine import file_row, ring_row, tape_row, voice_row
from pbx.media.engine import tables as t
from pbx.media.engine.kernels import record
from pbx.media.engine.kernels.resample import WINDOW, resample
from pbx.media.engine.native import (
    clear,
    kernel,
    load_acquire,
    part,
    row_of,
    store_release,
    write,
)

_WRITE_NS = 1_000_000_000
"""How often the writer is woken: each time it writes a file's end and its header, of which the file
system makes much more work than of the octets. A crash costs what isn't written yet."""


@kernel
def tape(
    voices: Any, slot: Any, pcm: Any, samples: Any, timestamp: Any, ssrc: Any, now: Any
) -> None:
    """Put one decoded packet of a voice, or of a tapped stream, into its recording.

    Args:
        voices: the tables.
        slot: the stream, which is being recorded.
        pcm, samples: what the packet holds, at the rate in the voice's row.
        timestamp, ssrc: of the packet.
        now: CLOCK_MONOTONIC in nanoseconds.
    """
    row = row_of(voices.voices, slot)
    number = row[voice_row.TAPE] - 1
    recording = row_of(voices.tapes, number)
    tracks = row_of(voices.tracks, number)
    side = row[voice_row.TAPE_SIDE]
    rate, wanted = row[voice_row.RATE], recording[record.RATE]
    if rate == wanted:
        record.put(recording, tracks, side, pcm, samples, timestamp, ssrc, now)
        return
    window = part(row_of(voices.sound, slot), voice_row.TO_TAPE, WINDOW)
    # A frame of 20 ms at a time is what a window has room for.
    frame = rate // 50
    done = 0
    while done < samples:
        count = min(frame, samples - done)
        made = resample(window, part(pcm, done, count), count, rate, wanted, voices.spare)
        stamp = (timestamp + done * row[voice_row.CLOCK] // rate) & 0xFFFFFFFF
        done += count
        # It would have come so much earlier, had it been a packet of its own.
        left_ns = np.uint64(samples - done) * np.uint64(1_000_000_000) // np.uint64(rate)
        came = now - np.int64(left_ns)
        record.put(recording, tracks, side, voices.spare, made, stamp, ssrc, came)


@kernel
def queue_length(row: Any) -> Any:
    """Return how many samples of each track a recording's queue holds, a power of two."""
    return tape_row.QUEUE_RINGS * (row[record.MASK] + 1)


@kernel
def _enqueue(voices: Any, number: Any) -> Any:
    """Move what is closed to the writer's queue, as far as there's room; returns the samples."""
    row, file = row_of(voices.tapes, number), row_of(voices.files, number)
    ring = part(row_of(voices.tracks, number), 0, 2 * (row[record.MASK] + 1))
    queue = row_of(voices.queues, number)
    length = queue_length(row)
    written = load_acquire(file.ctypes.data + 8 * file_row.TAKEN)
    begin = row[record.TAKEN]
    end = min(row[record.CLOSED], written + length)
    while row[record.TAKEN] < end:
        first = row[record.TAKEN]
        at = first & (length - 1)
        count = min(end - first, length - at)
        if row[tape_row.TRACKS] == 2:
            record.take_stereo(ring, first, count, part(queue, 2 * at, 2 * count))
        else:
            record.take_mono(ring, first, count, part(queue, at, count))
        row[record.TAKEN] += count
    store_release(file.ctypes.data + 8 * file_row.READY, row[record.TAKEN])
    return row[record.TAKEN] - begin


@kernel
def _wake_writer(tables: Any) -> None:
    tables.scratch[0] = 1
    write(tables.facts[t.WRITER_FD], tables.scratch.ctypes.data, 8)


@kernel
def hand_over_due(tables: Any, voices: Any, now: Any) -> None:
    """Give the writer every block that is whole, and wake it now and then for all recordings at once."""
    for number in range(tape_row.TAPES):
        row = row_of(voices.tapes, number)
        if row[tape_row.STATE] != tables.facts[t.THREAD]:
            continue
        record.close(row, row[tape_row.BLOCK], now)
        # A queue that was full may have room now.
        if row[record.CLOSED] > row[record.TAKEN] and _enqueue(voices, number) > 0:
            tables.totals[t.TO_WRITE] = 1
    if tables.totals[t.TO_WRITE] != 0 and now >= tables.totals[t.WRITE_NS]:
        tables.totals[t.TO_WRITE] = 0
        tables.totals[t.WRITE_NS] = now + _WRITE_NS
        _wake_writer(tables)


@kernel
def start_taping(tables: Any, voices: Any, command: Any, now: Any) -> None:
    """Carry out RECORD: row, then left, right, rate, tracks. The ring is all zeros."""
    number = command[ring_row.ROW]
    left, right, rate, tracks = command[2], command[3], command[4], command[5]
    row = row_of(voices.tapes, number)
    clear(row)
    clock_left = voices.voices[left, voice_row.CLOCK]
    clock_right = clock_left if right < 0 else voices.voices[right, voice_row.CLOCK]
    samples = tape_row.RING * rate // tape_row.HIGHEST
    record.begin(row, rate, clock_left, clock_right, samples, now)
    row[tape_row.LEFT] = left
    row[tape_row.RIGHT] = right
    row[tape_row.BLOCK] = rate * tape_row.BLOCK_MS // 1000
    row[tape_row.TRACKS] = tracks
    row[tape_row.STATE] = tables.facts[t.THREAD]
    for side in range(2):
        voice = right if side != 0 else left
        if voice >= 0:
            voices.voices[voice, voice_row.TAPE] = number + 1
            voices.voices[voice, voice_row.TAPE_SIDE] = side
            clear(part(row_of(voices.sound, voice), voice_row.TO_TAPE, WINDOW))


@kernel
def stop_taping(tables: Any, voices: Any, number: Any) -> None:
    """Leave the rest, and the end of the file, to the writer."""
    row = row_of(voices.tapes, number)
    if row[tape_row.STATE] != tables.facts[t.THREAD]:
        return
    row[tape_row.STATE] = 0
    for side in range(2):
        voice = row[tape_row.RIGHT] if side != 0 else row[tape_row.LEFT]
        if voice >= 0 and voices.voices[voice, voice_row.TAPE] == number + 1:
            voices.voices[voice, voice_row.TAPE] = 0
    record.close_all(row)
    _enqueue(voices, number)
    if row[record.TAKEN] < row[record.CLOSED]:
        # The disk has stood still for longer than the queue holds.
        clear(row_of(voices.tracks, number))
    store_release(row_of(voices.files, number).ctypes.data + 8 * file_row.ENDED, 1)
    _wake_writer(tables)


@kernel
def change_clock(voices: Any, slot: Any) -> None:
    """Go on with another codec in the recording that a voice has."""
    row = row_of(voices.voices, slot)
    recording = row_of(voices.tapes, row[voice_row.TAPE] - 1)
    party = record.PARTY + record.PARTY_WIDTH * row[voice_row.TAPE_SIDE]
    recording[party + record.CLOCK] = row[voice_row.CLOCK]
    # Its next packet is put where it comes.
    recording[party + record.STARTED] = 0
