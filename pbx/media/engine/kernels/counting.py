"""What streams and voices have counted, for whoever asks."""

from typing import Any

from pbx.media.engine import ring_row, stream_row, voice_row
from pbx.media.engine import tables as t
from pbx.media.engine.kernels import jitter_row as j
from pbx.media.engine.kernels import levels, quality, quality_row, rtcp
from pbx.media.engine.kernels.reporting import next_record, report
from pbx.media.engine.kernels.ring import room, written
from pbx.media.engine.native import kernel, part, row_of


@kernel
def measure(row: Any) -> None:
    """Work out how a voice sounds, from what has come so far."""
    waiting = part(row, voice_row.JITTER, j.WIDTH)
    clock = max(waiting[j.CLOCK], 1)
    packet_ms = max(waiting[j.DURATION] * 1000 // clock, 10)
    delay_ms = max(waiting[j.DELAY], 0) * 1000 // clock
    trip_ms = max(row[voice_row.RTCP + rtcp.RTT_NS], 0) // 1_000_000
    statistics = part(row, voice_row.QUALITY, quality_row.WIDTH)
    quality.measure(statistics, packet_ms, delay_ms + packet_ms + trip_ms // 2)


@kernel
def report_voice(tables: Any, voices: Any, slot: Any) -> None:
    """Report how a voice sounds, in a record before its stream's."""
    row = row_of(voices.voices, slot)
    waiting = part(row, voice_row.JITTER, j.WIDTH)
    statistics = part(row, voice_row.QUALITY, quality_row.WIDTH)
    reports = part(row, voice_row.RTCP, rtcp.WIDTH)
    clock = max(waiting[j.CLOCK], 1)
    rate = max(waiting[j.RATE], 1)
    measure(row)
    record = row_of(tables.reports, next_record(tables, ring_row.VOICE_COUNTED, slot))
    record[ring_row.LEVEL] = row[voice_row.LEVEL]
    record[ring_row.DELAY_US] = max(waiting[j.DELAY], 0) * 1_000_000 // clock
    record[ring_row.CONCEALED_US] = waiting[j.CONCEALED] * 1_000_000 // rate
    record[ring_row.LATE] = waiting[j.LATE]
    record[ring_row.RESYNCS] = waiting[j.RESYNCS]
    record[ring_row.EXPECTED] = quality.expected(statistics)
    record[ring_row.MISSING] = quality.unplayed(statistics)
    record[ring_row.WORST_EXPECTED] = statistics[quality_row.WORST_EXPECTED]
    record[ring_row.WORST_MISSING] = statistics[quality_row.WORST_LOST]
    record[ring_row.ROUND_TRIP_NS] = reports[rtcp.RTT_NS]
    record[ring_row.PEER_LOSS_256] = reports[rtcp.PEER_LOSS]
    record[ring_row.MOS_100] = statistics[quality_row.MOS_100]
    record[ring_row.PEER_MOS_10] = reports[rtcp.PEER_MOS_10]
    record[ring_row.SPEAKS] = row[voice_row.LEVEL + levels.ACTIVE]
    record[ring_row.LATE_TICKS] = tables.totals[t.LATE_TICKS] - row[voice_row.LATE_BEFORE]
    written(tables.report_cursors)


@kernel
def answer_query(tables: Any, voices: Any) -> None:
    """Go on reporting counts, from where the ring was full."""
    while tables.totals[t.QUERY_ROW] >= 0:
        slot = tables.totals[t.QUERY_ROW]
        if slot == tables.streams.shape[0]:
            if report(tables, ring_row.COUNTED_ALL, 0):
                tables.totals[t.QUERY_ROW] = -1
            break
        if tables.streams[slot, stream_row.STATE] == tables.facts[t.THREAD]:
            if room(tables.reports, tables.report_cursors) < ring_row.RESERVE:
                break
            if tables.streams[slot, stream_row.VOICE] != 0:
                report_voice(tables, voices, slot)
            report(tables, ring_row.COUNTED, slot)
        tables.totals[t.QUERY_ROW] = slot + 1
