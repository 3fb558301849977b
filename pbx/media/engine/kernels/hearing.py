"""One turn of a voice's socket: a batch in, checked and counted, and to where it is heard."""

from typing import Any

from pbx.media.engine import stream_row
from pbx.media.engine import tables as t
from pbx.media.engine.kernels.relay import accept, receive
from pbx.media.engine.kernels.rtp import RTCP, RTP
from pbx.media.engine.kernels.voice_in import take_packet
from pbx.media.engine.kernels.voice_out import take_report
from pbx.media.engine.native import MSG_TRUNC, kernel, row_of

_LOW_32 = 0xFFFFFFFF


@kernel
def hear(tables: Any, voices: Any, socket: Any, now: Any) -> None:
    """Receive a batch on `socket`, whose stream is a voice.

    Args:
        tables, voices: the packet thread's.
        socket: index into `fds`: twice the stream's row, one more for RTCP.
        now: CLOCK_MONOTONIC in nanoseconds.
    """
    slot = socket >> 1
    on_rtcp_port = socket & 1 != 0
    muxed = tables.streams[slot, stream_row.FLAGS] & stream_row.MUX != 0
    for index in range(receive(tables, slot, tables.fds[socket], now)):
        header = row_of(tables.read_headers, index)
        truncated = header[6] & MSG_TRUNC != 0
        header[1] = tables.facts[t.NAME_LENGTH]
        kind = accept(tables, voices, slot, on_rtcp_port, index, now)
        if kind < 0 or truncated:
            continue
        length = header[7] & _LOW_32
        if kind == RTCP and (on_rtcp_port or muxed):
            take_report(tables, voices, slot, row_of(tables.packets, index), length, now)
        elif kind == RTP:
            take_packet(tables, voices, slot, row_of(tables.packets, index), length, now)
