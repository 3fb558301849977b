"""The sockets of voices: each tick empties them, and what has come goes where it is heard.

Most phones send one packet in a tick. To find out that a socket has no second one costs a third of
what fetching the first one does: so a socket that had one in the last tick is asked for one only. A
packet that is left was sent after the one that was fetched, and is early for the next tick, which
knows by the kernel's stamp that it has waited, and empties the socket. Where packets are so much late
that one may overtake another, a tick empties the socket always.
"""

from typing import Any

import numpy as np

from pbx.media.engine import stream_row, voice_row
from pbx.media.engine import tables as t
from pbx.media.engine.kernels import jitter_row, quality_row
from pbx.media.engine.kernels.joining import join_peer, note_emptied
from pbx.media.engine.kernels.relay import accept, slot_of
from pbx.media.engine.kernels.rtp import RTCP, RTP
from pbx.media.engine.kernels.voice_in import take_packet
from pbx.media.engine.kernels.voice_out import take_report
from pbx.media.engine.native import (
    MSG_DONTWAIT,
    MSG_TRUNC,
    SO_TIMESTAMPNS,
    SOL_SOCKET,
    epoll_wait,
    fetch_ahead,
    fetch_lines_ahead,
    kernel,
    load_32,
    monotonic_ns,
    part,
    realtime_ns,
    recvmmsg,
    recvmsg,
    row_of,
)

_LOW_32 = 0xFFFFFFFF

_BATCH = 8
"""Packets of one system call: what a tick that is late by 100 ms finds."""

_MOST_BATCHES = 16
"""Of one socket in a tick: a flood must not hold up the other voices."""

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
def _take_one(tables: Any, voices: Any, socket: Any, now: Any, ahead: Any) -> Any:
    """Take one packet, for which nobody need ask who has sent it; returns its octets, 0 for none."""
    header = row_of(tables.read_headers, 0)
    header[0] = 0
    header[5] = t.STAMP
    length = recvmsg(tables.fds[socket], tables.read_headers.ctypes.data, MSG_DONTWAIT)
    header[0] = tables.names.ctypes.data
    header[1] = tables.facts[t.NAME_LENGTH]
    if length <= 0:
        return 0
    header[7] = length
    came = _came(tables, 0, now, ahead)
    voices.voices[slot_of(tables, socket), voice_row.CAME_NS] = came
    _take(tables, voices, socket, 0, came)
    return length


@kernel
def _empty(tables: Any, voices: Any, socket: Any, now: Any, ahead: Any) -> Any:
    """Take all that has come to a voice's socket; returns the number of packets.

    Args:
        tables, voices: the packet thread's.
        socket: index into `fds`.
        now: CLOCK_MONOTONIC in nanoseconds.
        ahead: how far CLOCK_REALTIME is before it.
    """
    taken = 0
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
        taken += max(received, 0)
        if received < _BATCH:
            if received > 0:
                note_emptied(tables, slot_of(tables, socket), socket)
            break
    return taken


@kernel
def _one_comes(voices: Any, slot: Any) -> Any:
    """Return whether a tick needs no more than one packet of a voice's peer, and gets one."""
    row = row_of(voices.voices, slot)
    duration = row[voice_row.JITTER + jitter_row.DURATION]
    in_order = row[voice_row.JITTER + jitter_row.TARGET] <= duration
    enough = duration >= row[voice_row.JITTER + jitter_row.FRAME_UNITS]
    return row[voice_row.CAME] == 1 and in_order and enough


@kernel
def _fetch_ahead(tables: Any, voices: Any, slot: Any) -> None:
    """Have fetched what a packet of the voice's peer will be judged by, while the kernel copies it."""
    fetch_lines_ahead(row_of(tables.streams, slot).ctypes.data, 8 * stream_row.WIDTH)
    row = row_of(voices.voices, slot).ctypes.data
    fetch_lines_ahead(row, 8 * voice_row.SENDER)
    fetch_lines_ahead(row + 8 * voice_row.QUALITY, 8 * quality_row.WIDTH)
    fetch_lines_ahead(row + 8 * voice_row.JITTER, 8 * (jitter_row.ORDER + voice_row.SLOTS))


@kernel
def _fetch_place_ahead(voices: Any, slot: Any) -> None:
    """Have fetched where the next packet of a voice will be put; its row is there already."""
    row = part(row_of(voices.voices, slot), voice_row.JITTER, jitter_row.WIDTH)
    position = (row[jitter_row.HEAD] + row[jitter_row.COUNT]) & row[jitter_row.SLOT_MASK]
    place = row[jitter_row.ORDER + position]
    at = row.ctypes.data
    fetch_ahead(at + 8 * (jitter_row.TIMESTAMPS + place))
    fetch_ahead(at + 8 * (jitter_row.FACTS + place))
    fetch_ahead(at + 8 * (jitter_row.DISTANCES + (row[jitter_row.ARRIVED] & jitter_row.WINDOW - 1)))
    payload = row_of(voices.payloads, slot).ctypes.data + (place << voice_row.SLOT_SHIFT)
    fetch_lines_ahead(payload, row[jitter_row.SLOT_LENGTH])


@kernel
def _hear_peer(
    tables: Any, voices: Any, slot: Any, emptied: Any, before: Any, now: Any, ahead: Any
) -> None:
    """Take what has come to the source's own socket.

    Args:
        tables, voices: the packet thread's.
        slot: the voice.
        emptied: take all, where the next packet might do.
        before: when the tick before this one has looked, CLOCK_MONOTONIC in nanoseconds.
        now: when this one does.
        ahead: how far CLOCK_REALTIME is before it.
    """
    latched = tables.streams[slot, stream_row.LATCHED_RTP]
    if latched < stream_row.JOINING:
        return
    socket = 2 * tables.streams.shape[0] + slot
    row = row_of(voices.voices, slot)
    taken = 0
    if not emptied and latched == stream_row.JOINED and _one_comes(voices, slot):
        octets = _take_one(tables, voices, socket, now, ahead)
        same = octets == row[voice_row.CAME_OCTETS]
        row[voice_row.CAME_OCTETS] = octets
        # One that has come since is the only one, or what has come behind it is early.
        if same and before < row[voice_row.CAME_NS] < now:
            return
        # More or fewer octets than before: it may hold more or less of sound.
        taken = 1 if octets > 0 else 0
    row[voice_row.CAME] = taken + _empty(tables, voices, socket, now, ahead)


@kernel
def _hear_others(tables: Any, voices: Any, socket: Any, now: Any, ahead: Any) -> None:
    """Take what has come to RTCP's socket, or to the one that everybody may send to."""
    slot = slot_of(tables, socket)
    if tables.streams[slot, stream_row.FLAGS] & stream_row.WAIT != 0:
        return
    _empty(tables, voices, socket, now, ahead)
    # What has come before a source was known must not be overtaken.
    if socket == 2 * slot and join_peer(tables, slot):
        _empty(tables, voices, socket, now, ahead)


@kernel
def _hear_seldom(tables: Any, voices: Any, now: Any, ahead: Any) -> None:
    """Take what has come to sockets that seldom have anything."""
    events = tables.seldom_events.ctypes.data
    for _ in range(2 * tables.streams.shape[0] // t.EVENTS + 1):
        ready = epoll_wait(tables.facts[t.SELDOM_FD], events, t.EVENTS, 0)
        for index in range(ready):
            event = events + index * tables.facts[t.EVENT_SIZE]
            socket = load_32(event + tables.facts[t.EVENT_DATA])
            _hear_others(tables, voices, np.int64(socket), now, ahead)
        if ready < t.EVENTS:
            return


@kernel
def hear_all(tables: Any, voices: Any, passed: Any) -> None:
    """Take what has come to all voices since the tick before.

    Args:
        tables, voices: the packet thread's.
        passed: ticks since the one before, 1 unless some never were.
    """
    now = monotonic_ns(tables.scratch)
    ahead = realtime_ns(tables.scratch) - now
    before = tables.totals[t.HEARD_NS]
    tables.totals[t.HEARD_NS] = now
    count = tables.totals[t.VOICES]
    for place in range(min(2, count)):
        _fetch_ahead(tables, voices, voices.active[place])
    _hear_seldom(tables, voices, now, ahead)
    for place in range(count):
        slot = voices.active[place]
        _fetch_ahead(tables, voices, voices.active[min(place + 2, count - 1)])
        _fetch_place_ahead(voices, voices.active[min(place + 1, count - 1)])
        if tables.streams[slot, stream_row.FLAGS] & stream_row.WAIT == 0:
            _hear_peer(tables, voices, slot, passed > 1, before, now, ahead)


@kernel
def hear_now(tables: Any, voices: Any, slot: Any) -> None:
    """Take what has come to a voice that changes or ends: it was meant for the voice as it was."""
    if tables.streams[slot, stream_row.FLAGS] & stream_row.WAIT != 0:
        return
    now = monotonic_ns(tables.scratch)
    ahead = realtime_ns(tables.scratch) - now
    _hear_others(tables, voices, 2 * slot, now, ahead)
    _hear_peer(tables, voices, slot, True, now, now, ahead)
    _hear_others(tables, voices, 2 * slot + 1, now, ahead)
