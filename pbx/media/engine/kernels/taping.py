"""Recordings: what voices and taps hear from peers, in blocks for the main thread to write."""

from typing import Any

from pbx.media.engine import ring_row, tape_row, voice_row
from pbx.media.engine import tables as t
from pbx.media.engine.kernels import record
from pbx.media.engine.kernels.reporting import report_words
from pbx.media.engine.kernels.resample import WINDOW, resample
from pbx.media.engine.kernels.ring import room
from pbx.media.engine.native import clear, kernel, load_acquire, part, row_of


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
    rate, wanted = row[voice_row.RATE], recording[record.RATE]
    window = part(row_of(voices.sound, slot), voice_row.TO_TAPE, WINDOW)
    # A frame of 20 ms at a time is what a window has room for.
    frame = rate // 50
    done = 0
    while done < samples:
        count = min(frame, samples - done)
        made = resample(window, part(pcm, done, count), count, rate, wanted, voices.spare)
        stamp = timestamp + done * row[voice_row.CLOCK] // rate
        record.put(
            recording,
            row_of(voices.tracks, number),
            row[voice_row.TAPE_SIDE],
            voices.spare,
            made,
            stamp & 0xFFFFFFFF,
            ssrc,
            now,
        )
        done += count


@kernel
def _hand_over(tables: Any, voices: Any, number: Any, count: Any) -> None:
    """Take `count` samples of a track out, into a bank for the main thread."""
    row = row_of(voices.tapes, number)
    written = row[tape_row.WRITTEN]
    if written - load_acquire(voices.taken.ctypes.data + 8 * number) >= tape_row.BANKS:
        row[tape_row.LOST] += count
        while count > 0:
            count -= record.take_mono(row, row_of(voices.tracks, number), voices.spare, count)
        return
    bank = written % tape_row.BANKS
    begin = bank * tape_row.LONGEST_BLOCK
    block = part(row_of(voices.banks, number), begin, tape_row.LONGEST_BLOCK)
    if row[tape_row.STEREO] != 0:
        taken = record.take_stereo(row, row_of(voices.tracks, number), block, count)
    else:
        taken = record.take_mono(row, row_of(voices.tracks, number), block, count)
    row[tape_row.WRITTEN] = written + 1
    report_words(tables, ring_row.TAPED, number, bank, taken)


@kernel
def _has_room(tables: Any) -> Any:
    return room(tables.reports, tables.report_cursors) > ring_row.MOST_REPORTS


@kernel
def hand_over_due(tables: Any, voices: Any, now: Any) -> None:
    """Give the main thread every block that is whole."""
    for number in range(tape_row.TAPES):
        row = row_of(voices.tapes, number)
        if row[tape_row.STATE] != tables.facts[t.THREAD]:
            continue
        while record.due(row, now) >= row[tape_row.BLOCK] and _has_room(tables):
            _hand_over(tables, voices, number, row[tape_row.BLOCK])


@kernel
def start_taping(tables: Any, voices: Any, command: Any, now: Any) -> None:
    """Carry out RECORD: row, then left, right, stereo, rate."""
    number = command[ring_row.ROW]
    left, right, stereo, rate = command[2], command[3], command[4], command[5]
    row = row_of(voices.tapes, number)
    for word in range(tape_row.WIDTH):
        row[word] = 0
    clock_left = voices.voices[left, voice_row.CLOCK]
    clock_right = clock_left if right < 0 else voices.voices[right, voice_row.CLOCK]
    record.begin(row, rate, clock_left, clock_right, tape_row.RING, now)
    clear(row_of(voices.tracks, number))
    row[tape_row.LEFT] = left
    row[tape_row.RIGHT] = right
    row[tape_row.STEREO] = stereo
    row[tape_row.BLOCK] = rate * tape_row.BLOCK_MS // 1000
    row[tape_row.WRITTEN] = load_acquire(voices.taken.ctypes.data + 8 * number)
    row[tape_row.STATE] = tables.facts[t.THREAD]
    for side in range(2):
        voice = right if side != 0 else left
        if voice >= 0:
            voices.voices[voice, voice_row.TAPE] = number + 1
            voices.voices[voice, voice_row.TAPE_SIDE] = side
            clear(part(row_of(voices.sound, voice), voice_row.TO_TAPE, WINDOW))


@kernel
def stop_taping(tables: Any, voices: Any, number: Any) -> None:
    """Hand over the rest and report the end; one that has ended already is reported too."""
    row = row_of(voices.tapes, number)
    if row[tape_row.STATE] == tables.facts[t.THREAD]:
        row[tape_row.STATE] = 0
        for side in range(2):
            voice = row[tape_row.RIGHT] if side != 0 else row[tape_row.LEFT]
            if voice >= 0 and voices.voices[voice, voice_row.TAPE] == number + 1:
                voices.voices[voice, voice_row.TAPE] = 0
        while record.rest(row) > 0:
            _hand_over(tables, voices, number, min(record.rest(row), row[tape_row.BLOCK]))
    report_words(tables, ring_row.RECORDED, number, row[tape_row.LOST], row[record.MISSED])


@kernel
def change_clock(voices: Any, slot: Any) -> None:
    """Go on with another codec in the recording that a voice has."""
    row = row_of(voices.voices, slot)
    recording = row_of(voices.tapes, row[voice_row.TAPE] - 1)
    party = record.PARTY + record.PARTY_WIDTH * row[voice_row.TAPE_SIDE]
    recording[party + record.CLOCK] = row[voice_row.CLOCK]
    # Its next packet is put where it comes.
    recording[party + record.STARTED] = 0
