"""What the packet thread waits for: its epoll set.

A voice's sockets aren't in it: the tick empties them, and their packets wake nobody. So that what
is reckoned of the moments when they came stays right, the kernel stamps them. The source's own
socket is looked at in each tick; the two that seldom have anything, RTCP's and the one that
everybody may send to, are in a set of their own, which tells the tick of all of them at once.
"""

from typing import Any

from pbx.media.engine import stream_row
from pbx.media.engine import tables as t
from pbx.media.engine.native import (
    EPOLL_CTL_ADD,
    EPOLL_CTL_DEL,
    EPOLLIN,
    SO_TIMESTAMPNS,
    SOL_SOCKET,
    epoll_ctl,
    kernel,
    setsockopt,
    store_32,
)


@kernel
def _change(tables: Any, epoll: Any, operation: Any, fd: Any, data: Any) -> Any:
    event = tables.events.ctypes.data
    store_32(event, EPOLLIN)
    # The data's high half is never read: socket indices are small, and the others are negative.
    store_32(event + tables.facts[t.EVENT_DATA], data)
    return epoll_ctl(tables.facts[epoll], operation, fd, event)


@kernel
def watch(tables: Any, operation: Any, fd: Any, data: Any) -> Any:
    """Add a descriptor to the epoll set, or take it out; returns epoll_ctl's answer."""
    return _change(tables, t.EPOLL_FD, operation, fd, data)


@kernel
def watch_stream(tables: Any, operation: Any, slot: Any) -> None:
    """Add the sockets of a stream, or take them out.

    epoll is level-triggered: what has waited in a socket comes with the next turn.
    """
    for socket in range(2 * slot, 2 * slot + 2):
        watch(tables, operation, tables.fds[socket], socket)
    socket = 2 * tables.streams.shape[0] + slot
    if tables.fds[socket] >= 0:
        watch(tables, operation, tables.fds[socket], socket)


@kernel
def watch_seldom(tables: Any, operation: Any, slot: Any) -> None:
    """Add those sockets of a voice that seldom have anything to the tick's set, or take them out."""
    for socket in range(2 * slot, 2 * slot + 2):
        _change(tables, t.SELDOM_FD, operation, tables.fds[socket], socket)


@kernel
def is_watched(stream: Any, flags: Any) -> Any:
    """Return whether the sockets of a stream belong into the epoll set.

    Args:
        stream: its row.
        flags: its `FLAGS`, present or future.
    """
    return flags & stream_row.WAIT == 0 and stream[stream_row.VOICE] == 0


@kernel
def stamp(tables: Any, fd: Any, wanted: Any) -> None:
    """Let the kernel stamp what comes to a socket, or not any longer."""
    value = tables.scratch.ctypes.data
    store_32(value, wanted)
    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, value, 4)


@kernel
def _stamp_all(tables: Any, slot: Any, wanted: Any) -> None:
    for socket in (2 * slot, 2 * slot + 1, 2 * tables.streams.shape[0] + slot):
        if tables.fds[socket] >= 0:
            stamp(tables, tables.fds[socket], wanted)


@kernel
def become_voice(tables: Any, slot: Any) -> None:
    """Leave a stream's sockets to the tick."""
    stream = tables.streams[slot]
    if is_watched(stream, stream[stream_row.FLAGS]):
        watch_stream(tables, EPOLL_CTL_DEL, slot)
    stream[stream_row.VOICE] = 1
    _stamp_all(tables, slot, 1)
    watch_seldom(tables, EPOLL_CTL_ADD, slot)


@kernel
def become_relayed(tables: Any, slot: Any) -> None:
    """Leave a voice's sockets to the loop again."""
    stream = tables.streams[slot]
    stream[stream_row.VOICE] = 0
    _stamp_all(tables, slot, 0)
    watch_seldom(tables, EPOLL_CTL_DEL, slot)
    if is_watched(stream, stream[stream_row.FLAGS]):
        watch_stream(tables, EPOLL_CTL_ADD, slot)
