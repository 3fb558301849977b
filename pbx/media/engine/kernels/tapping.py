"""Taps: what streams are passed on is kept aside once it is on its way, and decoded for their recordings."""

from typing import Any

import numpy as np

from pbx.media.engine import ring_row, staged_row, stream_row, tap_row, voice_row
from pbx.media.engine import tables as t
from pbx.media.engine.kernels.codec import decode
from pbx.media.engine.kernels.reporting import report_words
from pbx.media.engine.kernels.resample import WINDOW
from pbx.media.engine.kernels.rtp import RTP, big_endian_16, big_endian_32, packet_kind
from pbx.media.engine.kernels.rtp_in import payload_place
from pbx.media.engine.kernels.taping import change_clock, hand_over_due, tape
from pbx.media.engine.native import clear, kernel, part, rest, row_of

_LOW_32 = 0xFFFFFFFF
_RECORD_NS = 150_000_000
"""What is kept aside is recorded in the first tick after this, which is every second one."""


@kernel
def set_tap(tables: Any, voices: Any, command: Any) -> None:
    """Carry out TAP: row, count, formats; reports that the decoders of before are free."""
    slot = command[ring_row.ROW]
    row = row_of(voices.taps, slot)
    row[tap_row.CURRENT] = -1
    row[tap_row.SEQUENCE] = -1
    row[tap_row.COUNT] = command[ring_row.SETTINGS]
    for word in range(tap_row.MOST * tap_row.FORMAT):
        row[tap_row.FORMATS + word] = command[ring_row.SETTINGS + 1 + word]
    tables.streams[slot, stream_row.TAPPED] = 1
    report_words(tables, ring_row.TAP_SET, slot, 0, 0)


@kernel
def _switch(voices: Any, slot: Any, payload_type: Any) -> Any:
    """Make a payload type's format the current one; returns False where there is none."""
    row = row_of(voices.taps, slot)
    for place in range(row[tap_row.COUNT]):
        wanted = part(row, tap_row.FORMATS + tap_row.FORMAT * place, tap_row.FORMAT)
        if wanted[tap_row.TYPE] != payload_type:
            continue
        if row[tap_row.CURRENT] != place:
            row[tap_row.CURRENT] = place
            # The words of a voice that isn't one: where recordings look.
            voice = row_of(voices.voices, slot)
            voice[voice_row.DECODER] = wanted[tap_row.DECODER]
            rate, clock = wanted[tap_row.RATE], wanted[tap_row.CLOCK]
            # On the same clock the sound goes on without a seam.
            if voice[voice_row.RATE] != rate or voice[voice_row.CLOCK] != clock:
                voice[voice_row.RATE] = rate
                voice[voice_row.CLOCK] = clock
                clear(part(row_of(voices.sound, slot), voice_row.TO_TAPE, WINDOW))
                change_clock(voices, slot)
        return True
    return False


@kernel
def _tap_packet(voices: Any, slot: Any, packet: Any, length: Any, now: Any) -> None:
    place = payload_place(packet, length)
    row = row_of(voices.taps, slot)
    sequence = big_endian_16(packet, 2)
    if place < 0 or sequence == row[tap_row.SEQUENCE]:
        return
    if not _switch(voices, slot, np.int64(packet[1]) & 0x7F):
        return
    row[tap_row.SEQUENCE] = sequence
    coder = voices.voices[slot, voice_row.DECODER]
    samples = decode(
        voices.functions,
        row_of(voices.coders, coder),
        row_of(voices.memories, coder),
        part(packet, place >> 16, place & 0xFFFF),
        place & 0xFFFF,
        voices.tapped,
    )
    if samples > 0:
        timestamp, ssrc = big_endian_32(packet, 4), big_endian_32(packet, 8)
        tape(voices, slot, voices.tapped, samples, timestamp, ssrc, now)


@kernel
def record_staged(tables: Any, voices: Any) -> None:
    """Record all packets that wait, one stream after the other, each one's in the order they came."""
    for number in range(tables.totals[t.STAGED]):
        slot = voices.staged[number, staged_row.SLOT]
        if slot < 0:
            continue
        tables.streams[slot, stream_row.TAPPED] = 1
        recorded = voices.voices[slot, voice_row.TAPE] != 0
        following = number + 1 if recorded else 0
        while following != 0:
            one = row_of(voices.staged, following - 1)
            packet = rest(voices.stage, one[staged_row.AT])
            _tap_packet(voices, slot, packet, one[staged_row.LENGTH], one[staged_row.CAME])
            following = one[staged_row.NEXT]
    tables.totals[t.STAGED] = 0
    tables.totals[t.STAGE_END] = 0


@kernel
def record_due(tables: Any, voices: Any, now: Any) -> None:
    """Record what waits, and give the writer what is whole then, if that is due."""
    if now >= tables.totals[t.RECORD_NS]:
        tables.totals[t.RECORD_NS] = now + _RECORD_NS
        record_staged(tables, voices)
        hand_over_due(tables, voices, now)


@kernel
def _stage(tables: Any, voices: Any, slot: Any, packet: Any, length: Any, now: Any) -> None:
    """Keep a packet until `record_staged`."""
    totals = tables.totals
    full = totals[t.STAGE_END] + length > staged_row.OCTETS
    if full or totals[t.STAGED] == staged_row.MOST:
        record_staged(tables, voices)
    at = totals[t.STAGE_END]
    totals[t.STAGE_END] += length
    totals[t.STAGED] += 1
    number = totals[t.STAGED]
    copy = part(voices.stage, at, length)
    for index in range(length):
        copy[index] = packet[index]
    before = tables.streams[slot, stream_row.TAPPED] - 1
    tables.streams[slot, stream_row.TAPPED] = 1 + number
    if before != 0:
        voices.staged[before - 1, staged_row.NEXT] = number
    one = row_of(voices.staged, number - 1)
    one[staged_row.SLOT] = slot if before == 0 else -1
    one[staged_row.NEXT] = 0
    one[staged_row.AT] = at
    one[staged_row.LENGTH] = length
    one[staged_row.CAME] = now


@kernel
def tap(tables: Any, voices: Any, slot: Any, received: Any, now: Any) -> None:
    """Keep what `relay` has just passed on of a stream, for its recording if there is one.

    Args:
        tables, voices: the packet thread's; the packets still lie where they came.
        slot: the stream.
        received: packets; those that were refused have no length.
        now: CLOCK_MONOTONIC in nanoseconds.
    """
    for index in range(received):
        length = tables.read_headers[index, 7] & _LOW_32
        packet = row_of(tables.packets, index)
        if packet_kind(packet, length) == RTP:
            _stage(tables, voices, slot, packet, length, now)
