"""The packets that voices send in a tick: all are made first, and go one after the other then.

The kernel's way through a packet is longer than the processor's first cache is large. Who makes a
packet, sends it, and makes the next one, reads both ways from memory again and again.
"""

from typing import Any

from pbx.media.engine import stream_row
from pbx.media.engine import tables as t
from pbx.media.engine.kernels.relay import destination, outlet, prepare_message, send
from pbx.media.engine.kernels.srtp import protect
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
    tables.totals[t.OUTBOX_END] = (begin + length + _LINE) & ~_LINE
    tables.totals[t.POSTED] = number + 1
    if number + 1 == POSTED or tables.totals[t.OUTBOX_END] + PACKET > OUTBOX:
        send_posted(tables, voices)


@kernel
def _send(tables: Any, voices: Any, entry: Any) -> None:
    slot, octets, as_rtcp = entry[_SLOT], entry[_OCTETS], entry[_AS_RTCP] != 0
    stream = row_of(tables.streams, slot)
    column = destination(stream, as_rtcp)
    packet = part(voices.outbox, entry[_BEGIN], PACKET)
    if column < 0:
        octets = 0
    elif stream[stream_row.FLAGS] & stream_row.SECURE != 0:
        sessions = row_of(tables.sessions, slot)
        octets = protect(voices.functions, sessions, packet, octets, as_rtcp)
    if octets == 0:
        if not as_rtcp:
            stream[stream_row.UNSENT] += 1
        return
    prepare_message(tables, 0, packet.ctypes.data, octets, slot, column)
    send(tables, slot, outlet(tables, slot, as_rtcp), 1, as_rtcp)


@kernel
def send_posted(tables: Any, voices: Any) -> None:
    """Send what has been posted."""
    count = tables.totals[t.POSTED]
    for number in range(count):
        ahead = row_of(voices.posted, min(number + 1, count - 1))[_SLOT]
        fetch_lines_ahead(row_of(tables.streams, ahead).ctypes.data, 8 * stream_row.WIDTH)
        _send(tables, voices, row_of(voices.posted, number))
    tables.totals[t.POSTED] = 0
    tables.totals[t.OUTBOX_END] = 0
