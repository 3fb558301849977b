"""A stream's RTP socket, connected to its peer: sending costs a third less then.

The kernel looks for the way to the peer once, not for each packet, and drops what others send. So
only a peer that sends from where SDP says is joined: nobody else may be heard then (`source`).
"""

from typing import Any

from pbx.media.engine import stream_row as row
from pbx.media.engine import tables as t
from pbx.media.engine.kernels.source import same
from pbx.media.engine.native import connect, getsockname, kernel, rest, row_of, store_32

_LENGTH = 4
"""The word of `scratch` behind a socket address."""


@kernel
def _leaves_from(tables: Any, slot: Any) -> Any:
    """Return whether a connected socket sends from the address that signalling has named."""
    stream = row_of(tables.streams, slot)
    if stream[row.CONTROL_LENGTH] == 0:
        return True
    own = tables.scratch
    length = own.ctypes.data + 8 * _LENGTH
    store_32(length, tables.facts[t.NAME_LENGTH])
    if getsockname(tables.fds[2 * slot], own.ctypes.data, length) != 0:
        return False
    if tables.facts[t.DUAL_STACK] == 0:
        # Octets 4 to 8 of sockaddr_in, and of in_pktinfo, which has a header of 16 before it.
        return own[0] >> 32 == stream[row.CONTROL + 2] >> 32
    # Octets 8 to 24 of sockaddr_in6, and the first 16 of in6_pktinfo.
    return own[1] == stream[row.CONTROL + 2] and own[2] == stream[row.CONTROL + 3]


@kernel
def leave_peer(tables: Any, slot: Any) -> None:
    """Let a stream's socket hear everybody again."""
    stream = row_of(tables.streams, slot)
    if stream[row.LATCHED_RTP] == row.JOINED:
        # connect(2): the family AF_UNSPEC dissolves the association.
        tables.scratch[0] = 0
        connect(tables.fds[2 * slot], tables.scratch.ctypes.data, tables.facts[t.NAME_LENGTH])
        stream[row.LATCHED_RTP] = 1


@kernel
def join_peer(tables: Any, slot: Any) -> None:
    """Connect a stream's socket to its source, where that is the address that SDP has named."""
    stream = row_of(tables.streams, slot)
    if stream[row.LATCHED_RTP] != 1 or stream[row.FLAGS] & row.HAS_RTP == 0:
        return
    source = rest(stream, row.SOURCE_RTP)
    if not same(stream, row.REMOTE_RTP, source, tables.facts[t.SOURCE_MASK]):
        return
    length = tables.facts[t.NAME_LENGTH]
    if connect(tables.fds[2 * slot], source.ctypes.data, length) == 0:
        stream[row.LATCHED_RTP] = row.JOINED
        if not _leaves_from(tables, slot):
            leave_peer(tables, slot)


@kernel
def has_moved(stream: Any, settings: Any) -> Any:
    """Return whether other settings name another peer, or another address of ours.

    Args:
        stream: its row.
        settings: the words of a row from 1 on.
    """
    changed = (stream[row.FLAGS] ^ settings[row.FLAGS - 1]) & row.HAS_RTP
    for word in range(row.REMOTE_RTP, row.REMOTE_RTCP):
        changed |= stream[word] ^ settings[word - 1]
    for word in range(row.CONTROL, row.SETTINGS_END):
        changed |= stream[word] ^ settings[word - 1]
    return changed != 0
