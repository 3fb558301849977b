"""How well a stream arrives: loss, order, jitter, bursts, and what that sounds like.

Loss and jitter are those of RFC 3550 (A.1, A.3, A.8) by the stream's own clock. Bursts and gaps are
those of RFC 3611 §4.7.2: a burst begins and ends with a loss and has fewer than `GMIN` packets
between two. The score is that of the E-model (ITU-T G.107) with its default values.
"""

from typing import Any

from pbx.media import emodel
from pbx.media.engine.kernels import quality_row as q
from pbx.media.engine.kernels.jitter import units
from pbx.media.engine.kernels.seconds import LAST_NS, is_worse
from pbx.media.engine.native import kernel

GMIN = 16
SETTLED = 16
"""Packets after which one that is missing isn't expected any more."""

MAX_DROPOUT = 3000
MAX_MISORDER = 63
SECOND_NS = 1_000_000_000


@kernel
def begin(row: Any, clock: Any, codec_ie: Any, codec_bpl: Any) -> None:
    """Make a row ready for a stream; see `quality_row` for the arguments."""
    for word in range(q.WIDTH):
        row[word] = 0
    row[q.CLOCK] = clock
    row[q.CODEC_IE] = codec_ie
    row[q.CODEC_BPL] = max(codec_bpl, 1)
    row[q.AFTER_JUMP] = -1
    row[q.TRANSIT] = -1
    row[q.R_10] = -1
    row[q.MOS_100] = -1


@kernel
def expected(row: Any) -> Any:
    """Return the packets that the peer has sent, as far as one can know."""
    here = row[q.MAX] - row[q.BASE] + 1 if row[q.STARTED] != 0 else 0
    return row[q.EXPECTED_BEFORE] + here


@kernel
def lost(row: Any) -> Any:
    """Return the packets that never came."""
    here = 0
    if row[q.STARTED] != 0:
        here = row[q.MAX] - row[q.BASE] + 1 - row[q.COUNTED]
    return row[q.LOST_BEFORE] + max(here, 0)


@kernel
def unplayed(row: Any) -> Any:
    """Return the packets that never came, or too late to be played."""
    return lost(row) + row[q.DISCARDED]


@kernel
def _start(row: Any, ssrc: Any, sequence: Any) -> None:
    before, lost_before = expected(row), lost(row)
    if row[q.SSRC] != ssrc:
        row[q.EXPECTED_OTHERS] = row[q.REPORTED_EXPECTED] = before
        row[q.LOST_OTHERS] = row[q.REPORTED_LOST] = lost_before
    row[q.EXPECTED_BEFORE] = before
    row[q.LOST_BEFORE] = lost_before
    row[q.STARTED] = 1
    row[q.SSRC] = ssrc
    row[q.BASE] = sequence
    row[q.MAX] = sequence
    row[q.COUNTED] = 1
    row[q.SEEN] = 1
    row[q.PLAYED] = 0
    row[q.AFTER_JUMP] = -1
    row[q.TRANSIT] = -1


@kernel
def _close_burst(row: Any) -> None:
    if row[q.OPEN_LOST] > 1:
        row[q.BURSTS] += 1
        row[q.BURST_LOST] += row[q.OPEN_LOST]
        row[q.BURST_PACKETS] += row[q.OPEN_PACKETS]
    else:
        row[q.LONE_LOST] += row[q.OPEN_LOST]
    row[q.OPEN_LOST] = 0
    row[q.OPEN_PACKETS] = 0


@kernel
def _judge(row: Any, played: Any) -> None:
    """Enter the fate of one packet, in order of the sequence."""
    first = row[q.JUDGED] == 0
    row[q.JUDGED] += 1
    if played:
        row[q.RUN] += 1
        return
    if row[q.RUN] > 0 or first:
        row[q.LOSS_RUNS] += 1
    if row[q.OPEN_LOST] > 0 and row[q.RUN] < GMIN:
        row[q.OPEN_PACKETS] += row[q.RUN] + 1
        row[q.OPEN_LOST] += 1
    else:
        _close_burst(row)
        row[q.OPEN_LOST] = 1
        row[q.OPEN_PACKETS] = 1
    row[q.RUN] = 0


@kernel
def _judge_hole(row: Any, missing: Any) -> None:
    """Enter the fate of packets one behind the other none of which was played."""
    if missing <= 0:
        return
    _judge(row, False)
    row[q.JUDGED] += missing - 1
    row[q.OPEN_LOST] += missing - 1
    row[q.OPEN_PACKETS] += missing - 1


@kernel
def _advance(row: Any, ahead: Any) -> None:
    """Move on to a newer packet, judging those that have settled.

    Those behind the newest one so far are missing: who sends leaps makes nobody wait.
    """
    one_by_one = min(ahead, SETTLED)
    for _ in range(one_by_one):
        row[q.MAX] += 1
        row[q.SEEN] <<= 1
        row[q.PLAYED] <<= 1
        if row[q.MAX] - SETTLED >= row[q.BASE]:
            _judge(row, (row[q.PLAYED] >> SETTLED) & 1 != 0)
    hole = ahead - one_by_one
    row[q.MAX] += hole
    row[q.SEEN] = row[q.SEEN] << hole if hole < 64 else 0
    row[q.PLAYED] = row[q.PLAYED] << hole if hole < 64 else 0
    _judge_hole(row, hole)


@kernel
def _enter_sequence(row: Any, ssrc: Any, sequence: Any) -> Any:
    """Enter one packet (RFC 3550 A.1); returns how far it is behind the newest, or -1.

    -1 is a packet that came before, or doesn't belong to the sequence.
    """
    if row[q.STARTED] == 0 or row[q.SSRC] != ssrc:
        _start(row, ssrc, sequence)
        return 0
    ahead = (sequence - row[q.MAX]) & 0xFFFF
    late = 0x10000 - ahead
    if ahead == 0 or (late <= MAX_MISORDER and (row[q.SEEN] >> late) & 1 != 0):
        row[q.DUPLICATE] += 1
        return -1
    if ahead < MAX_DROPOUT:
        _advance(row, ahead)
        row[q.SEEN] |= 1
        row[q.COUNTED] += 1
        row[q.AFTER_JUMP] = -1
        return 0
    if late <= MAX_MISORDER:
        row[q.SEEN] |= 1 << late
        row[q.COUNTED] += 1
        row[q.REORDERED] += 1
        row[q.BASE] = min(row[q.BASE], row[q.MAX] - late)
        return late
    if sequence == row[q.AFTER_JUMP]:
        # The packet before this one belongs to the new sequence too.
        _start(row, ssrc, sequence)
        row[q.BASE] -= 1
        row[q.COUNTED] += 1
        row[q.SEEN] |= 2
        row[q.PLAYED] |= 2
        return 0
    row[q.AFTER_JUMP] = (sequence + 1) & 0xFFFF
    return -1


@kernel
def _enter_jitter(row: Any, timestamp: Any, now: Any) -> None:
    """Enter one packet into the jitter (RFC 3550 §6.4.1, A.8), unless its timestamp says nothing.

    Telephone-events share theirs; a leap of a second or more is another time line.
    """
    before = row[q.TRANSIT]
    if before >= 0 and timestamp == row[q.TIMESTAMP]:
        return
    transit = (units(now, row[q.CLOCK]) - timestamp) & 0xFFFFFFFF
    row[q.TRANSIT] = transit
    row[q.TIMESTAMP] = timestamp
    if before < 0:
        return
    change = (transit - before) & 0xFFFFFFFF
    distance = min(change, 0x100000000 - change)
    if distance < row[q.CLOCK]:
        row[q.JITTER_16] += distance - ((row[q.JITTER_16] + 8) >> 4)
        row[q.JITTER_MAX_16] = max(row[q.JITTER_MAX_16], row[q.JITTER_16])


@kernel
def _end_second(row: Any, now: Any) -> None:
    """Compare the second that has passed with the worst one so far, by the share that wasn't played.

    Packets that came too late are missing in it: who hears misses them.
    """
    sent = expected(row) - row[q.SECOND_EXPECTED]
    missing = max(unplayed(row) - row[q.SECOND_LOST], 0)
    if is_worse(missing, sent, row[q.WORST_LOST], row[q.WORST_EXPECTED]):
        row[q.WORST_LOST] = missing
        row[q.WORST_EXPECTED] = sent
    row[q.SECOND_NS] = now
    row[q.SECOND_EXPECTED] = expected(row)
    row[q.SECOND_LOST] = unplayed(row)


@kernel
def receive(row: Any, ssrc: Any, sequence: Any, timestamp: Any, in_time: Any, now: Any) -> None:
    """Enter one RTP packet.

    Args:
        row: the stream's row.
        ssrc, sequence, timestamp: of its header.
        in_time: 0 where the jitter buffer has thrown it away as late, else 1.
        now: when it came, CLOCK_MONOTONIC in nanoseconds.
    """
    if row[q.SECOND_NS] == 0:
        row[q.SECOND_NS] = now
    elif now - row[q.SECOND_NS] >= SECOND_NS:
        _end_second(row, now)
    behind = _enter_sequence(row, ssrc, sequence)
    if behind < 0:
        return
    if in_time != 0:
        row[q.PLAYED] |= 1 << behind
    else:
        row[q.DISCARDED] += 1
    _enter_jitter(row, timestamp, now)


@kernel
def end_last_second(row: Any, now: Any) -> None:
    """Compare the second that the stream ends in, if there is enough of it: no packet will end it."""
    if row[q.SECOND_NS] != 0 and now - row[q.SECOND_NS] >= LAST_NS:
        _end_second(row, now)


@kernel
def report_loss(row: Any) -> Any:
    """Return the share of loss since the last call, in 1/256, for a report block (A.3)."""
    sent = expected(row) - row[q.REPORTED_EXPECTED]
    missing = lost(row) - row[q.REPORTED_LOST]
    row[q.REPORTED_EXPECTED] = expected(row)
    row[q.REPORTED_LOST] = lost(row)
    if sent <= 0 or missing <= 0:
        return 0
    return min((missing << 8) // sent, 255)


rating = kernel(emodel.rating)
score = kernel(emodel.score)


@kernel
def measure(row: Any, packet_ms: Any, delay_ms: Any) -> None:
    """Work out the row's results from what has been counted.

    Args:
        row: the stream's row.
        packet_ms: length of a packet.
        delay_ms: from mouth to ear: network, jitter buffer, packet, and what else is known.
    """
    bursts, burst_lost, burst_packets = row[q.BURSTS], row[q.BURST_LOST], row[q.BURST_PACKETS]
    lone = row[q.LONE_LOST]
    if row[q.OPEN_LOST] > 1:
        bursts += 1
        burst_lost += row[q.OPEN_LOST]
        burst_packets += row[q.OPEN_PACKETS]
    else:
        lone += row[q.OPEN_LOST]
    gap_packets = row[q.JUDGED] - burst_packets
    row[q.BURST_DENSITY] = (burst_lost << 8) // burst_packets if burst_packets > 0 else 0
    row[q.GAP_DENSITY] = (lone << 8) // gap_packets if gap_packets > 0 else 0
    row[q.BURST_MS] = burst_packets * packet_ms // bursts if bursts > 0 else 0
    row[q.GAP_MS] = gap_packets * packet_ms // (bursts + 1)
    sent = expected(row)
    if sent <= 0:
        return
    loss = min(unplayed(row) / sent, 1.0)
    ratio = 1.0
    if row[q.LOSS_RUNS] > 0:
        run = (burst_lost + lone) / row[q.LOSS_RUNS]
        ratio = max(run * (1.0 - loss), 1.0)
    r = rating(row[q.CODEC_IE] / 10.0, row[q.CODEC_BPL] / 10.0, 100.0 * loss, ratio, delay_ms)
    row[q.R_10] = int(max(0.0, r) * 10.0 + 0.5)
    row[q.MOS_100] = int(score(r) * 100.0 + 0.5)
