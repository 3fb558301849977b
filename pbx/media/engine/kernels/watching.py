"""What the packet thread waits for: its epoll set."""

from typing import Any

from pbx.media.engine import tables as t
from pbx.media.engine.native import EPOLLIN, epoll_ctl, kernel, store_32


@kernel
def watch(tables: Any, operation: Any, fd: Any, data: Any) -> Any:
    """Add a descriptor to the epoll set, or take it out; returns epoll_ctl's answer."""
    event = tables.events.ctypes.data
    store_32(event, EPOLLIN)
    # The data's high half is never read: socket indices are small, and the others are negative.
    store_32(event + tables.facts[t.EVENT_DATA], data)
    return epoll_ctl(tables.facts[t.EPOLL_FD], operation, fd, event)


@kernel
def watch_stream(tables: Any, operation: Any, slot: Any) -> None:
    """Add both sockets of a stream, or take them out.

    epoll is level-triggered: what has waited in a socket comes with the next turn.
    """
    for socket in range(2 * slot, 2 * slot + 2):
        watch(tables, operation, tables.fds[socket], socket)
