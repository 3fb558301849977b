"""What a packet is, and what sequence numbers and timestamps tell (RFC 3550, RFC 7983)."""

from typing import Any

import numpy as np

from pbx.media.engine import stream_row as row
from pbx.media.engine.native import kernel

OTHER = 0
RTP = 1
RTCP = 2
DTLS = 3
STUN = 4

RTP_HEADER = 12
RTCP_HEADER = 8
DTLS_HEADER = 13
STUN_HEADER = 20
STUN_COOKIE = 0x2112A442

MAX_DROPOUT = 3000
"""A gap this wide is a peer that started anew, not loss (RFC 3550 A.1)."""

MAX_MISORDER = 63
"""How late a packet may be; RFC 3550 A.1 says 100, here `SEQ_SEEN` has to remember it."""


@kernel
def big_endian_16(octets: Any, at: Any) -> Any:
    """Return the 16-bit number at `at` in network order."""
    return np.int64(octets[at]) << 8 | np.int64(octets[at + 1])


@kernel
def big_endian_32(octets: Any, at: Any) -> Any:
    """Return the 32-bit number at `at` in network order."""
    return big_endian_16(octets, at) << 16 | big_endian_16(octets, at + 2)


@kernel
def packet_kind(octets: Any, length: Any) -> Any:
    """Tell protocols on one port apart by the first octets (RFC 7983 §7, RFC 5761 §4).

    What is too short for the header that it announces is `OTHER`, and so is STUN without the
    magic cookie (RFC 8489 §5): only the rest can prove where a peer is.
    """
    kind = OTHER
    if length >= RTCP_HEADER:
        octet = np.int64(octets[0])
        if octet >> 6 == 2:
            if 192 <= octets[1] <= 223:
                kind = RTCP
            elif length >= RTP_HEADER:
                kind = RTP
        elif 20 <= octet <= 63:
            kind = DTLS if length >= DTLS_HEADER else OTHER
        elif octet <= 3 and length >= STUN_HEADER:
            kind = STUN if big_endian_32(octets, 4) == STUN_COOKIE else OTHER
    return kind


@kernel
def lost(stream: Any) -> Any:
    """Return the packets that never came, of all sequences so far (RFC 3550 A.3)."""
    here = 0
    if stream[row.SEQ_STARTED] != 0:
        here = stream[row.SEQ_MAX] - stream[row.SEQ_BASE] + 1 - stream[row.SEQ_RECEIVED]
    return stream[row.LOST_BEFORE] + max(here, 0)


@kernel
def _start_sequence(stream: Any, ssrc: Any, sequence: Any) -> None:
    stream[row.LOST_BEFORE] = lost(stream)
    stream[row.SEQ_STARTED] = 1
    stream[row.SSRC] = ssrc
    stream[row.SEQ_BASE] = sequence
    stream[row.SEQ_MAX] = sequence
    stream[row.SEQ_RECEIVED] = 1
    stream[row.SEQ_SEEN] = 1
    stream[row.SEQ_AFTER_JUMP] = -1
    stream[row.TRANSIT] = -1


@kernel
def _count_late(stream: Any, late: Any) -> None:
    bit = 1 << late
    if stream[row.SEQ_SEEN] & bit == 0:
        stream[row.SEQ_SEEN] |= bit
        stream[row.SEQ_RECEIVED] += 1
        stream[row.REORDERED] += 1
        # It may be older than the packet that the sequence seemed to begin with.
        stream[row.SEQ_BASE] = min(stream[row.SEQ_BASE], stream[row.SEQ_MAX] - late)


@kernel
def count_sequence(stream: Any, ssrc: Any, sequence: Any) -> None:
    """Enter one RTP packet into the stream's loss and order (RFC 3550 A.1).

    Another SSRC begins a new sequence at once; within one SSRC a jump does when the packet after
    it follows on. A packet that came before counts as neither lost nor reordered.
    """
    if stream[row.SEQ_STARTED] == 0 or stream[row.SSRC] != ssrc:
        _start_sequence(stream, ssrc, sequence)
        return
    ahead = (sequence - stream[row.SEQ_MAX]) & 0xFFFF
    late = 0x10000 - ahead
    if 0 < ahead < MAX_DROPOUT:
        seen = stream[row.SEQ_SEEN] << ahead if ahead <= MAX_MISORDER else 0
        stream[row.SEQ_SEEN] = seen | 1
        stream[row.SEQ_MAX] += ahead
        stream[row.SEQ_RECEIVED] += 1
        stream[row.SEQ_AFTER_JUMP] = -1
    elif ahead != 0 and late < MAX_MISORDER:
        _count_late(stream, late)
    elif ahead != 0 and sequence == stream[row.SEQ_AFTER_JUMP]:
        # The packet before this one belongs to the new sequence too.
        _start_sequence(stream, ssrc, sequence)
        stream[row.SEQ_BASE] -= 1
        stream[row.SEQ_RECEIVED] += 1
        stream[row.SEQ_SEEN] |= 2
    elif ahead != 0:
        stream[row.SEQ_AFTER_JUMP] = (sequence + 1) & 0xFFFF


@kernel
def count_jitter(stream: Any, timestamp: Any, arrival_ns: Any) -> None:
    """Enter one RTP packet into the stream's jitter (RFC 3550 §6.4.1, A.8).

    A packet with the timestamp of the one before says nothing: telephone-events (RFC 4733 §2.5.1)
    and the packets of one picture share theirs. And no packet is late by more than a second: there,
    the peer's timestamps made a jump.
    """
    before = stream[row.TRANSIT]
    if before >= 0 and timestamp == stream[row.TIMESTAMP]:
        return
    # Microseconds: the product of nanoseconds and a clock has more than 64 bits after two days
    arrival = arrival_ns // 1000 * stream[row.CLOCK] // 1_000_000
    transit = (arrival - timestamp) & 0xFFFFFFFF
    stream[row.TRANSIT] = transit
    stream[row.TIMESTAMP] = timestamp
    if before < 0:
        return
    change = (transit - before) & 0xFFFFFFFF
    distance = min(change, 0x100000000 - change)
    if distance <= stream[row.CLOCK]:
        jitter = stream[row.JITTER_16]
        stream[row.JITTER_16] = jitter + distance - ((jitter + 8) >> 4)
