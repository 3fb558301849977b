"""Whatever is passed on to a peer is one stream (RFC 3550 §7): one SSRC, numbers that run on.

The first source of a stream keeps its SSRC, its sequence numbers and its timestamps. Another one
(a transfer, a phone that begins anew, a phone after music of the engine's) goes on behind what the
peer has had: its first packet has the next sequence number, and a timestamp by the time that has
passed. Within a source all stays as it came: loss, however long, order, duplicates; its numbers begin
anew with the second packet of the other ones, as a lone one was late or doubled. Receivers that
know SSRCs need none of this; Asterisk and baresip take lower numbers for packets that are late, and
so does every SRTP context within one SSRC.

The words are those of the peer that the packets go to (`stream_row`).
"""

from typing import Any

from pbx.media.engine import stream_row as row
from pbx.media.engine.kernels.rtp import MAX_MISORDER, RTP_HEADER, big_endian_16, big_endian_32
from pbx.media.engine.kernels.rtp_out import store_16, store_32
from pbx.media.engine.native import kernel

AS_IT_CAME = 0
SHIFTED = 1
SHIFTED_AS_EARLIER = 2
WITHHELD = 3
"""It must not be sent."""

_HALF = 0x8000
_HALF_32 = 0x80000000
_LOW_16 = 0xFFFF
_LOW_32 = 0xFFFFFFFF

_SHORTEST_NS = 20_000_000
"""What a packet lasts at least: the next source's first one begins no sooner behind its beginning."""

RETURN_NS = 1_000_000_000
"""Two sources of which each comes back within this time come at once, and each keeps its time: some
gateways send telephone-events with an SSRC of their own."""


@kernel
def source_key(slot: Any, ssrc: Any) -> Any:
    """Return what stands in `FROM` for the source of that SSRC whose packets come to row `slot`."""
    return (slot + 1) << 32 | ssrc


@kernel
def next_timestamp(stream: Any, clock: Any, now: Any) -> Any:
    """Return the timestamp of what another source sends a peer now.

    Args:
        stream: row of a peer that has been sent something.
        clock: units of the timestamps in a second.
        now: CLOCK_MONOTONIC in nanoseconds.
    """
    # Microseconds: the product of nanoseconds and a clock has more than 64 bits after two days
    passed = max(now - stream[row.OUT_NS], _SHORTEST_NS) // 1000
    return (stream[row.OUT_TIMESTAMP] + passed * clock // 1_000_000) & _LOW_32


@kernel
def _leave(stream: Any, now: Any) -> None:
    """Remember the present source, which may be back soon."""
    stream[row.EARLIER] = stream[row.FROM]
    stream[row.EARLIER_SEQUENCE] = stream[row.OUT_SEQUENCE]
    stream[row.EARLIER_SEQUENCE_SHIFT] = stream[row.SEQUENCE_SHIFT]
    stream[row.EARLIER_TIMESTAMP_SHIFT] = stream[row.TIMESTAMP_SHIFT]
    stream[row.LEFT_NS] = now


@kernel
def forget_source(stream: Any) -> None:
    """Let whatever is passed on to a peer next count as another source."""
    stream[row.FROM] = 0
    stream[row.EARLIER] = 0


@kernel
def _take_up(
    stream: Any, key: Any, sequence: Any, sequence_shift: Any, timestamp_shift: Any
) -> None:
    """Make another source the present one; `sequence` is extended, as the peer gets it."""
    stream[row.FROM] = key
    stream[row.OUT_SEQUENCE] = sequence
    stream[row.SEQUENCE_SHIFT] = sequence_shift
    stream[row.TIMESTAMP_SHIFT] = timestamp_shift
    stream[row.REPORT_NAMED] = 0
    stream[row.LOST_EARLIER] = stream[row.LOST_TOLD]


@kernel
def _note_time(stream: Any, timestamp: Any, now: Any) -> None:
    """Take note of the newest timestamp, as the peer gets it.

    All packets of a telephone-event have the timestamp of its first one, and some of a picture go back.
    """
    if 0 < (timestamp - stream[row.OUT_TIMESTAMP]) & _LOW_32 < _HALF_32:
        stream[row.OUT_TIMESTAMP] = timestamp & _LOW_32
        stream[row.OUT_NS] = now


@kernel
def _change_source(
    stream: Any, key: Any, sequence: Any, timestamp: Any, clock: Any, now: Any
) -> Any:
    """Take in a packet of another source than the last one's; returns how to number it."""
    if stream[row.OUT_NS] == 0:
        _take_up(stream, key, sequence, 0, 0)
        stream[row.OUT_SSRC] = key & _LOW_32
        stream[row.OUT_TIMESTAMP] = timestamp
        stream[row.OUT_NS] = now
        return AS_IT_CAME
    out = stream[row.OUT_SEQUENCE]
    back = key == stream[row.EARLIER] and key != stream[row.FROM]
    if back and now - stream[row.LEFT_NS] < RETURN_NS:
        shift = stream[row.EARLIER_SEQUENCE_SHIFT]
        ahead = (sequence + shift - stream[row.EARLIER_SEQUENCE]) & _LOW_16
        if (-ahead) & _LOW_16 <= MAX_MISORDER:
            return SHIFTED_AS_EARLIER
        if ahead < _HALF:
            shift += out - stream[row.EARLIER_SEQUENCE]
            timestamp_shift = stream[row.EARLIER_TIMESTAMP_SHIFT]
            _leave(stream, now)
            _take_up(stream, key, out + ahead, shift, timestamp_shift)
            _note_time(stream, timestamp + timestamp_shift, now)
            return SHIFTED
    out_timestamp = next_timestamp(stream, clock, now)
    _leave(stream, now)
    _take_up(stream, key, out + 1, out + 1 - sequence, (out_timestamp - timestamp) & _LOW_32)
    stream[row.OUT_TIMESTAMP] = out_timestamp
    stream[row.OUT_NS] = now
    stream[row.RENUMBERED] = 1
    return SHIFTED


@kernel
def follow(stream: Any, source: Any, slot: Any, packet: Any, now: Any) -> Any:
    """Take note of an RTP packet on its way to a peer.

    Args:
        stream: row of the peer.
        source: the row that the packet has come to, which has counted it (`count_sequence`).
        slot: its number.
        packet: its octets, `RTP_HEADER` at least.
        now: CLOCK_MONOTONIC in nanoseconds.

    Returns:
        How to number it: `AS_IT_CAME`, or what `renumber` wants; or `WITHHELD`.
    """
    sequence = big_endian_16(packet, 2)
    timestamp = big_endian_32(packet, 4)
    key = source_key(slot, big_endian_32(packet, 8))
    ahead = (sequence + stream[row.SEQUENCE_SHIFT] - stream[row.OUT_SEQUENCE]) & _LOW_16
    newer = 0 < ahead < _HALF
    late = (-ahead) & _LOW_16
    behind = not newer and late >= MAX_MISORDER
    anew = behind and source[row.SEQ_MAX] & _LOW_16 == sequence
    if key != stream[row.FROM] or anew:
        return _change_source(stream, key, sequence, timestamp, source[row.CLOCK], now)
    if behind and stream[row.FLAGS] & row.SECURE != 0:
        # libsrtp may take it for one far ahead, and refuse all that comes before that (RFC 3711 §3.3.1)
        return WITHHELD
    if newer:
        stream[row.OUT_SEQUENCE] += ahead
        _note_time(stream, timestamp + stream[row.TIMESTAMP_SHIFT], now)
    return stream[row.RENUMBERED]


@kernel
def renumber(stream: Any, packet: Any, how: Any) -> None:
    """Write the numbers that a peer is to get into an RTP packet.

    Args:
        stream: row of the peer.
        packet: its octets.
        how: what `follow` has said of it, `SHIFTED` or `SHIFTED_AS_EARLIER`.
    """
    if packet.shape[0] < RTP_HEADER:
        return
    first = row.SEQUENCE_SHIFT if how == SHIFTED else row.EARLIER_SEQUENCE_SHIFT
    store_16(packet, 2, big_endian_16(packet, 2) + stream[first])
    store_32(packet, 4, big_endian_32(packet, 4) + stream[first + 1])
    store_32(packet, 8, stream[row.OUT_SSRC])
