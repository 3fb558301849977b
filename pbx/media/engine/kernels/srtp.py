"""Protecting and unprotecting packets in place (RFC 3711, RFC 7714), by libsrtp.

A row of `tables.SESSIONS` int64 holds one peer's two sessions, which `pbx.media.engine.srtp` opens.
libsrtp keeps the sequence numbers and refuses what is forged or replayed.
"""

from typing import Any

from pbx.media.engine import libraries
from pbx.media.engine.kernels.rtp import RTCP_HEADER, RTP_HEADER, big_endian_32
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
SOURCES = 5
"""How many SSRCs each of the two sessions knows; two words."""
LATEST = 7
"""The SSRC that each has seen last, with a bit above it; two words."""

TRAILER = 16 + 4
"""Octets by which a packet may grow: the longest tag, and in SRTCP the index."""

MOST_SOURCES = 256
"""SSRCs of one session: libsrtp keeps some memory for each, for as long as its key is used."""

_REPLAY_FAIL = 9
_REPLAY_OLD = 10
_NAMED = 1 << 32


@kernel
def replace(sessions: Any, direction: Any, session: Any) -> Any:
    """Use another session in one direction (`OUTBOUND`, `INBOUND`); returns the one before, 0 none.

    The same one goes on as it was.
    """
    before = sessions[direction]
    if before == session:
        return 0
    sessions[direction] = session
    sessions[SOURCES + direction] = 0
    sessions[LATEST + direction] = 0
    return before


@kernel
def _call(
    functions: Any, column: Any, sessions: Any, direction: Any, packet: Any, length: Any, ssrc: Any
) -> Any:
    """Let libsrtp change a packet, and read its new length into `LENGTH`; returns its status, or -1."""
    session = sessions[direction]
    room = sessions.ctypes.data + 8 * LENGTH
    named = ssrc | _NAMED
    known = sessions[LATEST + direction] == named
    if not known:
        turns = functions[libraries.SRTP_TURNS]
        known = call_function(turns, (session, ssrc, room)) == 0
    if not known and sessions[SOURCES + direction] >= MOST_SOURCES:
        return -1
    # An `int`, in the low half of the word on both machines.
    sessions[LENGTH] = length
    status = call_function(functions[column], (session, packet.ctypes.data, room))
    if status == 0:
        sessions[LATEST + direction] = named
        sessions[SOURCES + direction] += 0 if known else 1
    return status


@kernel
def protect(functions: Any, sessions: Any, packet: Any, length: Any, as_rtcp: Any) -> Any:
    """Protect a packet in place; returns its new length, 0 where it must not be sent.

    Args:
        functions: `libraries.Libraries.functions`.
        sessions: `tables.SESSIONS` int64.
        packet: uint8, 4-octet aligned, with room for `TRAILER` octets more.
        length: octets.
        as_rtcp: whether it is RTCP.
    """
    header = RTCP_HEADER if as_rtcp else RTP_HEADER
    if sessions[OUTBOUND] == 0 or length < header or length + TRAILER > packet.shape[0]:
        return 0
    # STUN, or what else shares the ports: it would go out as something that it isn't.
    if packet[0] >> 6 != 2:
        return 0
    column = libraries.SRTCP_PROTECT if as_rtcp else libraries.SRTP_PROTECT
    ssrc = big_endian_32(packet, 4 if as_rtcp else 8)
    status = _call(functions, column, sessions, OUTBOUND, packet, length, ssrc)
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
    header = RTCP_HEADER if as_rtcp else RTP_HEADER
    if sessions[INBOUND] == 0 or length < header or length > packet.shape[0]:
        sessions[FORGED] += 1
        return 0
    column = libraries.SRTCP_UNPROTECT if as_rtcp else libraries.SRTP_UNPROTECT
    ssrc = big_endian_32(packet, 4 if as_rtcp else 8)
    status = _call(functions, column, sessions, INBOUND, packet, length, ssrc)
    if status == 0:
        return sessions[LENGTH] & 0xFFFF
    if status in (_REPLAY_FAIL, _REPLAY_OLD):
        sessions[REPLAYED] += 1
    else:
        sessions[FORGED] += 1
    return 0
