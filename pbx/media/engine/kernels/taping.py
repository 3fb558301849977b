"""Recordings of voices and tapped streams: packets to their place, and what is whole to the writer."""

from typing import Any

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
        record.put(recording, tracks, side, voices.spare, made, stamp, ssrc, now)
        done += count


@kernel
def _ready(voices: Any, number: Any) -> None:
    """Let the writer take what is closed."""
    file = row_of(voices.files, number)
    closed = voices.tapes[number, record.CLOSED]
    store_release(file.ctypes.data + 8 * file_row.READY, closed)


@kernel
def _wake_writer(tables: Any) -> None:
    tables.scratch[0] = 1
    write(tables.facts[t.WRITER_FD], tables.scratch.ctypes.data, 8)


@kernel
def hand_over_due(tables: Any, voices: Any, now: Any) -> None:
    """Give the writer every block that is whole, of all recordings at once."""
    whole = False
    for number in range(tape_row.TAPES):
        row = row_of(voices.tapes, number)
        if row[tape_row.STATE] != tables.facts[t.THREAD]:
            continue
        file = row_of(voices.files, number)
        row[record.TAKEN] = load_acquire(file.ctypes.data + 8 * file_row.TAKEN)
        if record.close(row, row[tape_row.BLOCK], now):
            _ready(voices, number)
            whole = True
    if whole:
        _wake_writer(tables)


@kernel
def start_taping(tables: Any, voices: Any, command: Any, now: Any) -> None:
    """Carry out RECORD: row, then left, right, rate. The ring is all zeros."""
    number = command[ring_row.ROW]
    left, right, rate = command[2], command[3], command[4]
    row = row_of(voices.tapes, number)
    clear(row)
    clock_left = voices.voices[left, voice_row.CLOCK]
    clock_right = clock_left if right < 0 else voices.voices[right, voice_row.CLOCK]
    samples = tape_row.RING * rate // tape_row.HIGHEST
    record.begin(row, rate, clock_left, clock_right, samples, now)
    row[tape_row.LEFT] = left
    row[tape_row.RIGHT] = right
    row[tape_row.BLOCK] = rate * tape_row.BLOCK_MS // 1000
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
    _ready(voices, number)
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
