"""The packets that voices send in a tick: all are made first, and go one after the other then.

The kernel's way through a packet is longer than the processor's first cache is large. Who makes a
packet, sends it, and makes the next one, reads both ways from memory again and again.
"""

from typing import Any

from pbx.media.engine import stream_row
from pbx.media.engine import tables as t
from pbx.media.engine.kernels.batch import can_batch, put_send, send_batch
from pbx.media.engine.kernels.relay import (
    count_sent,
    destination,
    is_connected,
    outlet,
    prepare_message,
    send,
)
from pbx.media.engine.kernels.srtp import TRAILER, protect
from pbx.media.engine.native import fetch_lines_ahead, kernel, part, row_of
from pbx.media.engine.voice_tables import OUTBOX, PACKET, POSTED

_LINE = 63
"""A cache line less one."""

# --- words of `posted` ------------------------------------------------------------------------------
_SLOT = 0
_BEGIN = 1
_OCTETS = 2
_AS_RTCP = 3


@kernel
def post(tables: Any, voices: Any, slot: Any, length: Any, as_rtcp: Any) -> None:
    """Have a packet sent to a voice's peer with all others of this tick.

    Args:
        tables, voices: the packet thread's.
        slot: the voice.
        length: octets that have been made at `OUTBOX_END` of the outbox, where there is room for `PACKET`.
        as_rtcp: it is RTCP.
    """
    begin, number = tables.totals[t.OUTBOX_END], tables.totals[t.POSTED]
    entry = row_of(voices.posted, number)
    entry[_SLOT] = slot
    entry[_BEGIN] = begin
    entry[_OCTETS] = length
    entry[_AS_RTCP] = 1 if as_rtcp else 0
    # Protected, it gets longer where it is; the next one is made by then.
    tables.totals[t.OUTBOX_END] = (begin + length + TRAILER + _LINE) & ~_LINE
    tables.totals[t.POSTED] = number + 1
    if number + 1 == POSTED or tables.totals[t.OUTBOX_END] + PACKET > OUTBOX:
        send_posted(tables, voices)


@kernel
def _prepare(tables: Any, voices: Any, entry: Any) -> Any:
    """Protect a packet that is to be; returns the column of where it goes, -1 where it can't go."""
    slot, as_rtcp = entry[_SLOT], entry[_AS_RTCP] != 0
    stream = row_of(tables.streams, slot)
    column = destination(stream, as_rtcp)
    if column >= 0 and stream[stream_row.FLAGS] & stream_row.SECURE != 0:
        packet = part(voices.outbox, entry[_BEGIN], PACKET)
        sessions = row_of(tables.sessions, slot)
        entry[_OCTETS] = protect(voices.functions, sessions, packet, entry[_OCTETS], as_rtcp)
    if column < 0 or entry[_OCTETS] == 0:
        if not as_rtcp:
            stream[stream_row.UNSENT] += 1
        return -1
    return column


@kernel
def _send_alone(tables: Any, voices: Any, entry: Any, column: Any) -> None:
    slot, as_rtcp = entry[_SLOT], entry[_AS_RTCP] != 0
    address = voices.outbox.ctypes.data + entry[_BEGIN]
    prepare_message(tables, 0, address, entry[_OCTETS], slot, column)
    send(tables, slot, outlet(tables, slot, as_rtcp), 1, as_rtcp)


@kernel
def send_posted(tables: Any, voices: Any) -> None:
    """Send what has been posted: where that can be, all of it by one system call."""
    count = tables.totals[t.POSTED]
    together = count > 1 and can_batch(tables)
    batched = 0
    put = 0
    for number in range(count):
        ahead = row_of(voices.posted, min(number + 1, count - 1))[_SLOT]
        fetch_lines_ahead(row_of(tables.streams, ahead).ctypes.data, 8 * stream_row.WIDTH)
        entry = row_of(voices.posted, number)
        slot = entry[_SLOT]
        column = _prepare(tables, voices, entry)
        if column < 0:
            continue
        if together and is_connected(row_of(tables.streams, slot), column):
            fd = outlet(tables, slot, entry[_AS_RTCP] != 0)
            put_send(tables, fd, voices.outbox.ctypes.data + entry[_BEGIN], entry[_OCTETS], number)
            batched |= 1 << number
            put += 1
        else:
            _send_alone(tables, voices, entry, column)
    if put > 0:
        sent = send_batch(tables, put)
        for number in range(count):
            entry = row_of(voices.posted, number)
            stream = row_of(tables.streams, entry[_SLOT])
            if (batched & sent) >> number & 1 != 0:
                count_sent(stream, entry[_OCTETS], entry[_AS_RTCP] != 0)
            elif batched >> number & 1 != 0:
                _send_alone(tables, voices, entry, stream_row.SOURCE_RTP)
    tables.totals[t.POSTED] = 0
    tables.totals[t.OUTBOX_END] = 0
