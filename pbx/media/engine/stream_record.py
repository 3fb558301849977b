"""Turns messages into command records and report records into messages."""

import math

import numpy as np

from pbx.media.engine import ring_row, stream_row
from pbx.media.engine.addresses import (
    AddressError,
    address_of,
    address_words,
    parse_host,
    source_control,
)
from pbx.media.engine.sockets import is_local
from pbx.media.engine.tables import Words
from pbx.media.protocol import Address, Stream, StreamCounts

MAX_GENERATION = 2**62
MAX_CLOCK = 1_000_000
"""Units in a second; no codec's clock comes near."""

MAX_TIMEOUT_S = 86_400.0 * 366


class ImpossibleError(Exception):
    """A command that cannot be carried out; the text is for the exchange's log."""


class SilentPortError(ImpossibleError):
    """A command that needs the sound of a port which has none: no stream, no voice, or no tap.

    The exchange may find that out too late only; a `Play` or `Record` is answered as one that has ended.
    """


def command_record(operation: int, row: int = 0) -> Words:
    """Return a record without settings."""
    record = np.zeros(ring_row.WIDTH, np.int64)
    record[ring_row.OPERATION] = operation
    record[ring_row.ROW] = row
    return record


def set_record(stream: Stream, row: int, sink_row: int, *, dual_stack: bool) -> Words:
    """Return the record that sets one row of the stream table, as yet without SRTP sessions.

    Args:
        stream: what the exchange wants.
        row: the row of `stream.port`.
        sink_row: the row of `stream.sink`, -1 for none.
        dual_stack: the sockets are AF_INET6 ones.

    Raises:
        ImpossibleError: an address or a number is out of its range.
    """
    if not 0 <= stream.generation < MAX_GENERATION:
        raise ImpossibleError(f"port {stream.port}: generation {stream.generation}")
    if not (math.isfinite(stream.timeout_s) and 0 <= stream.timeout_s <= MAX_TIMEOUT_S):
        raise ImpossibleError(f"port {stream.port}: a time-out of {stream.timeout_s} s")
    if not (-1 <= stream.event_type <= 127 and 0 < stream.event_clock <= MAX_CLOCK):
        raise ImpossibleError(
            f"port {stream.port}: telephone-events {stream.event_type}/{stream.event_clock}"
        )
    if not 0 < stream.clock <= MAX_CLOCK:
        raise ImpossibleError(f"port {stream.port}: timestamps of {stream.clock} Hz")
    record = command_record(ring_row.SET, row)
    settings = record[ring_row.SETTINGS - 1 :]
    settings[stream_row.SINK] = sink_row
    event_type = stream.event_type if stream.event_type >= 0 else stream_row.NO_EVENTS
    settings[stream_row.EVENTS] = stream.event_clock << 8 | event_type
    settings[stream_row.CLOCK] = stream.clock
    settings[stream_row.GENERATION] = stream.generation
    settings[stream_row.TIMEOUT_NS] = round(stream.timeout_s * 1e9)
    try:
        settings[stream_row.FLAGS] = _flags(stream)
        _set_addresses(settings, stream, dual_stack=dual_stack)
    except AddressError as error:
        raise ImpossibleError(f"port {stream.port}: {error}") from error
    return record


def secure(record: Words, outbound: int, inbound: int) -> None:
    """Put the addresses of a stream's SRTP sessions into its record; 0 none."""
    record[ring_row.OUTBOUND] = outbound
    record[ring_row.INBOUND] = inbound


def _flags(stream: Stream) -> int:
    flags = stream_row.SEND if stream.send else 0
    flags |= stream_row.LATCH if stream.latch else 0
    flags |= stream_row.MUX if stream.rtcp_mux else 0
    flags |= stream_row.WAIT if stream.wait else 0
    flags |= stream_row.SECURE if stream.srtp else 0
    flags |= stream_row.OPAQUE if stream.opaque else 0
    flags |= stream_row.KEYS if stream.keys else 0
    flags |= stream_row.DATAGRAMS if stream.datagrams else 0
    flags |= stream_row.IPV4 if parse_host(stream.local).version == 4 else 0
    return flags


def _set_addresses(settings: Words, stream: Stream, *, dual_stack: bool) -> None:
    local = parse_host(stream.local)
    if local.version == 6 and not dual_stack:
        raise AddressError("this machine has no IPv6")
    # An address that has just gone (DHCP), or that a router translates to ours: the kernel knows
    # a better one.
    if not local.is_unspecified and is_local(str(local)):
        control, length = source_control(local, dual_stack=dual_stack)
        settings[stream_row.CONTROL : stream_row.CONTROL + len(control)] = control
        settings[stream_row.CONTROL_LENGTH] = length
    for remote, column, flag in (
        (stream.remote_rtp, stream_row.REMOTE_RTP, stream_row.HAS_RTP),
        (_rtcp_address(stream), stream_row.REMOTE_RTCP, stream_row.HAS_RTCP),
    ):
        if remote is None:
            continue
        host = parse_host(remote.host)
        if host.version != local.version:
            raise AddressError(f"{remote.host} can't be reached from {stream.local}")
        settings[column : column + 4] = address_words(host, remote.port, dual_stack=dual_stack)
        settings[stream_row.FLAGS] |= flag


def _rtcp_address(stream: Stream) -> Address | None:
    """RFC 3550 §11: the next port, unless SDP says otherwise (RFC 3605) or shares it (RFC 5761)."""
    if stream.rtcp_mux:
        return stream.remote_rtp
    if stream.remote_rtcp is not None or stream.remote_rtp is None:
        return stream.remote_rtcp
    if stream.remote_rtp.port == 65535:
        return None
    return Address(stream.remote_rtp.host, stream.remote_rtp.port + 1)


def source_of(record: Words, *, dual_stack: bool) -> Address | None:
    """Return the latched source that a report record names."""
    if not record[ring_row.HAS_SOURCE]:
        return None
    words = record[ring_row.SOURCE : ring_row.SOURCE + 4]
    return address_of(words, dual_stack=dual_stack)


def percent(missing: int, expected: int) -> float:
    """Return the share of packets that are missing, 0 to 100."""
    return round(min(100.0 * max(missing, 0) / expected, 100.0), 2) if expected > 0 else 0.0


def trip_ms(nanoseconds: int) -> float:
    """Return a round trip in milliseconds; -1 unknown, as below 0."""
    return round(nanoseconds / 1e6, 1) if nanoseconds >= 0 else -1.0


def fraction_percent(fraction: int) -> float:
    """Return the loss that a report block tells of in 1/256 (RFC 3550 §6.4.1); -1 unknown, likewise."""
    return round(100 * fraction / 256, 1) if fraction >= 0 else -1.0


def counts_of(record: Words, port: int, *, dual_stack: bool) -> StreamCounts:
    """Return what a report record has counted for the stream at `port`."""
    first = ring_row.COUNTS - stream_row.RECEIVED

    def count(word: int) -> int:
        return int(record[first + word])

    return StreamCounts(
        port=port,
        received=count(stream_row.RECEIVED),
        received_octets=count(stream_row.RECEIVED_OCTETS),
        sent=count(stream_row.SENT),
        sent_octets=count(stream_row.SENT_OCTETS),
        refused=count(stream_row.REFUSED),
        lost=int(record[ring_row.LOST]),
        reordered=count(stream_row.REORDERED),
        unsent=count(stream_row.UNSENT),
        rtcp_received=count(stream_row.RTCP_RECEIVED),
        rtcp_sent=count(stream_row.RTCP_SENT),
        jitter_ms=int(record[ring_row.JITTER_US]) / 1000,
        source=source_of(record, dual_stack=dual_stack),
        forged=int(record[ring_row.FORGED]),
        replayed=int(record[ring_row.REPLAYED]),
        worst_loss_percent=percent(
            int(record[ring_row.STREAM_WORST_MISSING]), int(record[ring_row.STREAM_WORST_EXPECTED])
        ),
        round_trip_ms=trip_ms(int(record[ring_row.STREAM_ROUND_TRIP_NS])),
        peer_loss_percent=fraction_percent(int(record[ring_row.STREAM_PEER_LOSS_256])),
        peer_mos=int(record[ring_row.STREAM_PEER_MOS_10]) / 10,
    )
