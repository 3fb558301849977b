"""Protecting and unprotecting packets in place (RFC 3711, RFC 7714), by libsrtp.

A row of `WIDTH` int64 holds one peer's two sessions, which `pbx.media.engine.srtp` opens. libsrtp
keeps the sequence numbers and refuses what is forged or replayed.
"""

from typing import Any

from pbx.media.engine import libraries
from pbx.media.engine.native import call_function, kernel

OUTBOUND = 0
"""Address of the session that protects what is sent; 0: sending is refused."""
INBOUND = 1
"""Address of the session that unprotects what is received; 0: receiving is refused."""
LENGTH = 2
"""Room for the length that libsrtp reads and writes."""
FORGED = 3
"""Packets that were refused: another key, or changed on their way, or none of SRTP at all."""
REPLAYED = 4
"""Packets that were refused since they, or much later ones, had come before."""
WIDTH = 8

TRAILER = 16 + 4
"""Octets by which a packet may grow: the longest tag, and in SRTCP the index."""

_RTP_HEADER = 12
_RTCP_HEADER = 8
_REPLAY_FAIL = 9
_REPLAY_OLD = 10


@kernel
def _call(function: Any, session: Any, sessions: Any, packet: Any, length: Any) -> Any:
    """Let libsrtp change a packet; returns its status."""
    # An `int`, in the low half of the word on both machines.
    sessions[LENGTH] = length
    room = sessions.ctypes.data + 8 * LENGTH
    return call_function(function, (session, packet.ctypes.data, room))


@kernel
def protect(functions: Any, sessions: Any, packet: Any, length: Any, as_rtcp: Any) -> Any:
    """Protect a packet in place; returns its new length, 0 where it must not be sent.

    Args:
        functions: `libraries.Libraries.functions`.
        sessions: `WIDTH` int64.
        packet: uint8, 4-octet aligned, with room for `TRAILER` octets more.
        length: octets.
        as_rtcp: whether it is RTCP.
    """
    session = sessions[OUTBOUND]
    header = _RTCP_HEADER if as_rtcp else _RTP_HEADER
    if session == 0 or length < header or length + TRAILER > packet.shape[0]:
        return 0
    column = libraries.SRTCP_PROTECT if as_rtcp else libraries.SRTP_PROTECT
    status = _call(functions[column], session, sessions, packet, length)
    return sessions[LENGTH] & 0xFFFF if status == 0 else 0


@kernel
def unprotect(functions: Any, sessions: Any, packet: Any, length: Any, as_rtcp: Any) -> Any:
    """Check and decrypt a packet in place; returns its new length, 0 where it is refused.

    The octets of a refused packet may have changed.

    Args:
        functions, sessions, as_rtcp: see `protect`.
        packet: uint8, 4-octet aligned.
        length: octets.
    """
    session = sessions[INBOUND]
    header = _RTCP_HEADER if as_rtcp else _RTP_HEADER
    if session == 0 or length < header or length > packet.shape[0]:
        sessions[FORGED] += 1
        return 0
    column = libraries.SRTCP_UNPROTECT if as_rtcp else libraries.SRTP_UNPROTECT
    status = _call(functions[column], session, sessions, packet, length)
    if status == 0:
        return sessions[LENGTH] & 0xFFFF
    if status in (_REPLAY_FAIL, _REPLAY_OLD):
        sessions[REPLAYED] += 1
    else:
        sessions[FORGED] += 1
    return 0
