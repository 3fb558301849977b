"""Whose packet it is: the source check and the latch (symmetric RTP, RFC 4961).

The SDP address is always right; another source may stand in for it as long as nobody has been
latched. A latched stranger gives way to the SDP address once it sends, and to nobody else.
"""

from typing import Any

from pbx.media.engine import stream_row as row
from pbx.media.engine import tables as t
from pbx.media.engine.kernels.rtp import DTLS, OTHER, RTCP, STUN
from pbx.media.engine.native import kernel

IPV4_MAPPED = -65536
"""The low half of a v4-mapped address' second word, as int32: 0000ffff in network order."""


@kernel
def same(stream: Any, column: Any, name: Any, mask: Any) -> Any:
    """Return whether the address at `column` and `name` agree in host, or in host and port.

    Args:
        stream: a row of the stream table.
        column: the first of the address' words.
        name: the source of a packet, four words.
        mask: the bits of the first word that count.
    """
    first = (stream[column] ^ name[0]) & mask
    return (first | (stream[column + 1] ^ name[1]) | (stream[column + 2] ^ name[2])) == 0


@kernel
def _right_family(facts: Any, flags: Any, name: Any) -> Any:
    if facts[t.DUAL_STACK] == 0:
        return True
    mapped = name[1] == 0 and name[2] & 0xFFFFFFFF == IPV4_MAPPED & 0xFFFFFFFF
    return mapped == (flags & row.IPV4 != 0)


@kernel
def _lock(stream: Any, latched: Any, source: Any, name: Any) -> None:
    stream[latched] = 1
    for word in range(4):
        stream[source + word] = name[word]


@kernel
def judge_rtp(facts: Any, stream: Any, name: Any, kind: Any) -> Any:
    """Return 0 to refuse a packet on the RTP port, 1 to take it, 2 where it latches the source too."""
    mask = facts[t.SOURCE_MASK]
    flags = stream[row.FLAGS]
    if stream[row.LATCHED_RTP] != 0 and same(stream, row.SOURCE_RTP, name, mask):
        return 1
    proof = kind != OTHER or flags & row.DATAGRAMS != 0
    described = flags & row.HAS_RTP != 0 and same(stream, row.REMOTE_RTP, name, mask)
    stranger = (
        flags & row.LATCH != 0
        and stream[row.LATCHED_RTP] == 0
        and proof
        and _right_family(facts, flags, name)
    )
    if not described and not stranger:
        return 0
    return 2 if proof else 1


@kernel
def latch_rtp(facts: Any, stream: Any, name: Any) -> None:
    """Lock the source of RTP."""
    _lock(stream, row.LATCHED_RTP, row.SOURCE_RTP, name)
    # RTCP from another host than RTP was somebody else's.
    if stream[row.LATCHED_RTCP] != 0 and not same(
        stream, row.SOURCE_RTCP, name, facts[t.HOST_MASK]
    ):
        stream[row.LATCHED_RTCP] = 0


@kernel
def judge_rtcp(facts: Any, stream: Any, name: Any, kind: Any) -> Any:
    """Return the same for a packet on the RTCP port.

    A source that isn't the SDP address must be on the host that RTP comes from.
    """
    mask = facts[t.SOURCE_MASK]
    flags = stream[row.FLAGS]
    if stream[row.LATCHED_RTCP] != 0 and same(stream, row.SOURCE_RTCP, name, mask):
        return 1
    rtp_latched = stream[row.LATCHED_RTP] != 0
    rtp = row.SOURCE_RTP if rtp_latched else row.REMOTE_RTP
    neighbour = rtp_latched or flags & row.HAS_RTP != 0
    proof = kind in (RTCP, DTLS, STUN)
    described = flags & row.HAS_RTCP != 0 and same(stream, row.REMOTE_RTCP, name, mask)
    stranger = (
        flags & row.LATCH != 0
        and stream[row.LATCHED_RTCP] == 0
        and proof
        and neighbour
        and same(stream, rtp, name, facts[t.HOST_MASK])
    )
    if not described and not stranger:
        return 0
    return 2 if proof else 1


@kernel
def latch_rtcp(stream: Any, name: Any) -> None:
    """Lock the source of RTCP."""
    _lock(stream, row.LATCHED_RTCP, row.SOURCE_RTCP, name)
