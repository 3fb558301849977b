"""Telephone-events (RFC 4733): digits in RTP packets of their own, received and sent.

A row holds one direction of one voice. A digit comes as many packets with one timestamp, the start
of the tone, and a growing duration; any of them may be lost, doubled or late. Longer ones than the
duration's 16 bits can say go on in segments.
"""

from typing import Any

import numpy as np

from pbx.media.engine.kernels.jitter import signed_32
from pbx.media.engine.kernels.rtp import big_endian_16
from pbx.media.engine.native import kernel

WIDTH = 16

# --- words of both directions ---------------------------------------------------------------------
DIGIT = 0
"""Event code: 0 to 9, 10 star, 11 pound, 12 to 15 A to D, 16 flash."""

OPEN = 1
"""1 while the tone lasts."""

TIMESTAMP = 2
"""RTP timestamp of the start of the tone, or of its present segment."""

DURATION = 3
"""Timestamp units of the tone so far, all segments together."""

BEFORE = 4
"""Units of it in the segments before the present one."""

VOLUME = 5
"""dBm0 without its sign, 0 to 63."""

# --- words of the receiver ------------------------------------------------------------------------
STARTED = 6
SEQUENCE = 7
LAST_NS = 8
UNENDED = 9
"""Tones whose end never came."""

ENDED_DIGIT = 10
ENDED_DURATION = 11
"""The tone that an event ended, while the next one may have begun already."""

SSRC = 12
"""Of its last packet."""

# --- words of the sender --------------------------------------------------------------------------
WHOLE = 6
"""Units that the tone shall last; 0 until `stop`."""

ENDS = 7
"""Packets with the end bit still to send."""

MARKER = 8
"""Marker bit of the packet that `packet` has written."""

# --- what `receive` and `expire` answer: any of these bits -----------------------------------------
BEGAN = 1
"""`DIGIT` has begun."""

ENDED = 2
"""`ENDED_DIGIT` has ended, after `ENDED_DURATION` units.

With `BEGAN`: the tone before it, if the new one is `OPEN`; else the new one itself, of which this
was the only packet to come.
"""

PAYLOAD = 4
LONGEST = 0xFFFF
END_PACKETS = 3

SILENCE_NS = 150_000_000
"""A tone that no packet has told of for this long has ended: three packets of 50 ms."""


@kernel
def _end(row: Any) -> Any:
    row[OPEN] = 0
    row[ENDED_DIGIT] = row[DIGIT]
    row[ENDED_DURATION] = row[DURATION]
    return ENDED


@kernel
def _is_same(row: Any, digit: Any, duration: Any, distance: Any, marker: Any) -> Any:
    """Return whether a packet belongs to the tone that the row knows.

    Some peers leave the timestamp where it is from one digit to the next: there, another code, or
    a marker and a duration that starts anew, is another tone.
    """
    if distance != 0 or digit != row[DIGIT]:
        return False
    restarted = marker != 0 and row[OPEN] == 0 and duration < row[DURATION] - row[BEFORE]
    return not restarted


@kernel
def receive(
    row: Any,
    packet: Any,
    offset: Any,
    length: Any,
    sequence: Any,
    timestamp: Any,
    marker: Any,
    ssrc: Any,
    now: Any,
) -> Any:
    """Take in one packet of telephone-event.

    Args:
        row: `WIDTH` words, zeros at first.
        packet: the octets of the packet.
        offset, length: where its payload is.
        sequence, timestamp, marker, ssrc: of its header.
        now: when it came, CLOCK_MONOTONIC in nanoseconds.

    Returns:
        0, or what has happened: `BEGAN`, `ENDED` or both.
    """
    if length < PAYLOAD or offset < 0 or offset + PAYLOAD > packet.shape[0]:
        return 0
    ahead = (sequence - row[SEQUENCE]) & 0xFFFF
    if row[STARTED] != 0 and ssrc != row[SSRC]:
        # Two phones behind one port, or one that has begun anew. While a key is down, it is that one
        # which counts: else each packet of two that are down at once would be another key.
        if row[OPEN] != 0 and now - row[LAST_NS] < SILENCE_NS:
            return 0
        row[STARTED] = 0
    elif row[STARTED] != 0 and (ahead == 0 or ahead >= 0x8000):
        # Doubled, or overtaken by a packet that knew more. After a second, though, it's a peer
        # that has begun anew.
        if now - row[LAST_NS] < 1_000_000_000:
            return 0
        row[STARTED] = 0
    digit = np.int64(packet[offset])
    is_end = packet[offset + 1] & 0x80 != 0
    duration = big_endian_16(packet, offset + 2)
    distance = signed_32(timestamp - row[TIMESTAMP])
    row[SEQUENCE] = sequence
    row[SSRC] = ssrc
    row[LAST_NS] = now
    happened = 0
    if row[STARTED] != 0 and row[OPEN] != 0 and digit == row[DIGIT] and distance == LONGEST:
        row[BEFORE] += LONGEST
        row[TIMESTAMP] = timestamp
    elif row[STARTED] == 0 or not _is_same(row, digit, duration, distance, marker):
        if row[OPEN] != 0:
            row[UNENDED] += 1
            happened = _end(row)
        happened |= BEGAN
        row[STARTED] = 1
        row[OPEN] = 1
        row[DIGIT] = digit
        row[TIMESTAMP] = timestamp
        row[BEFORE] = 0
        row[DURATION] = 0
        row[VOLUME] = np.int64(packet[offset + 1]) & 0x3F
    elif row[OPEN] == 0:
        return 0
    row[DURATION] = max(row[DURATION], row[BEFORE] + duration)
    if is_end and happened & ENDED != 0:
        # One answer can't end two tones: this one's end comes again, or time ends it.
        is_end = False
    if is_end:
        happened |= _end(row)
    return happened


@kernel
def expire(row: Any, now: Any) -> Any:
    """End a tone whose packets have stopped coming; returns 0 or `ENDED`."""
    if row[OPEN] == 0 or now - row[LAST_NS] < SILENCE_NS:
        return 0
    row[UNENDED] += 1
    return _end(row)


@kernel
def start(row: Any, digit: Any, volume: Any, timestamp: Any, whole: Any) -> None:
    """Begin to send a tone; one that is being sent is cut off.

    Args:
        row: `WIDTH` words.
        digit: event code, 0 to 255.
        volume: dBm0 without its sign, 0 to 63.
        timestamp: RTP timestamp at which the tone begins.
        whole: how long it lasts, in timestamp units; 0 until `stop`.
    """
    row[DIGIT] = digit & 0xFF
    row[VOLUME] = max(min(volume, 63), 0)
    row[TIMESTAMP] = timestamp & 0xFFFFFFFF
    row[WHOLE] = max(whole, 0)
    row[OPEN] = 1
    row[DURATION] = 0
    row[BEFORE] = 0
    row[ENDS] = 0


@kernel
def stop(row: Any, whole: Any) -> None:
    """Let the tone that is being sent last so long; it ends with the next packet where it has already.

    Args:
        row: the sender's row.
        whole: how long, in timestamp units.
    """
    if row[OPEN] != 0:
        row[WHOLE] = max(whole, row[DURATION], 1)


@kernel
def packet(row: Any, out: Any, offset: Any, passed: Any) -> Any:
    """Write the payload of the next packet; its header takes `TIMESTAMP` and `MARKER`.

    Args:
        row: the sender's row.
        out: the octets of the packet.
        offset: where its payload begins.
        passed: timestamp units since the last packet, or since the start.

    Returns:
        The octets written, or 0 where nothing is left to send.
    """
    if (row[OPEN] == 0 and row[ENDS] == 0) or offset < 0 or offset + PAYLOAD > out.shape[0]:
        return 0
    row[MARKER] = 0
    if row[OPEN] != 0:
        row[MARKER] = 1 if row[DURATION] == 0 else 0
        if row[DURATION] - row[BEFORE] == LONGEST:
            row[BEFORE] = row[DURATION]
            row[TIMESTAMP] = (row[TIMESTAMP] + LONGEST) & 0xFFFFFFFF
        # Each segment but the last says just how long it is: the next one begins there.
        until = min(row[DURATION] + max(passed, 1), row[BEFORE] + LONGEST)
        if 0 < row[WHOLE] <= until:
            until = max(row[WHOLE], row[DURATION])
            row[OPEN] = 0
            row[ENDS] = END_PACKETS
        row[DURATION] = until
    duration = row[DURATION] - row[BEFORE]
    ending = 0x80 if row[ENDS] > 0 else 0
    row[ENDS] = max(row[ENDS] - 1, 0)
    out[offset] = row[DIGIT]
    out[offset + 1] = ending | row[VOLUME]
    out[offset + 2] = duration >> 8
    out[offset + 3] = duration & 0xFF
    return PAYLOAD
