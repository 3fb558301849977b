"""The RTP headers of what a voice sends (RFC 3550 §5.1).

The sender's timestamp runs with its clock whether packets go out or not; the first packet after
a pause has the marker bit (RFC 3551 §4.1).
"""

from typing import Any

from pbx.media.engine.kernels.rtp import RTP_HEADER
from pbx.media.engine.native import kernel

WIDTH = 8

# --- words of a voice's sender --------------------------------------------------------------------
SSRC = 0
SEQUENCE = 1
"""Of the next packet."""

TIMESTAMP = 2
"""Of the next packet of sound."""

TALKING = 3
"""0: the next packet of sound begins a talk-spurt."""

SENT = 4
"""Packets, of sound and of events."""

SENT_OCTETS = 5
"""Of payload."""


@kernel
def store_16(out: Any, at: Any, number: Any) -> None:
    """Write the low 16 bits of `number` in network order."""
    out[at] = (number >> 8) & 0xFF
    out[at + 1] = number & 0xFF


@kernel
def store_32(out: Any, at: Any, number: Any) -> None:
    """Write the low 32 bits of `number` in network order."""
    store_16(out, at, number >> 16)
    store_16(out, at + 2, number)


@kernel
def begin(row: Any, ssrc: Any, sequence: Any, timestamp: Any) -> None:
    """Make a row ready; all three numbers are random (RFC 3550 §5.1, §8)."""
    row[SSRC] = ssrc & 0xFFFFFFFF
    row[SEQUENCE] = sequence & 0xFFFF
    row[TIMESTAMP] = timestamp & 0xFFFFFFFF
    row[TALKING] = 0
    row[SENT] = 0
    row[SENT_OCTETS] = 0


@kernel
def pass_time(row: Any, units: Any) -> None:
    """Let the clock run on, once a tick."""
    row[TIMESTAMP] = (row[TIMESTAMP] + units) & 0xFFFFFFFF


@kernel
def pause(row: Any) -> None:
    """Note that nothing of sound goes out in this tick."""
    row[TALKING] = 0


@kernel
def _write(
    row: Any, out: Any, payload_type: Any, marker: Any, timestamp: Any, payload_length: Any
) -> Any:
    if out.shape[0] < RTP_HEADER:
        return 0
    out[0] = 0x80
    out[1] = (payload_type & 0x7F) | (0x80 if marker != 0 else 0)
    store_16(out, 2, row[SEQUENCE])
    store_32(out, 4, timestamp)
    store_32(out, 8, row[SSRC])
    row[SEQUENCE] = (row[SEQUENCE] + 1) & 0xFFFF
    row[SENT] += 1
    row[SENT_OCTETS] += payload_length
    return RTP_HEADER


@kernel
def put_sound(row: Any, out: Any, payload_type: Any, payload_length: Any) -> Any:
    """Write the header of a packet of sound that begins at `TIMESTAMP`; returns its octets."""
    marker = 1 - row[TALKING]
    row[TALKING] = 1
    return _write(row, out, payload_type, marker, row[TIMESTAMP], payload_length)


@kernel
def put_event(
    row: Any, out: Any, payload_type: Any, payload_length: Any, timestamp: Any, marker: Any
) -> Any:
    """Write the header of a telephone-event; sound after it begins a talk-spurt."""
    row[TALKING] = 0
    return _write(row, out, payload_type, marker, timestamp, payload_length)
