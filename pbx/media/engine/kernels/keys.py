"""The keys that peers press, as they are reported: of voices, and of streams that are passed on."""

from typing import Any

import numpy as np

from pbx.media.engine import ring_row, stream_row, voice_row
from pbx.media.engine.kernels import telephone_event
from pbx.media.engine.kernels.reporting import report_words
from pbx.media.engine.kernels.ring import room
from pbx.media.engine.kernels.rtp import big_endian_16, big_endian_32
from pbx.media.engine.kernels.rtp_in import payload_place
from pbx.media.engine.native import clear, kernel, part, row_of

_FASTEST_NS = 30_000_000
"""Between two digits: Q.24 has 40 ms of tone and 40 ms of pause at least."""

_BURST_NS = 1_000_000_000
"""A network that was stuck for so long delivers its digits all at once."""


@kernel
def report_digit(tables: Any, row: Any, slot: Any, digit: Any, inband: Any, now: Any) -> None:
    """Report a digit, unless they come faster than any keypad or dialler sends them."""
    row[voice_row.KEY_DOWN] = 0
    due = max(row[voice_row.DIGIT_NS], now - _BURST_NS)
    if due > now:
        return
    row[voice_row.DIGIT_NS] = due + _FASTEST_NS
    if room(tables.reports, tables.report_cursors) > ring_row.RESERVE:
        report_words(tables, ring_row.DIGIT, slot, digit, inband)
        row[voice_row.KEY_DOWN] = 1 + 2 * digit + inband


@kernel
def report_end(tables: Any, row: Any, slot: Any, digit: Any, inband: Any, ms: Any) -> None:
    """Report that a digit has ended whose beginning was reported."""
    if row[voice_row.KEY_DOWN] != 1 + 2 * digit + inband:
        return
    row[voice_row.KEY_DOWN] = 0
    if room(tables.reports, tables.report_cursors) > ring_row.RESERVE:
        report_words(tables, ring_row.DIGIT_ENDED, slot, digit, ms)


@kernel
def report_event_end(tables: Any, row: Any, slot: Any, events: Any) -> None:
    """Report that the digit has ended that `telephone_event.receive` tells of."""
    ms = events[telephone_event.ENDED_DURATION] * 1000 // max(row[voice_row.EVENT_CLOCK], 1)
    report_end(tables, row, slot, events[telephone_event.ENDED_DIGIT], 0, ms)


@kernel
def notice_key(
    tables: Any, voices: Any, slot: Any, sink: Any, packet: Any, length: Any, now: Any
) -> None:
    """Report the key that a packet tells of on its way from one stream to another.

    Args:
        tables, voices: the packet thread's.
        slot: the stream that it has come to, whose voice row keeps what is known of the key: it is
            the same one where the stream becomes a voice while the key is down.
        sink: the stream that it goes to.
        packet, length: octets of an RTP packet.
        now: when it came.
    """
    if packet[1] & 0x7F != tables.streams[sink, stream_row.EVENTS] & 0xFF:
        return
    place = payload_place(packet, length)
    if place < 0:
        return
    row = row_of(voices.voices, slot)
    events = part(row, voice_row.EVENT_IN, telephone_event.WIDTH)
    sequence, timestamp = big_endian_16(packet, 2), big_endian_32(packet, 4)
    marker = np.int64(packet[1]) >> 7
    happened = telephone_event.receive(
        events,
        packet,
        place >> 16,
        place & 0xFFFF,
        sequence,
        timestamp,
        marker,
        big_endian_32(packet, 8),
        now,
    )
    if happened & telephone_event.BEGAN != 0:
        report_digit(tables, row, slot, events[telephone_event.DIGIT], 0, now)


@kernel
def forget_keys(voices: Any, slot: Any) -> None:
    """Know nothing of the keys of a stream that begins: what was before is another call's."""
    row = row_of(voices.voices, slot)
    row[voice_row.KEY_DOWN] = 0
    row[voice_row.DIGIT_NS] = 0
    clear(part(row, voice_row.EVENT_IN, telephone_event.WIDTH))
