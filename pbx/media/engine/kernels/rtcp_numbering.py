"""RTCP between two parties that hear each other by numbers of ours (RFC 3550 §7.2, `numbering`).

Who is heard stands in it as the other party knows it: a source's own reports by the SSRC and time
that it is passed on with, reports on it by its own SSRC and sequence numbers. A source's farewell is
withheld, as the stream goes on with the next one: that a call is over is told by signalling. What doesn't speak of
the present source stays as it came, and so does what is no RTCP.
"""

from typing import Any

import numpy as np

from pbx.media.engine import stream_row as row
from pbx.media.engine.kernels.numbering import source_key
from pbx.media.engine.kernels.rtcp import BLOCK, BYE, RR, SENDER_INFO, SR, XR, XR_VOIP
from pbx.media.engine.kernels.rtp import RTP_HEADER, big_endian_16, big_endian_32
from pbx.media.engine.kernels.rtp_out import store_16, store_32
from pbx.media.engine.native import kernel

RTPFB = 205
PSFB = 206
"""Feedback (RFC 4585 §6.1)."""

_NACK = 1

_LOSS_RLE = 1
_RECEIPT_TIMES = 3
_SUMMARY = 6
"""Blocks of RFC 3611 that name a source and a range of its sequence numbers: 1 to 3, and 6."""

_LOW_16 = 0xFFFF
_LOW_32 = 0xFFFFFFFF


@kernel
def _name_sender(hearer: Any, slot: Any, packet: Any, at: Any) -> Any:
    """Write the SSRC that the hearer knows a source by; returns whether it is the present one.

    Args:
        hearer: row of the peer that the packet goes to.
        slot: the row that the packet has come to.
        packet: its octets.
        at: where the SSRC stands.
    """
    present = source_key(slot, big_endian_32(packet, at)) == hearer[row.FROM]
    if present:
        store_32(packet, at, hearer[row.OUT_SSRC])
    return present


@kernel
def _name_heard(reporter: Any, sink: Any, packet: Any, at: Any) -> Any:
    """Write the own SSRC of the source that is reported on; returns whether it is the one who reads.

    Args:
        reporter: row of the peer that has sent the packet: what it hears.
        sink: the row of the peer that it goes to.
        packet: its octets.
        at: where the SSRC stands.
    """
    ours = reporter[row.OUT_NS] != 0 and big_endian_32(packet, at) == reporter[row.OUT_SSRC]
    if not ours or reporter[row.FROM] >> 32 != sink + 1:
        return False
    store_32(packet, at, reporter[row.FROM] & _LOW_32)
    return True


@kernel
def _shift_sender(hearer: Any, packet: Any, at: Any) -> None:
    """Let a sender report (§6.4.1) tell of the time and the packets that the hearer knows."""
    seconds = big_endian_32(packet, at + 8)
    parts = big_endian_32(packet, at + 12)
    hearer[row.REPORT_NAMED] = (seconds & _LOW_16) << 16 | parts >> 16
    if hearer[row.RENUMBERED] == 0:
        return
    store_32(packet, at + 16, big_endian_32(packet, at + 16) + hearer[row.TIMESTAMP_SHIFT])
    # The source's own count knows nothing of those before it
    store_32(packet, at + 20, hearer[row.SENT])
    store_32(packet, at + 24, hearer[row.SENT_OCTETS] - RTP_HEADER * hearer[row.SENT])


@kernel
def _shift_block(reporter: Any, sink: Any, packet: Any, at: Any) -> None:
    """Let a report block (§6.4.1) tell of the source's own numbers, and of its own losses alone."""
    if reporter[row.OUT_NS] == 0 or big_endian_32(packet, at) != reporter[row.OUT_SSRC]:
        return
    word = big_endian_32(packet, at + 4)
    missing = (word & 0xFFFFFF) - ((word & 0x800000) << 1)
    reporter[row.LOST_TOLD] = missing
    if reporter[row.RENUMBERED] == 0 or not _name_heard(reporter, sink, packet, at):
        return
    missing -= reporter[row.LOST_EARLIER]
    store_32(packet, at + 4, word & 0xFF000000 | missing & 0xFFFFFF)
    # It may have counted the turns from another beginning than we have
    behind = (reporter[row.OUT_SEQUENCE] - big_endian_32(packet, at + 8)) & _LOW_16
    highest = reporter[row.OUT_SEQUENCE] - behind - reporter[row.SEQUENCE_SHIFT]
    store_32(packet, at + 8, max(highest, 0))
    if big_endian_32(packet, at + 16) != reporter[row.REPORT_NAMED]:
        # The report that it names was another source's: no round trip of this one's
        store_32(packet, at + 16, 0)
        store_32(packet, at + 20, 0)


@kernel
def _shift_extended(reporter: Any, sink: Any, packet: Any, at: Any, end: Any) -> None:
    """Let the blocks of an XR packet (RFC 3611) name the source by its own numbers."""
    block = at + 8
    while block + 8 <= end:
        kind = packet[block]
        following = block + 4 + 4 * big_endian_16(packet, block + 2)
        ranged = _LOSS_RLE <= kind <= _RECEIPT_TIMES or kind == _SUMMARY
        fits = following <= end and following >= block + (12 if ranged else 8)
        named = fits and (ranged or kind == XR_VOIP)
        if named and _name_heard(reporter, sink, packet, block + 4) and ranged:
            shift = reporter[row.SEQUENCE_SHIFT]
            store_16(packet, block + 8, big_endian_16(packet, block + 8) - shift)
            store_16(packet, block + 10, big_endian_16(packet, block + 10) - shift)
        block = following


@kernel
def _shift_feedback(reporter: Any, sink: Any, packet: Any, at: Any, end: Any) -> None:
    """Let feedback name the source, and the packets that are missed, by its own numbers."""
    if at + 12 > end or not _name_heard(reporter, sink, packet, at + 8):
        return
    if packet[at + 1] == RTPFB and packet[at] & 0x1F == _NACK:
        for place in range(at + 12, end - 3, 4):
            shift = reporter[row.SEQUENCE_SHIFT]
            store_16(packet, place, big_endian_16(packet, place) - shift)


@kernel
def _says_farewell(hearer: Any, slot: Any, packet: Any, at: Any, end: Any) -> Any:
    """Return whether a BYE names whom the hearer hears, by its own SSRC or by the one it is passed on with."""
    named = False
    count = np.int64(packet[at]) & 0x1F
    for place in range(at + 4, min(at + 4 + 4 * count, end - 3), 4):
        ssrc = big_endian_32(packet, place)
        present = source_key(slot, ssrc) == hearer[row.FROM]
        named = named or present or ssrc == hearer[row.OUT_SSRC]
    return named and hearer[row.OUT_NS] != 0


@kernel
def _cut_out(packet: Any, at: Any, end: Any, length: Any) -> None:
    for octet in range(length - end):
        packet[at + octet] = packet[end + octet]


@kernel
def translate(hearer: Any, sink: Any, reporter: Any, slot: Any, packet: Any, length: Any) -> Any:
    """Translate one RTCP datagram in place, as far as it is one; returns its octets then.

    Args:
        hearer, sink: row of the peer that it goes to, and its number.
        reporter, slot: row of the peer that has sent it, and its number.
        packet, length: octets.
    """
    at = 0
    while at + 8 <= length:
        kind = packet[at + 1]
        count = np.int64(packet[at]) & 0x1F
        end = at + 4 + 4 * big_endian_16(packet, at + 2)
        if packet[at] >> 6 != 2 or end < at + 8 or end > length:
            break
        if kind == BYE and _says_farewell(hearer, slot, packet, at, end):
            _cut_out(packet, at, end, length)
            length -= end - at
            continue
        blocks = at + 8
        # SDES too: its first chunk begins with the SSRC (§6.5)
        if SR <= kind <= PSFB or kind == XR:
            present = _name_sender(hearer, slot, packet, at + 4)
            if kind == SR:
                blocks += SENDER_INFO
                if present and blocks <= end:
                    _shift_sender(hearer, packet, at)
        if kind in (SR, RR):
            for place in range(blocks, min(blocks + BLOCK * count, end - BLOCK + 1), BLOCK):
                _shift_block(reporter, sink, packet, place)
        elif kind == XR:
            _shift_extended(reporter, sink, packet, at, end)
        elif kind in (RTPFB, PSFB):
            _shift_feedback(reporter, sink, packet, at, end)
        at = end
    return length
