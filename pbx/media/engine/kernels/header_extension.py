"""Header extensions of RTP packets (RFC 8285 §4), and the levels in them (RFC 6464, RFC 6465)."""

from typing import Any

import numpy as np

from pbx.media.engine.kernels.rtp import RTP_HEADER, big_endian_16
from pbx.media.engine.kernels.rtp_out import store_16, store_32
from pbx.media.engine.native import kernel

VOICE = 0x80
"""Of an octet that tells of a packet: there is voice in it. The rest is its level in -dBov."""

_EXTENDED = 0x10
"""Of a packet's first octet: there is a header extension (RFC 3550 §5.1)."""

_SOURCES = 0x0F
"""Of the same: how many contributing sources there are."""

_ONE_OCTET = 0xBEDE
"""What an extension begins with whose elements have headers of one octet (RFC 8285 §4.2)."""

_TWO_OCTETS = 0x100
"""The first twelve bits of one whose elements have headers of two (§4.3)."""

_LAST = 15
"""§4.2: "processing of the entire extension should terminate" at an element of this number."""

_AHEAD = 4
"""Octets of an extension before its elements."""


@kernel
def first_octet(packet: Any, length: Any, wanted: Any) -> Any:
    """Return the first octet of an element of an RTP packet's header extension; -1 for none.

    Where a length says more than there is, what stands before it counts.

    Args:
        packet: its octets.
        length: how many of them count.
        wanted: the element's number, 1 to 14.
    """
    if not RTP_HEADER + _AHEAD <= length <= packet.shape[0] or packet[0] & _EXTENDED == 0:
        return -1
    at = RTP_HEADER + 4 * (np.int64(packet[0]) & _SOURCES)
    if at + _AHEAD > length:
        return -1
    kind, words = big_endian_16(packet, at), big_endian_16(packet, at + 2)
    end = min(at + _AHEAD + 4 * words, length)
    short = kind == _ONE_OCTET
    if not short and kind >> 4 != _TWO_OCTETS:
        return -1
    at += _AHEAD
    while at < end:
        header = np.int64(packet[at])
        at += 1
        if header == 0:
            continue
        if short:
            number, octets = header >> 4, (header & 0x0F) + 1
        else:
            if at == end:
                return -1
            number, octets = header, np.int64(packet[at])
            at += 1
        # §4.2: number 0 with a length, too, ends all.
        if (short and (number == _LAST or number == 0)) or at + octets > end:
            return -1
        if number == wanted:
            return np.int64(packet[at]) if octets > 0 else -1
        at += octets
    return -1


@kernel
def put_levels(
    packet: Any, level_number: Any, level: Any, speakers_number: Any, speakers: Any
) -> Any:
    """Write who is heard in a packet, and how loud, behind its RTP header; returns the octets.

    Args:
        packet: uint8; its first octet is written by `announce`.
        level_number: of the element that tells of the whole packet (RFC 6464 §3); 0 for none.
        level: what it tells.
        speakers_number: of the element with the levels of the contributing sources (RFC 6465 §3); 0
            for none.
        speakers: how many there are, and for each one SSRC << 8 | level.
    """
    count = min(max(speakers[0], 0), speakers.shape[0] - 1, _SOURCES)
    if speakers_number == 0:
        count = 0
    octets = (2 if level_number != 0 else 0) + (1 + count if count > 0 else 0)
    words = (octets + 3) >> 2
    begin = RTP_HEADER + 4 * count
    end = begin + _AHEAD + 4 * words
    if octets == 0 or packet.shape[0] < end:
        return 0
    for place in range(count):
        store_32(packet, RTP_HEADER + 4 * place, speakers[1 + place] >> 8)
    store_16(packet, begin, _ONE_OCTET)
    store_16(packet, begin + 2, words)
    at = begin + _AHEAD
    if level_number != 0:
        packet[at] = level_number << 4
        packet[at + 1] = level & 0xFF
        at += 2
    if count > 0:
        packet[at] = speakers_number << 4 | count - 1
        at += 1
        for place in range(count):
            packet[at + place] = speakers[1 + place] & 0x7F
        at += count
    while at < end:
        packet[at] = 0
        at += 1
    return end - RTP_HEADER


@kernel
def announce(packet: Any, sources: Any) -> None:
    """Let an RTP header tell of what `put_levels` has written.

    Args:
        packet: its octets.
        sources: contributing sources in it.
    """
    if packet.shape[0] > 0:
        packet[0] |= _EXTENDED | sources & _SOURCES
