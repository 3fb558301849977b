"""The sockets of voices: each tick empties them, and what has come goes where it is heard."""

from typing import Any

from pbx.media.engine import stream_row
from pbx.media.engine import tables as t
from pbx.media.engine.kernels.joining import join_peer, note_emptied
from pbx.media.engine.kernels.playout import TICK_NS
from pbx.media.engine.kernels.relay import accept, slot_of
from pbx.media.engine.kernels.rtp import RTCP, RTP
from pbx.media.engine.kernels.voice_in import take_packet
from pbx.media.engine.kernels.voice_out import take_report
from pbx.media.engine.native import (
    MSG_DONTWAIT,
    MSG_TRUNC,
    SO_TIMESTAMPNS,
    SOL_SOCKET,
    kernel,
    monotonic_ns,
    realtime_ns,
    recvmmsg,
    row_of,
)

_LOW_32 = 0xFFFFFFFF

_BATCH = 8
"""Packets of one system call: what a tick that is late by 100 ms finds."""

_MOST_BATCHES = 16
"""Of one socket in a tick: a flood must not hold up the other voices."""

_RTCP_TICKS = 5
"""A peer's reports are seconds apart: only a part of the voices is looked at for them in each tick."""

_STAMP_KIND = SOL_SOCKET | SO_TIMESTAMPNS << 32
"""Level and type of the control message with a time stamp, as one word."""

_OLDEST_NS = 1_000_000_000
"""A stamp from before that is from before somebody has set the clock."""


@kernel
def _came(tables: Any, index: Any, now: Any, ahead: Any) -> Any:
    """Return when packet `index` came, by the kernel's stamp if that can be."""
    stamp = row_of(tables.stamps, index)
    if tables.read_headers[index, 5] < t.STAMP or stamp[1] != _STAMP_KIND:
        return now
    came = stamp[2] * 1_000_000_000 + stamp[3] - ahead
    return came if now - _OLDEST_NS <= came <= now else now


@kernel
def _take(tables: Any, voices: Any, socket: Any, index: Any, came: Any) -> None:
    """Check packet `index` of the batch, and bring it to where it is heard."""
    slot = slot_of(tables, socket)
    on_rtcp_port = socket == 2 * slot + 1
    muxed = tables.streams[slot, stream_row.FLAGS] & stream_row.MUX != 0
    header = row_of(tables.read_headers, index)
    truncated = header[6] & MSG_TRUNC != 0
    kind = accept(tables, voices, socket, index, came)
    if kind < 0 or truncated:
        return
    length = header[7] & _LOW_32
    if kind == RTCP and (on_rtcp_port or muxed):
        take_report(tables, voices, slot, row_of(tables.packets, index), length, came)
    elif kind == RTP:
        take_packet(tables, voices, slot, row_of(tables.packets, index), length, came)


@kernel
def _empty(tables: Any, voices: Any, socket: Any, now: Any, ahead: Any) -> None:
    """Take all that has come to a voice's socket.

    Args:
        tables, voices: the packet thread's.
        socket: index into `fds`.
        now: CLOCK_MONOTONIC in nanoseconds.
        ahead: how far CLOCK_REALTIME is before it.
    """
    for _ in range(_MOST_BATCHES):
        for index in range(_BATCH):
            tables.read_headers[index, 1] = tables.facts[t.NAME_LENGTH]
            tables.read_headers[index, 5] = t.STAMP
        headers = tables.read_headers.ctypes.data
        received = recvmmsg(tables.fds[socket], headers, _BATCH, MSG_DONTWAIT, 0)
        for index in range(received):
            _take(tables, voices, socket, index, _came(tables, index, now, ahead))
            # As the next one who receives wants it.
            tables.read_headers[index, 1] = tables.facts[t.NAME_LENGTH]
        if received < _BATCH:
            if received > 0:
                note_emptied(tables, slot_of(tables, socket), socket)
            return


@kernel
def _hear(tables: Any, voices: Any, slot: Any, reports: Any, now: Any, ahead: Any) -> None:
    if tables.streams[slot, stream_row.FLAGS] & stream_row.WAIT != 0:
        return
    joined = tables.streams[slot, stream_row.LATCHED_RTP] >= stream_row.JOINING
    if reports or not joined:
        _empty(tables, voices, 2 * slot, now, ahead)
        # What has come before a source was known must not be overtaken.
        if join_peer(tables, slot):
            _empty(tables, voices, 2 * slot, now, ahead)
    if tables.streams[slot, stream_row.LATCHED_RTP] >= stream_row.JOINING:
        _empty(tables, voices, 2 * tables.streams.shape[0] + slot, now, ahead)
    if reports:
        _empty(tables, voices, 2 * slot + 1, now, ahead)


@kernel
def hear_all(tables: Any, voices: Any, due: Any) -> None:
    """Take what has come to all voices since the tick before.

    Args:
        tables, voices: the packet thread's.
        due: the tick's nominal time, CLOCK_MONOTONIC in nanoseconds.
    """
    now = monotonic_ns(tables.scratch)
    ahead = realtime_ns(tables.scratch) - now
    for place in range(tables.totals[t.VOICES]):
        slot = voices.active[place]
        reports = (slot + due // TICK_NS) % _RTCP_TICKS == 0
        _hear(tables, voices, slot, reports, now, ahead)


@kernel
def hear_now(tables: Any, voices: Any, slot: Any) -> None:
    """Take what has come to a voice that changes or ends: it was meant for the voice as it was."""
    now = monotonic_ns(tables.scratch)
    _hear(tables, voices, slot, True, now, realtime_ns(tables.scratch) - now)
