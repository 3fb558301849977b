"""Reports from the packet thread: put into the ring at once, or owed where it is full."""

from typing import Any

from pbx.media.engine import ring_row, statistics_row
from pbx.media.engine import stream_row as row
from pbx.media.engine import tables as t
from pbx.media.engine.kernels import srtp
from pbx.media.engine.kernels.ring import next_free, room, written
from pbx.media.engine.kernels.rtp import lost
from pbx.media.engine.kernels.seconds import TURNS, end_second
from pbx.media.engine.native import kernel, row_of


@kernel
def next_record(tables: Any, kind: Any, slot: Any) -> Any:
    """Return the row of `reports` to fill before `written`; there must be room."""
    place = next_free(tables.reports, tables.report_cursors)
    record = row_of(tables.reports, place)
    record[ring_row.KIND] = kind
    record[ring_row.ROW] = slot
    tables.totals[t.REPORTED] = 1
    return place


@kernel
def report(tables: Any, kind: Any, slot: Any) -> Any:
    """Put one record, with all that its stream has counted, into the ring; False if it's full."""
    if room(tables.reports, tables.report_cursors) <= 0:
        return False
    record = row_of(tables.reports, next_record(tables, kind, slot))
    stream = tables.streams[slot]
    record[ring_row.HAS_SOURCE] = stream[row.LATCHED_RTP]
    record[ring_row.LOST] = lost(stream)
    # A sixteenth of a unit is 62 500 / CLOCK microseconds
    record[ring_row.JITTER_US] = stream[row.JITTER_16] * 62_500 // max(stream[row.CLOCK], 1)
    record[ring_row.FORGED] = tables.sessions[slot, srtp.FORGED]
    record[ring_row.REPLAYED] = tables.sessions[slot, srtp.REPLAYED]
    statistics = row_of(tables.statistics, slot)
    record[ring_row.STREAM_WORST_MISSING] = statistics[statistics_row.WORST_LOST]
    record[ring_row.STREAM_WORST_EXPECTED] = statistics[statistics_row.WORST_EXPECTED]
    record[ring_row.STREAM_ROUND_TRIP_NS] = statistics[statistics_row.ROUND_TRIP_NS]
    record[ring_row.STREAM_PEER_LOSS_256] = statistics[statistics_row.PEER_LOSS]
    record[ring_row.STREAM_PEER_MOS_10] = statistics[statistics_row.PEER_MOS_10]
    for word in range(4):
        record[ring_row.SOURCE + word] = stream[row.SOURCE_RTP + word]
    for word in range(row.RTCP_SENT + 1 - row.RECEIVED):
        record[ring_row.COUNTS + word] = stream[row.RECEIVED + word]
    written(tables.report_cursors)
    return True


@kernel
def report_words(tables: Any, kind: Any, slot: Any, first: Any, second: Any) -> Any:
    """Put a record with two numbers into the ring; False if it's full."""
    if room(tables.reports, tables.report_cursors) <= 0:
        return False
    record = row_of(tables.reports, next_record(tables, kind, slot))
    record[ring_row.FIRST] = first
    record[ring_row.SECOND] = second
    written(tables.report_cursors)
    return True


@kernel
def pay(tables: Any, slot: Any) -> None:
    """Report what stream `slot` owes, as far as there is room."""
    stream = tables.streams[slot]
    if stream[row.OWED] & row.OWES_LATCHED != 0 and report(tables, ring_row.LATCHED, slot):
        stream[row.OWED] &= ~row.OWES_LATCHED
    if stream[row.OWED] & row.OWES_TIMEOUT != 0 and report(tables, ring_row.TIMEOUT, slot):
        stream[row.OWED] &= ~row.OWES_TIMEOUT


@kernel
def owe(tables: Any, slot: Any, what: Any) -> None:
    """Report `what` (`OWES_LATCHED` or `OWES_TIMEOUT`) now, or as soon as there is room."""
    tables.streams[slot, row.OWED] |= what
    pay(tables, slot)


@kernel
def tick(tables: Any, now: Any) -> None:
    """Look for streams that have gone silent, and pay what is owed; some end their second.

    Not all in the same look: their statistics have left the cache, and packets wait meanwhile.
    """
    turn = tables.totals[t.TURN]
    tables.totals[t.TURN] = (turn + 1) % TURNS
    for slot in range(tables.streams.shape[0]):
        stream = tables.streams[slot]
        if stream[row.STATE] != tables.facts[t.THREAD]:
            continue
        silence = now - stream[row.LAST_NS]
        if 0 < stream[row.TIMEOUT_NS] <= silence and stream[row.TIMED_OUT] == 0:
            stream[row.TIMED_OUT] = 1
            stream[row.OWED] |= row.OWES_TIMEOUT
        if stream[row.OWED] != 0:
            pay(tables, slot)
        if slot % TURNS == turn:
            end_second(stream, row_of(tables.statistics, slot), now)
