"""Digits for a peer whose sound is passed on: telephone-events (RFC 4733) in the place of sound.

Each packet that the other party sends while a key lasts becomes one of the key's packets, with its
own sequence number: nothing that follows has to be renumbered, whatever codec the two speak. What
the other party sends as telephone-events itself goes through; whoever does so needs no such help.

The words are those of the peer that hears the digits (`stream_row`).
"""

from typing import Any

import numpy as np

from pbx.media.engine import stream_row as row
from pbx.media.engine.kernels.rtp import RTP_HEADER, big_endian_32
from pbx.media.engine.kernels.rtp_in import payload_place
from pbx.media.engine.kernels.rtp_out import store_16, store_32
from pbx.media.engine.kernels.telephone_event import END_PACKETS, LONGEST, PAYLOAD
from pbx.media.engine.native import kernel

_VOLUME = 10
"""-dBm0 of the digits."""

MOST_DIGITS = 16
"""That wait at once: what one word holds."""

HOLD_NS = 300_000_000
"""The first digit waits: the key may yet come as a telephone-event, too."""

STALE_NS = 5_000_000_000
"""Who has sent no sound for so long after a digit was due has none put in its place any more."""

_LONGEST_EVENT = RTP_HEADER + PAYLOAD + 64
"""Octets of a packet that may be one with a header extension; sound has more, and is looked at no further."""

_PACKET_NS = 20_000_000
"""What the packet says of the key beyond its own beginning."""


@kernel
def _event_type(stream: Any) -> Any:
    return stream[row.EVENTS] & 0xFF


@kernel
def dial(stream: Any, codes: Any, count: Any, on_ms: Any, off_ms: Any, now: Any) -> None:
    """Append digits to those that wait; what doesn't fit is left out.

    Args:
        stream: row of the peer that is to hear them.
        codes: their event codes, 4 bits each, the first one lowest.
        count: of them.
        on_ms, off_ms: length of each digit and of the pause behind it.
        now: CLOCK_MONOTONIC in nanoseconds.
    """
    if _event_type(stream) == row.NO_EVENTS or stream[row.EVENTS_PASSED] != 0:
        return
    first = stream[row.DIAL_TIMES] == 0
    stream[row.DIAL_TIMES] = on_ms << 16 | off_ms
    if stream[row.DIAL_PHASE] == row.DIAL_IDLE:
        stream[row.DIAL_PHASE] = row.DIAL_WAITS
        stream[row.DIAL_NS] = now + HOLD_NS if first else now
        stream[row.DIAL_DIGITS] = 0
        stream[row.DIAL_LEFT] = 0
    for at in range(count):
        left = stream[row.DIAL_LEFT]
        if left < MOST_DIGITS:
            stream[row.DIAL_DIGITS] |= ((codes >> (4 * at)) & 0xF) << (4 * left)
            stream[row.DIAL_LEFT] = left + 1


@kernel
def notice_event(stream: Any, packet: Any, length: Any) -> None:
    """Take note of a telephone-event on its way to a peer: its partner sends them itself."""
    if length > _LONGEST_EVENT or packet[1] & 0x7F != _event_type(stream):
        return
    if payload_place(packet, length) & 0xFFFF == PAYLOAD:
        stream[row.EVENTS_PASSED] = 1
        if stream[row.DIAL_PHASE] == row.DIAL_WAITS:
            stream[row.DIAL_PHASE] = row.DIAL_IDLE


@kernel
def put_digit(stream: Any, packet: Any, length: Any, now: Any) -> Any:
    """Let one packet of sound tell of the digit that is due, instead; returns its octets.

    Args:
        stream: row of the peer that the packet goes to; its `DIAL_PHASE` isn't `DIAL_IDLE`.
        packet, length: octets of an RTP packet.
        now: when it came.
    """
    if packet[1] & 0x7F == _event_type(stream):
        return length
    if stream[row.DIAL_PHASE] == row.DIAL_RESUMES:
        # RFC 3551 §4.1: sound after a pause is marked
        packet[1] |= 0x80
        stream[row.DIAL_PHASE] = row.DIAL_WAITS if stream[row.DIAL_LEFT] > 0 else row.DIAL_IDLE
        return length
    marker = 0
    if stream[row.DIAL_PHASE] == row.DIAL_WAITS:
        if now - stream[row.DIAL_NS] > STALE_NS:
            stream[row.DIAL_PHASE] = row.DIAL_IDLE
            return length
        if now < stream[row.DIAL_NS]:
            return length
        stream[row.DIAL_PHASE] = row.DIAL_LASTS
        stream[row.DIAL_NS] = now
        stream[row.DIAL_TIMESTAMP] = big_endian_32(packet, 4)
        marker = 0x80
    whole = (stream[row.DIAL_TIMES] >> 16) * 1_000_000
    told = min(now - stream[row.DIAL_NS] + _PACKET_NS, whole)
    if stream[row.DIAL_PHASE] == row.DIAL_LASTS and told == whole:
        stream[row.DIAL_PHASE] = END_PACKETS
    ending = 0
    if stream[row.DIAL_PHASE] <= END_PACKETS:
        ending = 0x80
        told = whole
    packet[0] = 0x80
    packet[1] = marker | (_event_type(stream) & 0x7F)
    store_32(packet, 4, stream[row.DIAL_TIMESTAMP])
    packet[RTP_HEADER] = stream[row.DIAL_DIGITS] & 0xF
    packet[RTP_HEADER + 1] = ending | _VOLUME
    duration = min(told * (stream[row.EVENTS] >> 8) // 1_000_000_000, LONGEST)
    store_16(packet, RTP_HEADER + 2, duration)
    if ending != 0:
        stream[row.DIAL_PHASE] -= 1
        if stream[row.DIAL_PHASE] == row.DIAL_IDLE:
            _next(stream, now)
    return np.int64(RTP_HEADER + PAYLOAD)


@kernel
def _next(stream: Any, now: Any) -> None:
    """Let sound go on behind a digit, and the next one wait for the end of the pause."""
    stream[row.DIAL_LEFT] -= 1
    stream[row.DIAL_DIGITS] = (stream[row.DIAL_DIGITS] >> 4) & 0x0FFFFFFFFFFFFFFF
    stream[row.DIAL_NS] = now + (stream[row.DIAL_TIMES] & 0xFFFF) * 1_000_000
    stream[row.DIAL_PHASE] = row.DIAL_RESUMES
