"""RTCP of one voice: reports written and read (RFC 3550 §6, RFC 3611 §4.7).

What is read is trusted only as a whole: a datagram whose lengths, versions or first type are wrong
(RFC 3550 A.2) tells nothing. It need not begin with a report (RFC 5506): who sends less than what was
agreed is understood all the same. Times in RTCP are NTP's: 32 bits of seconds, 32 of their
parts; the middle 32 bits of those name a report.
"""

from typing import Any

import numpy as np

from pbx.media.engine.kernels import quality_row as q
from pbx.media.engine.kernels import rtp_out
from pbx.media.engine.kernels.quality import expected, lost, report_loss
from pbx.media.engine.kernels.rtp import big_endian_16, big_endian_32
from pbx.media.engine.kernels.rtp_out import store_16, store_32
from pbx.media.engine.native import kernel

WIDTH = 32

# --- words of a voice's row -----------------------------------------------------------------------
NEXT_NS = 0
"""When the next report is due; 0 with the first packet."""

DICE = 1
"""State of the random numbers that spread the reports of many voices over time."""

LAST_SR = 2
"""Middle 32 bits of the NTP time in the peer's last sender report; 0 none."""

LAST_SR_NS = 3
"""When that came."""

RTT_NS = 4
"""Round trip by the peer's last report on us; -1 unknown."""

PEER_LOSS = 5
"""Share of our packets that the peer has missed lately, in 1/256."""

PEER_LOST = 6
"""Packets of ours that the peer has missed in all."""

PEER_JITTER = 7
"""In timestamp units of what we send."""

PEER_NTP = 8
"""NTP time and RTP timestamp that belong together, of the peer's last sender report."""

PEER_RTP = 9
LEFT = 10
"""1: the peer has said BYE."""

READ = 11
MALFORMED = 12
SENT = 13
PEER_MOS_10 = 14
"""How our voice sounds to the peer, by its VoIP metrics, in tenths; 0 unknown."""

# --- what `read` answers ------------------------------------------------------------------------------
NONSENSE = 0
REPORT = 1
GOODBYE = 2

# --- packet types -----------------------------------------------------------------------------------
SR = 200
RR = 201
SDES = 202
BYE = 203
XR = 207

INTERVAL_NS = 5_000_000_000
BLOCK = 24
SENDER_INFO = 20
XR_VOIP = 7
XR_WORDS = 8
UNKNOWN = 127
"""In an XR block: not known."""

LONGEST_NAME = 255
MOST_RTT = 60 << 16
"""A round trip of more than a minute, in 1/65536 s, is a mistake."""


@kernel
def begin(row: Any, seed: Any) -> None:
    """Make a row ready; `seed` is any number that differs from voice to voice."""
    for word in range(WIDTH):
        row[word] = 0
    row[DICE] = seed & 0x7FFFFFFF
    row[RTT_NS] = -1
    row[PEER_LOSS] = -1


@kernel
def is_due(row: Any, now: Any) -> Any:
    """Return whether it is time for a report: each 2.5 to 7.5 s, the first one sooner."""
    if now < row[NEXT_NS]:
        return False
    row[DICE] = (row[DICE] * 1103515245 + 12345) & 0x7FFFFFFF
    spread = INTERVAL_NS * (row[DICE] >> 15) >> 16
    wait = INTERVAL_NS // 2 + spread
    first = row[NEXT_NS] == 0
    row[NEXT_NS] = now + (wait >> 1 if first else wait)
    return not first


@kernel
def _begin_packet(out: Any, at: Any, count: Any, kind: Any, octets: Any) -> None:
    out[at] = 0x80 | count
    out[at + 1] = kind
    store_16(out, at + 2, (octets >> 2) - 1)


@kernel
def _put_block(row: Any, stream: Any, out: Any, at: Any, now: Any) -> None:
    """Write a report block on what has been received of the present source (§6.4.1)."""
    # The wire has 24 bits with a sign.
    missing = min(lost(stream) - stream[q.LOST_OTHERS], 0x7FFFFF)
    store_32(out, at, stream[q.SSRC])
    store_32(out, at + 4, report_loss(stream) << 24 | missing)
    store_32(out, at + 8, stream[q.MAX])
    store_32(out, at + 12, stream[q.JITTER_16] >> 4)
    store_32(out, at + 16, row[LAST_SR])
    since = 0
    if row[LAST_SR] != 0:
        since = max(now - row[LAST_SR_NS], 0)
        since = (since // 1_000_000_000 << 16) + (since % 1_000_000_000 << 16) // 1_000_000_000
    store_32(out, at + 20, since)


@kernel
def _put_name(out: Any, at: Any, ssrc: Any, name: Any) -> Any:
    """Write an SDES packet with the canonical name (§6.5); returns its octets."""
    length = min(name.shape[0], LONGEST_NAME)
    # Item type, length, name, and one to four zeros up to a border of 32 bits.
    octets = 8 + ((2 + length + 4) & ~3)
    for index in range(at + 8, at + octets):
        out[index] = 0
    _begin_packet(out, at, 1, SDES, octets)
    store_32(out, at + 4, ssrc)
    out[at + 8] = 1
    out[at + 9] = length
    for index in range(length):
        out[at + 10 + index] = name[index]
    return octets


@kernel
def _put_voip(out: Any, at: Any, ssrc: Any, stream: Any, rtt_ns: Any, delay: Any) -> Any:
    """Write an XR packet with a VoIP metrics block (RFC 3611 §4.7); returns its octets."""
    octets = 8 + 4 + 4 * XR_WORDS
    _begin_packet(out, at, 0, XR, octets)
    store_32(out, at + 4, ssrc)
    out[at + 8] = XR_VOIP
    out[at + 9] = 0
    store_16(out, at + 10, XR_WORDS)
    block = at + 12
    sent = max(expected(stream), 1)
    store_32(out, block, stream[q.SSRC])
    own = max(sent - stream[q.EXPECTED_OTHERS], 1)
    out[block + 4] = min((lost(stream) - stream[q.LOST_OTHERS] << 8) // own, 255)
    out[block + 5] = min((stream[q.DISCARDED] << 8) // sent, 255)
    out[block + 6] = min(stream[q.BURST_DENSITY], 255)
    out[block + 7] = min(stream[q.GAP_DENSITY], 255)
    store_16(out, block + 8, min(stream[q.BURST_MS], 0xFFFF))
    store_16(out, block + 10, min(stream[q.GAP_MS], 0xFFFF))
    store_16(out, block + 12, min(max(rtt_ns, 0) // 1_000_000, 0xFFFF))
    store_16(out, block + 14, 0)
    for index in range(block + 16, block + 19):
        out[index] = UNKNOWN
    out[block + 19] = 16
    known = stream[q.R_10] >= 0
    out[block + 20] = min(stream[q.R_10] // 10, 100) if known else UNKNOWN
    out[block + 21] = UNKNOWN
    out[block + 22] = UNKNOWN
    out[block + 23] = min(stream[q.MOS_100] // 10, 50) if known else UNKNOWN
    # Enhanced concealment, adaptive buffer.
    out[block + 24] = 0xB0
    out[block + 25] = 0
    for index in range(3):
        store_16(out, block + 26 + 2 * index, min(delay[index], 0xFFFF))
    return octets


@kernel
def write(
    row: Any,
    sender: Any,
    stream: Any,
    out: Any,
    name: Any,
    ntp: Any,
    now: Any,
    delays_ms: Any,
    leaving: Any,
) -> Any:
    """Write a compound packet: SR or RR, SDES, XR where wanted, BYE where the voice ends.

    Args:
        row: the voice's RTCP row.
        sender: its `rtp_out` row; the report is an SR if anything has been sent.
        stream: the `quality_row` of what it receives, after `measure` if XR is wanted.
        out: room for the packet, 512 octets.
        name: the canonical name, octets of UTF-8.
        ntp: the time of day as NTP has it, seconds since 1900 << 32; an int64 holds its bits.
        now: the same moment, CLOCK_MONOTONIC in nanoseconds.
        delays_ms: three words: the jitter buffer's delay now, its largest target so far, its upper
            bound; or none for no XR block.
        leaving: 1 adds BYE.

    Returns:
        Octets written; 0 where there's no room.
    """
    if out.shape[0] < 512:
        return 0
    ssrc = sender[rtp_out.SSRC]
    heard = 1 if stream[q.STARTED] != 0 else 0
    sends = sender[rtp_out.SENT] != 0
    at = 8 + (SENDER_INFO if sends else 0)
    _begin_packet(out, 0, heard, SR if sends else RR, at + BLOCK * heard)
    store_32(out, 4, ssrc)
    if sends:
        store_32(out, 8, ntp >> 32)
        store_32(out, 12, ntp)
        store_32(out, 16, sender[rtp_out.TIMESTAMP])
        store_32(out, 20, sender[rtp_out.SENT])
        store_32(out, 24, sender[rtp_out.SENT_OCTETS])
    if heard != 0:
        _put_block(row, stream, out, at, now)
        at += BLOCK
    at += _put_name(out, at, ssrc, name)
    if delays_ms.shape[0] >= 3 and heard != 0:
        at += _put_voip(out, at, ssrc, stream, row[RTT_NS], delays_ms)
    if leaving != 0:
        _begin_packet(out, at, 1, BYE, 8)
        store_32(out, at + 4, ssrc)
        at += 8
    row[SENT] += 1
    return at


@kernel
def is_whole(packet: Any, length: Any) -> Any:
    """Return whether RTCP is what it says it is (RFC 3550 A.2, RFC 5506 §4.1).

    Every packet of it has the right version and ends where the next begins, the last one where the
    datagram does; the first is of a type that is known; only one behind it, the last, may be padded;
    what a report announces is in it.
    """
    if length < 8 or length & 3 != 0 or length > packet.shape[0]:
        return False
    if packet[1] < SR or packet[1] > XR:
        return False
    at = 0
    while at < length:
        if at + 4 > length:
            return False
        octets = 4 + 4 * big_endian_16(packet, at + 2)
        first = np.int64(packet[at])
        count = first & 0x1F
        kind = packet[at + 1]
        if first >> 6 != 2 or at + octets > length:
            return False
        used = octets
        if first & 0x20 != 0:
            padding = np.int64(packet[at + octets - 1])
            if at + octets != length or at == 0 or padding == 0 or padding > octets - 4:
                return False
            used -= padding
        needed: Any = 4
        if kind == SR:
            needed = 8 + SENDER_INFO + BLOCK * count
        elif kind == RR:
            needed = 8 + BLOCK * count
        elif kind == BYE:
            needed = 4 + 4 * count
        elif kind == XR:
            needed = 8
        if used < needed:
            return False
        at += octets
    return True


@kernel
def _read_block(row: Any, packet: Any, at: Any, ntp: Any) -> None:
    """Take in what the peer reports on us."""
    word = big_endian_32(packet, at + 4)
    row[PEER_LOSS] = word >> 24
    missing = word & 0xFFFFFF
    row[PEER_LOST] = missing - ((missing & 0x800000) << 1)
    row[PEER_JITTER] = big_endian_32(packet, at + 12)
    report = big_endian_32(packet, at + 16)
    since = big_endian_32(packet, at + 20)
    if report != 0:
        # All three are 1/65536 s, modulo 2^32.
        trip = ((ntp >> 16) - report - since) & 0xFFFFFFFF
        # A clock in the peer that runs a little faster makes a short trip seem negative.
        if trip > 0xFFFFFFFF - (1 << 13):
            trip = 0
        if trip <= MOST_RTT:
            row[RTT_NS] = trip * 1_000_000_000 >> 16


@kernel
def _read_sender(row: Any, packet: Any, at: Any, now: Any) -> None:
    """Take in when the peer says that it has sent what."""
    seconds = big_endian_32(packet, at + 8)
    parts = big_endian_32(packet, at + 12)
    row[PEER_NTP] = seconds << 32 | parts
    row[PEER_RTP] = big_endian_32(packet, at + 16)
    row[LAST_SR] = (seconds & 0xFFFF) << 16 | parts >> 16
    row[LAST_SR_NS] = now


@kernel
def _names(packet: Any, at: Any, count: Any, stream: Any) -> Any:
    """Return whether a BYE is for the source that is heard."""
    named = False
    for index in range(count):
        named = named or big_endian_32(packet, at + 4 + 4 * index) == stream[q.SSRC]
    return named and stream[q.STARTED] != 0


@kernel
def metrics_score(packet: Any, block: Any) -> Any:
    """Return the opinion score, in tenths, of the VoIP metrics at `block`; 0 unknown."""
    listening, conversing = np.int64(packet[block + 26]), np.int64(packet[block + 27])
    # §4.7.5: 10 to 50, or unknown.
    mos = conversing if 10 <= conversing <= 50 else listening
    return mos if 10 <= mos <= 50 else 0


@kernel
def _read_extended(row: Any, sender: Any, packet: Any, at: Any, end: Any) -> None:
    """Take in what an XR packet's VoIP metrics say of us; other blocks are skipped (RFC 3611 §3)."""
    block = at + 8
    while block + 4 <= end:
        words = big_endian_16(packet, block + 2)
        following = block + 4 + 4 * words
        ours = packet[block] == XR_VOIP and words == XR_WORDS and following <= end
        if ours and big_endian_32(packet, block + 4) == sender[rtp_out.SSRC]:
            mos = metrics_score(packet, block)
            if mos != 0:
                row[PEER_MOS_10] = mos
        block = following


@kernel
def read(row: Any, sender: Any, stream: Any, packet: Any, length: Any, ntp: Any, now: Any) -> Any:
    """Take in one RTCP datagram.

    Args:
        row, sender, stream: the voice's rows, as with `write`.
        packet, length: the datagram.
        ntp, now: when it came, see `write`.

    Returns:
        `NONSENSE`, or the bits `REPORT` and, where the peer leaves, `GOODBYE`.
    """
    if not is_whole(packet, length):
        row[MALFORMED] += 1
        return NONSENSE
    row[READ] += 1
    at = 0
    result = REPORT
    while at < length:
        kind = packet[at + 1]
        count = np.int64(packet[at]) & 0x1F
        block = at + 8
        if kind == SR:
            _read_sender(row, packet, at, now)
            block += SENDER_INFO
        if kind in (SR, RR):
            for index in range(count):
                if big_endian_32(packet, block + BLOCK * index) == sender[rtp_out.SSRC]:
                    _read_block(row, packet, block + BLOCK * index, ntp)
        elif kind == XR:
            _read_extended(row, sender, packet, at, at + 4 + 4 * big_endian_16(packet, at + 2))
        elif kind == BYE and _names(packet, at, count, stream):
            row[LEFT] = 1
            result |= GOODBYE
        at += 4 + 4 * big_endian_16(packet, at + 2)
    return result
