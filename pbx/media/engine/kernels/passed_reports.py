"""What RTCP tells that two parties send each other through us (RFC 3550 §6.4, RFC 3611 §4.7).

It is read on its way, before its numbers are translated (`rtcp_numbering`). A round trip is the one
between a party and here: from the moment that the sender report which it names was passed on to it.
As with voices, only a datagram that is whole tells anything.
"""

from typing import Any

import numpy as np

from pbx.media.engine import statistics_row as s
from pbx.media.engine import stream_row as row
from pbx.media.engine.kernels.numbering import source_key
from pbx.media.engine.kernels.rtcp import (
    BLOCK,
    MOST_RTT,
    RR,
    SENDER_INFO,
    SR,
    XR,
    XR_VOIP,
    XR_WORDS,
    is_whole,
    metrics_score,
)
from pbx.media.engine.kernels.rtp import big_endian_16, big_endian_32
from pbx.media.engine.native import kernel

_NS = 1_000_000_000


@kernel
def _note_sender(statistics: Any, packet: Any, at: Any, now: Any) -> None:
    """Take note of the sender report that a party is passed now."""
    seconds, parts = big_endian_32(packet, at + 8), big_endian_32(packet, at + 12)
    statistics[s.REPORT_NAMED] = (seconds & 0xFFFF) << 16 | parts >> 16
    statistics[s.REPORT_NS] = now


@kernel
def _note_block(statistics: Any, packet: Any, at: Any, now: Any) -> None:
    """Take in a report block on what its sender has been passed."""
    statistics[s.PEER_LOSS] = big_endian_32(packet, at + 4) >> 24
    named = big_endian_32(packet, at + 16)
    if named == 0 or named != statistics[s.REPORT_NAMED]:
        return
    # In 1/65536 s
    kept = big_endian_32(packet, at + 20)
    trip = now - statistics[s.REPORT_NS] - (kept * _NS >> 16)
    # A clock in the peer that runs a little faster makes a short trip seem negative
    if -_NS // 8 < trip <= (MOST_RTT >> 16) * _NS:
        statistics[s.ROUND_TRIP_NS] = max(trip, 0)


@kernel
def _note_extended(reporter: Any, statistics: Any, packet: Any, at: Any, end: Any) -> None:
    """Take in what an XR packet's VoIP metrics say of what its sender has been passed."""
    block = at + 8
    while block + 4 <= end:
        words = big_endian_16(packet, block + 2)
        following = block + 4 + 4 * words
        metrics = packet[block] == XR_VOIP and words == XR_WORDS and following <= end
        if metrics and big_endian_32(packet, block + 4) == reporter[row.OUT_SSRC]:
            mos = metrics_score(packet, block)
            if mos != 0:
                statistics[s.PEER_MOS_10] = mos
        block = following


@kernel
def read_passed(
    hearer: Any,
    of_hearer: Any,
    reporter: Any,
    of_reporter: Any,
    slot: Any,
    packet: Any,
    length: Any,
    now: Any,
) -> None:
    """Take in one RTCP datagram that is about to be passed on, as it came.

    Args:
        hearer, of_hearer: row, and row of statistics, of the peer that it goes to.
        reporter, of_reporter: of the peer that has sent it.
        slot: the number of that row.
        packet, length: octets.
        now: when it came, CLOCK_MONOTONIC in nanoseconds.
    """
    if not is_whole(packet, length):
        return
    heard = reporter[row.OUT_NS] != 0
    at = 0
    while at < length:
        kind = packet[at + 1]
        count = np.int64(packet[at]) & 0x1F
        end = at + 4 + 4 * big_endian_16(packet, at + 2)
        block = at + 8
        if kind == SR:
            if source_key(slot, big_endian_32(packet, at + 4)) == hearer[row.FROM]:
                _note_sender(of_hearer, packet, at, now)
            block += SENDER_INFO
        if kind in (SR, RR):
            for place in range(block, block + BLOCK * count, BLOCK):
                if heard and big_endian_32(packet, place) == reporter[row.OUT_SSRC]:
                    _note_block(of_reporter, packet, place, now)
        elif kind == XR and heard:
            _note_extended(reporter, of_reporter, packet, at, end)
        at = end
