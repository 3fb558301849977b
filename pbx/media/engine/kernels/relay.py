"""One turn of one socket: a batch in, checked and counted, and out through the sink's socket."""

from typing import Any

from pbx.media.engine import stream_row as row
from pbx.media.engine import tables as t
from pbx.media.engine.kernels.dialling import notice_event, put_digit
from pbx.media.engine.kernels.joining import comes_from_peer, leave_peer, note_emptied
from pbx.media.engine.kernels.keys import notice_key
from pbx.media.engine.kernels.numbering import AS_IT_CAME, WITHHELD, follow, renumber
from pbx.media.engine.kernels.passed_reports import read_passed
from pbx.media.engine.kernels.reporting import owe
from pbx.media.engine.kernels.rtcp_numbering import translate
from pbx.media.engine.kernels.rtp import (
    RTCP,
    RTP,
    big_endian_16,
    big_endian_32,
    count_jitter,
    count_sequence,
    packet_kind,
)
from pbx.media.engine.kernels.source import judge_rtcp, judge_rtp, latch_rtcp, latch_rtp
from pbx.media.engine.kernels.srtp import protect, unprotect
from pbx.media.engine.native import (
    ECONNREFUSED,
    MSG_DONTWAIT,
    MSG_TRUNC,
    errno,
    kernel,
    recv_octets,
    recvmmsg,
    recvmsg,
    row_of,
    send_octets,
    sendmmsg,
    sendmsg,
)

_LOW_32 = 0xFFFFFFFF

_BURST_NS = 2_000_000
"""A stream whose packets are closer than this sends more than a phone does, or has been waiting."""


@kernel
def slot_of(tables: Any, socket: Any) -> Any:
    """Return the row of the stream that a socket, an index into `fds`, belongs to."""
    rows = tables.streams.shape[0]
    return socket >> 1 if socket < 2 * rows else socket - 2 * rows


@kernel
def receive(tables: Any, slot: Any, socket: Any, now: Any) -> Any:
    """Fetch what has come to a stream's socket; returns the number of packets, 0: none, or an error.

    A phone's next packet is 10 to 60 ms away, and looking for it costs a third of what fetching one
    does: so only a stream in a burst is fetched from by the batch. epoll tells of what is left.
    """
    headers = tables.read_headers.ctypes.data
    fd = tables.fds[socket]
    latched = tables.streams[slot, row.LATCHED_RTP]
    if latched == row.JOINING or now - tables.streams[slot, row.LAST_NS] < _BURST_NS:
        return recvmmsg(fd, headers, t.BATCH, MSG_DONTWAIT, 0)
    if socket < 2 * tables.streams.shape[0]:
        length = recvmsg(fd, headers, MSG_DONTWAIT)
    else:
        # Who sends to the source's own socket needn't be told.
        place = tables.read_vectors[0, 0]
        length = recv_octets(fd, place, t.PACKET, MSG_DONTWAIT | MSG_TRUNC)
        tables.read_headers[0, 6] = MSG_TRUNC if length > t.PACKET else 0
    if length < 0:
        return 0
    tables.read_headers[0, 7] = min(length, t.PACKET)
    return 1


@kernel
def accept(tables: Any, voices: Any, socket: Any, index: Any, now: Any) -> Any:
    """Check one packet's source, unprotect it where it is protected, and count it.

    Returns:
        Its kind, or -1 where it is refused; then it has no length any more.
    """
    slot = slot_of(tables, socket)
    on_rtcp_port = socket == 2 * slot + 1
    stream = tables.streams[slot]
    packet = tables.packets[index]
    length = tables.read_headers[index, 7] & _LOW_32
    kind = packet_kind(packet, length)
    as_rtcp = on_rtcp_port or (kind == RTCP and stream[row.FLAGS] & row.MUX != 0)
    if socket >= 2 * tables.streams.shape[0]:
        verdict = 1 if comes_from_peer(tables, slot, index) else 0
    elif on_rtcp_port:
        verdict = judge_rtcp(tables.facts, stream, tables.names[index], kind)
    else:
        verdict = judge_rtp(tables.facts, stream, tables.names[index], kind)
    if verdict != 0 and stream[row.FLAGS] & row.SECURE != 0:
        if kind in (RTP, RTCP):
            # Before the latch: who has no key proves nothing.
            octets = row_of(tables.packets, index)
            sessions = row_of(tables.sessions, slot)
            length = unprotect(voices.functions, sessions, octets, length, as_rtcp)
            tables.read_headers[index, 7] = length
            if length == 0:
                return -1
        else:
            verdict = 0
    if verdict == 0:
        tables.read_headers[index, 7] = 0
        stream[row.REFUSED] += 1
        return -1
    if verdict == 2 and on_rtcp_port:
        latch_rtcp(stream, tables.names[index])
    elif verdict == 2:
        leave_peer(tables, slot)
        latch_rtp(tables.facts, stream, tables.names[index])
    stream[row.LAST_NS] = now
    stream[row.TIMED_OUT] = 0
    if as_rtcp:
        stream[row.RTCP_RECEIVED] += 1
        return RTCP
    stream[row.RECEIVED] += 1
    stream[row.RECEIVED_OCTETS] += length
    if kind == RTP:
        count_sequence(stream, big_endian_32(packet, 8), big_endian_16(packet, 2))
        count_jitter(stream, big_endian_32(packet, 4), now)
    if verdict == 2:
        owe(tables, slot, row.OWES_LATCHED)
    return kind


@kernel
def _send_one(tables: Any, fd: Any, at: Any) -> Any:
    """Hand one prepared packet to the kernel; returns whether it was taken."""
    header = row_of(tables.write_headers, at)
    if header[0] == 0 and header[5] == 0:
        vector = row_of(tables.write_vectors, at)
        return send_octets(fd, vector[0], vector[1], MSG_DONTWAIT) >= 0
    return sendmsg(fd, tables.write_headers.ctypes.data + 64 * at, MSG_DONTWAIT) >= 0


@kernel
def send(tables: Any, slot: Any, fd: Any, count: Any, as_rtcp: Any) -> None:
    """Hand `count` prepared packets to the kernel; what it won't take is counted and dropped."""
    stream = tables.streams[slot]
    headers = tables.write_headers.ctypes.data
    done = 0
    told = False
    while done < count:
        if count - done == 1:
            sent = 1 if _send_one(tables, fd, done) else 0
        else:
            sent = sendmmsg(fd, headers + 64 * done, count - done, MSG_DONTWAIT)
        if sent <= 0:
            if errno() == ECONNREFUSED and not told:
                # Of a packet before, which a connected socket tells of once; the phone may be back.
                told = True
                continue
            # The first one can't go (no route, buffer full, address gone): the others may.
            stream[row.UNSENT] += 1
            done += 1
            continue
        for index in range(done, done + sent):
            count_sent(stream, tables.write_vectors[index, 1], as_rtcp)
        done += sent


@kernel
def destination(stream: Any, as_rtcp: Any) -> Any:
    """Return the column of the address to send to, or -1: the latched source, else SDP's."""
    flags = stream[row.FLAGS]
    column = -1
    if as_rtcp and flags & row.MUX == 0:
        if stream[row.LATCHED_RTCP] != 0:
            column = row.SOURCE_RTCP
        elif flags & row.HAS_RTCP != 0:
            column = row.REMOTE_RTCP
    elif stream[row.LATCHED_RTP] != 0:
        column = row.SOURCE_RTP
    elif flags & row.HAS_RTP != 0:
        column = row.REMOTE_RTP
    return column


@kernel
def is_connected(stream: Any, column: Any) -> Any:
    """Return whether the socket that packets leave from knows both addresses.

    Args:
        stream: row of the peer.
        column: `destination` of the packet.
    """
    return column == row.SOURCE_RTP and stream[row.LATCHED_RTP] >= row.JOINING


@kernel
def count_sent(stream: Any, octets: Any, as_rtcp: Any) -> None:
    """Count one packet that the kernel has taken."""
    if as_rtcp:
        stream[row.RTCP_SENT] += 1
    else:
        stream[row.SENT] += 1
        stream[row.SENT_OCTETS] += octets


@kernel
def prepare_message(
    tables: Any, at: Any, address: Any, length: Any, sink: Any, column: Any
) -> None:
    """Fill message `at` of the batch to send with the octets at `address`, to the sink's peer."""
    tables.write_vectors[at, 0] = address
    tables.write_vectors[at, 1] = length
    words = tables.streams.ctypes.data + 8 * row.WIDTH * sink
    used = tables.streams[sink, row.CONTROL_LENGTH]
    name = words + 8 * column
    if is_connected(tables.streams[sink], column):
        name = used = 0
    tables.write_headers[at, 0] = name
    tables.write_headers[at, 4] = words + 8 * row.CONTROL if used != 0 else 0
    tables.write_headers[at, 5] = used
    tables.write_headers[at, 6] = 0


@kernel
def _copy(tables: Any, index: Any, at: Any, length: Any) -> None:
    """Copy packet `index` to row `at` of `changed`.

    What is changed on its way isn't where it has come: a tap still wants to read it there.
    """
    source = row_of(tables.packets, index)
    out = row_of(tables.changed, at)
    for octet in range(length):
        out[octet] = source[octet]


@kernel
def relay(tables: Any, voices: Any, socket: Any, now: Any) -> Any:
    """Receive a batch on `socket` and send it on through the sink that signalling has set.

    Args:
        tables, voices: the packet thread's.
        socket: index into `fds`.
        now: CLOCK_MONOTONIC in nanoseconds.

    Returns:
        How many packets have come; those that were refused have no length any more.
    """
    slot = slot_of(tables, socket)
    on_rtcp_port = socket == 2 * slot + 1
    stream = tables.streams[slot]
    received = receive(tables, slot, socket, now)
    sink = stream[row.SINK]
    if sink >= 0 and tables.streams[sink, row.STATE] != tables.facts[t.THREAD]:
        sink = -1
    pending = 0
    pending_rtcp = False
    for index in range(received):
        header = tables.read_headers[index]
        truncated = header[6] & MSG_TRUNC != 0
        header[1] = tables.facts[t.NAME_LENGTH]
        kind = accept(tables, voices, socket, index, now)
        if kind < 0:
            continue
        length = header[7] & _LOW_32
        as_rtcp = kind == RTCP and (on_rtcp_port or stream[row.FLAGS] & row.MUX != 0)
        if sink < 0 or truncated:
            stream[row.UNSENT] += 1
            continue
        flags = tables.streams[sink, row.FLAGS]
        # RFC 3264 §5.1: "RTCP is still sent and received for sendonly, recvonly, and inactive streams".
        if flags & row.SEND == 0 and not as_rtcp:
            continue
        column = destination(tables.streams[sink], as_rtcp)
        if column < 0:
            tables.streams[sink, row.UNSENT] += 1
            continue
        if pending > 0 and as_rtcp != pending_rtcp:
            send(tables, sink, outlet(tables, sink, pending_rtcp), pending, pending_rtcp)
            pending = 0
        ours = flags & row.OPAQUE == 0
        how = AS_IT_CAME
        if kind == RTP:
            notice_event(tables.streams[sink], tables.packets[index], length)
            if stream[row.FLAGS] & row.KEYS != 0:
                notice_key(tables, voices, slot, sink, tables.packets[index], length, now)
            if ours:
                how = follow(tables.streams[sink], stream, slot, tables.packets[index], now)
        reports = as_rtcp and ours
        dialling = kind == RTP and tables.streams[sink, row.DIAL_PHASE] != row.DIAL_IDLE
        secure = flags & row.SECURE != 0
        address = tables.read_vectors[index, 0]
        if dialling or secure or reports or how != AS_IT_CAME:
            if how == WITHHELD:
                tables.streams[sink, row.UNSENT] += 1
                continue
            _copy(tables, index, pending, length)
            out = row_of(tables.changed, pending)
            address = out.ctypes.data
            if how != AS_IT_CAME:
                renumber(tables.streams[sink], out, how)
            if reports:
                read_passed(
                    tables.streams[sink],
                    tables.statistics[sink],
                    stream,
                    tables.statistics[slot],
                    slot,
                    out,
                    length,
                    now,
                )
                length = translate(tables.streams[sink], sink, stream, slot, out, length)
                if length == 0:
                    continue
            if dialling:
                length = put_digit(tables.streams[sink], out, length, now)
            if secure:
                length = protect(
                    voices.functions, row_of(tables.sessions, sink), out, length, as_rtcp
                )
            if length == 0:
                tables.streams[sink, row.UNSENT] += 1
                continue
        prepare_message(tables, pending, address, length, sink, column)
        pending_rtcp = as_rtcp
        pending += 1
    if pending > 0:
        send(tables, sink, outlet(tables, sink, pending_rtcp), pending, pending_rtcp)
    if 0 < received < t.BATCH:
        note_emptied(tables, slot, socket)
    return received


@kernel
def outlet(tables: Any, sink: Any, as_rtcp: Any) -> Any:
    """Return the socket that a packet leaves from: RTCP shares RTP's where the peer muxes."""
    if as_rtcp and tables.streams[sink, row.FLAGS] & row.MUX == 0:
        return tables.fds[2 * sink + 1]
    if tables.streams[sink, row.LATCHED_RTP] >= row.JOINING:
        return tables.fds[2 * tables.streams.shape[0] + sink]
    return tables.fds[2 * sink]
