"""A third socket for a stream: connected to the peer, as soon as its source is known.

Sending and receiving by it take two thirds of the time: the kernel looks for the way to the peer
once, and nobody's address has to be read, or told with each packet. The stream's own socket still
hears all others, and what they send is judged as ever (`source`).
"""

from typing import Any

from pbx.media.engine import stream_row as row
from pbx.media.engine import tables as t
from pbx.media.engine.kernels.watching import is_watched, stamp, watch
from pbx.media.engine.native import (
    EPOLL_CTL_ADD,
    SOL_SOCKET,
    bind,
    close,
    connect,
    getsockname,
    kernel,
    open_socket,
    row_of,
    setsockopt,
    store_32,
)
from pbx.media.engine.sockets import RECEIVE_BUFFER

_AF_INET = 2
_AF_INET6 = 10
_IPPROTO_IPV6 = 41
_IPV6_V6ONLY = 26
_KIND = 2 | 0x800 | 0x80000
"""SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC."""

_SO_REUSEADDR = 2
_SO_RCVBUF = 8

_IPV4_OCTETS = 16
_IPV6_OCTETS = 28
"""Of the socket addresses."""

_OPTION = 4
"""Word of `scratch`, behind a socket address."""

_PORT = 0xFFFF0000
_LOW_32 = 0xFFFFFFFF
"""Parts of a socket address' first word, and of the second one in an IPv4-mapped address."""


@kernel
def _set(tables: Any, fd: Any, level: Any, option: Any, value: Any) -> None:
    place = tables.scratch.ctypes.data + 8 * _OPTION
    store_32(place, value)
    setsockopt(fd, level, option, place, 4)


@kernel
def _own_port(tables: Any, slot: Any) -> Any:
    """Return the stream's port as it stands in the first word of a socket address; 0: unknown."""
    place = tables.scratch.ctypes.data + 8 * _OPTION
    store_32(place, tables.facts[t.NAME_LENGTH])
    if getsockname(tables.fds[2 * slot], tables.scratch.ctypes.data, place) != 0:
        return 0
    return tables.scratch[0] & _PORT


@kernel
def _put_own(tables: Any, stream: Any, port: Any) -> None:
    """Write the socket address that signalling has named to `scratch`."""
    own = tables.scratch
    named = stream[row.CONTROL_LENGTH] != 0
    own[1] = own[2] = own[3] = 0
    if stream[row.FLAGS] & row.IPV4 == 0:
        own[0] = _AF_INET6 | port
        if named:
            # in6_pktinfo: the address, the interface.
            own[1] = stream[row.CONTROL + 2]
            own[2] = stream[row.CONTROL + 3]
            own[3] = stream[row.CONTROL + 4] & _LOW_32
        return
    own[0] = _AF_INET | port
    if named:
        # The last octets of a mapped address, or in_pktinfo's second word.
        last = row.CONTROL + (3 if tables.facts[t.DUAL_STACK] != 0 else 2)
        own[0] |= stream[last] & ~_LOW_32


@kernel
def _put_peer(tables: Any, stream: Any) -> None:
    """Write the socket address of a stream's source to `scratch`."""
    peer = tables.scratch
    for word in range(4):
        peer[word] = stream[row.SOURCE_RTP + word]
    if stream[row.FLAGS] & row.IPV4 != 0 and tables.facts[t.DUAL_STACK] != 0:
        peer[0] = _AF_INET | peer[0] & _PORT | peer[2] & ~_LOW_32
        peer[1] = 0


@kernel
def _bound(tables: Any, slot: Any, fd: Any) -> Any:
    """Bind a new socket beside the stream's own one; returns whether that could be."""
    stream = row_of(tables.streams, slot)
    shared = tables.fds[2 * slot]
    port = _own_port(tables, slot)
    if port == 0:
        return False
    # Nobody else may have the port: it is open to others for this moment only.
    _set(tables, fd, SOL_SOCKET, _SO_REUSEADDR, 1)
    _set(tables, shared, SOL_SOCKET, _SO_REUSEADDR, 1)
    _put_own(tables, stream, port)
    octets = _IPV4_OCTETS if stream[row.FLAGS] & row.IPV4 != 0 else _IPV6_OCTETS
    failed = bind(fd, tables.scratch.ctypes.data, octets)
    _set(tables, fd, SOL_SOCKET, _SO_REUSEADDR, 0)
    _set(tables, shared, SOL_SOCKET, _SO_REUSEADDR, 0)
    return failed == 0


@kernel
def join_peer(tables: Any, slot: Any) -> Any:
    """Give a stream whose source has just become known a socket for it alone.

    What the peer has sent before is still in the stream's own socket, and comes first.

    Returns:
        Whether there is one now.
    """
    stream = row_of(tables.streams, slot)
    if stream[row.LATCHED_RTP] != row.LATCHED:
        return False
    stream[row.LATCHED_RTP] = row.ALONE
    ipv4 = stream[row.FLAGS] & row.IPV4 != 0
    fd = open_socket(_AF_INET if ipv4 else _AF_INET6, _KIND, 0)
    if fd < 0:
        return False
    if not ipv4:
        _set(tables, fd, _IPPROTO_IPV6, _IPV6_V6ONLY, 1)
    _set(tables, fd, SOL_SOCKET, _SO_RCVBUF, RECEIVE_BUFFER)
    done = _bound(tables, slot, fd)
    if done:
        _put_peer(tables, stream)
        octets = _IPV4_OCTETS if ipv4 else _IPV6_OCTETS
        done = connect(fd, tables.scratch.ctypes.data, octets) == 0
    if not done:
        close(fd)
        return False
    socket = 2 * tables.streams.shape[0] + slot
    tables.fds[socket] = fd
    stream[row.LATCHED_RTP] = row.JOINING
    if stream[row.VOICE] != 0:
        stamp(tables, fd, 1)
    elif is_watched(stream, stream[row.FLAGS]):
        watch(tables, EPOLL_CTL_ADD, fd, socket)
    return True


@kernel
def comes_from_peer(tables: Any, slot: Any, index: Any) -> Any:
    """Return whether packet `index` of the batch, from the source's own socket, is the source's."""
    stream = row_of(tables.streams, slot)
    if stream[row.LATCHED_RTP] == row.JOINED:
        return True
    _put_peer(tables, stream)
    name, peer = row_of(tables.names, index), tables.scratch
    if stream[row.FLAGS] & row.IPV4 != 0:
        return name[0] == peer[0]
    return ((name[0] ^ peer[0]) & _PORT | name[1] ^ peer[1] | name[2] ^ peer[2]) == 0


@kernel
def note_emptied(tables: Any, slot: Any, socket: Any) -> None:
    """Take note that a stream's socket has been empty: what comes now has come in connected."""
    stream = row_of(tables.streams, slot)
    if socket >= 2 * tables.streams.shape[0] and stream[row.LATCHED_RTP] == row.JOINING:
        stream[row.LATCHED_RTP] = row.JOINED


@kernel
def leave_peer(tables: Any, slot: Any) -> None:
    """Close the socket that was the source's alone; the stream's own one hears it again."""
    stream = row_of(tables.streams, slot)
    if stream[row.LATCHED_RTP] >= row.JOINING:
        socket = 2 * tables.streams.shape[0] + slot
        # epoll forgets it by itself.
        close(tables.fds[socket])
        tables.fds[socket] = -1
    if stream[row.LATCHED_RTP] != 0:
        stream[row.LATCHED_RTP] = row.LATCHED
