"""Taps: what streams are passed on is decoded for their recordings, once it is on its way."""

from typing import Any

import numpy as np

from pbx.media import codecs
from pbx.media.engine import coder_row, ring_row, staged_row, stream_row, tap_row, voice_row
from pbx.media.engine import tables as t
from pbx.media.engine.kernels import record
from pbx.media.engine.kernels.codec import decode, has_memory
from pbx.media.engine.kernels.pacing import decoded_until, may_decode
from pbx.media.engine.kernels.reporting import report_words
from pbx.media.engine.kernels.resample import WINDOW
from pbx.media.engine.kernels.rtp import (
    MAX_DROPOUT,
    MAX_MISORDER,
    RTP,
    big_endian_16,
    big_endian_32,
    packet_kind,
)
from pbx.media.engine.kernels.rtp_in import payload_place
from pbx.media.engine.kernels.taping import change_clock, tape
from pbx.media.engine.native import (
    clear,
    fetch_ahead,
    fetch_lines_ahead,
    kernel,
    part,
    rest,
    row_of,
)

_LOW_32 = 0xFFFFFFFF

_FORGOTTEN_NS = 5_000_000_000
"""Without a packet that was decoded: whatever comes next is a beginning."""


@kernel
def _decodes_fast(voices: Any, row: Any) -> Any:
    """Return whether many packets of a tap's formats can be decoded at once, and nobody waits for it."""
    fast = True
    for place in range(row[tap_row.COUNT]):
        decoder = row[tap_row.FORMATS + tap_row.FORMAT * place + tap_row.DECODER]
        codec = voices.coders[decoder, coder_row.CODEC]
        g711 = codec == codecs.PCMU or codec == codecs.PCMA
        fast = fast and (g711 or codec == codecs.L16_8000 or codec == codecs.L16_16000)
    return fast


@kernel
def set_tap(tables: Any, voices: Any, command: Any) -> None:
    """Carry out TAP: row, count, formats; reports that the decoders of before are free."""
    slot = command[ring_row.ROW]
    row = row_of(voices.taps, slot)
    row[tap_row.CURRENT] = -1
    row[tap_row.SSRC] = -1
    row[tap_row.DECODED_NS] = 0
    row[tap_row.COUNT] = command[ring_row.SETTINGS]
    for word in range(tap_row.MOST * tap_row.FORMAT):
        row[tap_row.FORMATS + word] = command[ring_row.SETTINGS + 1 + word]
    fast = _decodes_fast(voices, row)
    tables.streams[slot, stream_row.TAPPED] = stream_row.MAY_WAIT if fast else stream_row.AT_ONCE
    report_words(tables, ring_row.TAP_SET, slot, 0, 0)


@kernel
def _format_of(row: Any, payload_type: Any) -> Any:
    """Return the place in `FORMATS` of a payload type; -1 where there is none."""
    for place in range(row[tap_row.COUNT]):
        if row[tap_row.FORMATS + tap_row.FORMAT * place + tap_row.TYPE] == payload_type:
            return place
    return -1


@kernel
def _switch(voices: Any, slot: Any, place: Any) -> None:
    """Make a format the current one."""
    row = row_of(voices.taps, slot)
    if row[tap_row.CURRENT] == place:
        return
    row[tap_row.CURRENT] = place
    wanted = part(row, tap_row.FORMATS + tap_row.FORMAT * place, tap_row.FORMAT)
    # The words of a voice that isn't one: where recordings look.
    voice = row_of(voices.voices, slot)
    voice[voice_row.DECODER] = wanted[tap_row.DECODER]
    rate, clock = wanted[tap_row.RATE], wanted[tap_row.CLOCK]
    # On the same clock the sound goes on without a seam.
    if voice[voice_row.RATE] != rate or voice[voice_row.CLOCK] != clock:
        voice[voice_row.RATE] = rate
        voice[voice_row.CLOCK] = clock
        clear(part(row_of(voices.sound, slot), voice_row.TO_TAPE, WINDOW))
        change_clock(voices, slot)


@kernel
def _begin(row: Any, ssrc: Any, sequence: Any) -> None:
    row[tap_row.SSRC] = ssrc
    row[tap_row.SEQUENCE] = sequence
    row[tap_row.SEEN] = 1
    row[tap_row.CANDIDATE] = -1


@kernel
def _proves_itself(row: Any, ssrc: Any, sequence: Any) -> Any:
    """Return whether a packet of another source, or with other numbers, follows one of its kind.

    One alone proves nothing (RFC 3550 A.1), and would tear the recording apart.
    """
    if row[tap_row.CANDIDATE] != ssrc << 16 | sequence:
        row[tap_row.CANDIDATE] = ssrc << 16 | (sequence + 1) & 0xFFFF
        return False
    _begin(row, ssrc, sequence)
    row[tap_row.SEEN] = 3
    return True


@kernel
def _is_wanted(voices: Any, row: Any, place: Any, ssrc: Any, sequence: Any) -> Any:
    """Take note of a packet of the format at `place`; return whether it is to be recorded.

    A copy is not, and a late one only if its codec has no memory: others' is beyond that packet
    already, and what comes behind would suffer, too. It is silence then, as if it had been lost.
    """
    if row[tap_row.SSRC] < 0:
        _begin(row, ssrc, sequence)
        return True
    ahead = (sequence - row[tap_row.SEQUENCE]) & 0xFFFF
    if row[tap_row.SSRC] != ssrc:
        return _proves_itself(row, ssrc, sequence)
    if 0 < ahead < MAX_DROPOUT:
        row[tap_row.SEEN] = (row[tap_row.SEEN] << ahead if ahead <= MAX_MISORDER else 0) | 1
        row[tap_row.SEQUENCE] = sequence
        return True
    late = (-ahead) & 0xFFFF
    if late > MAX_MISORDER:
        return _proves_itself(row, ssrc, sequence)
    if (row[tap_row.SEEN] >> late) & 1 != 0:
        return False
    row[tap_row.SEEN] |= 1 << late
    decoder = row[tap_row.FORMATS + tap_row.FORMAT * place + tap_row.DECODER]
    return not has_memory(row_of(voices.coders, decoder))


@kernel
def _tap_packet(voices: Any, slot: Any, packet: Any, length: Any, now: Any) -> None:
    payload = payload_place(packet, length)
    row = row_of(voices.taps, slot)
    place = _format_of(row, np.int64(packet[1]) & 0x7F)
    if payload < 0 or place < 0:
        return
    until = row[tap_row.DECODED_NS]
    if not may_decode(until, now):
        return
    if until < now - _FORGOTTEN_NS:
        row[tap_row.SSRC] = -1
    timestamp, ssrc = big_endian_32(packet, 4), big_endian_32(packet, 8)
    if not _is_wanted(voices, row, place, ssrc, big_endian_16(packet, 2)):
        return
    _switch(voices, slot, place)
    coder = voices.voices[slot, voice_row.DECODER]
    samples = decode(
        voices.functions,
        row_of(voices.coders, coder),
        row_of(voices.memories, coder),
        part(packet, payload >> 16, payload & 0xFFFF),
        payload & 0xFFFF,
        voices.tapped,
    )
    rate = voices.voices[slot, voice_row.RATE]
    row[tap_row.DECODED_NS] = decoded_until(until, samples, rate, now)
    if samples > 0:
        tape(voices, slot, voices.tapped, samples, timestamp, ssrc, now)


@kernel
def _fetch_ahead(tables: Any, voices: Any, number: Any) -> None:
    """Have fetched what the next streams' packets need, while those of stream `number` are recorded."""
    staged = tables.totals[t.STAGED]
    after_next = voices.staged[number + 2, staged_row.SLOT] if number + 2 < staged else -1
    if after_next >= 0:
        voice = row_of(voices.voices, after_next).ctypes.data
        fetch_ahead(voice)
        fetch_ahead(voice + 8 * voice_row.TAPE)
        fetch_lines_ahead(row_of(voices.taps, after_next).ctypes.data, 8 * tap_row.WIDTH)
    following = voices.staged[number + 1, staged_row.SLOT] if number + 1 < staged else -1
    recording = voices.voices[following, voice_row.TAPE] if following >= 0 else 0
    if recording != 0:
        row = row_of(voices.tapes, recording - 1)
        fetch_lines_ahead(row.ctypes.data, 8 * record.WIDTH)


@kernel
def record_staged(tables: Any, voices: Any) -> None:
    """Record all packets that wait, one stream after the other, each one's in the order they came."""
    for number in range(tables.totals[t.STAGED]):
        slot = voices.staged[number, staged_row.SLOT]
        if slot < 0:
            continue
        _fetch_ahead(tables, voices, number)
        tables.streams[slot, stream_row.TAPPED] = stream_row.MAY_WAIT
        recorded = voices.voices[slot, voice_row.TAPE] != 0
        following = number + 1 if recorded else 0
        while following != 0:
            one = row_of(voices.staged, following - 1)
            packet = rest(voices.stage, one[staged_row.AT])
            _tap_packet(voices, slot, packet, one[staged_row.LENGTH], one[staged_row.CAME])
            following = one[staged_row.NEXT]
    tables.totals[t.STAGED] = 0
    tables.totals[t.STAGE_END] = 0


@kernel
def _stage(tables: Any, voices: Any, slot: Any, packet: Any, length: Any, now: Any) -> None:
    """Keep a packet until `record_staged`."""
    totals = tables.totals
    full = totals[t.STAGE_END] + length > staged_row.OCTETS
    if full or totals[t.STAGED] == staged_row.MOST:
        record_staged(tables, voices)
    at = totals[t.STAGE_END]
    totals[t.STAGE_END] += length
    totals[t.STAGED] += 1
    number = totals[t.STAGED]
    copy = part(voices.stage, at, length)
    for index in range(length):
        copy[index] = packet[index]
    before = tables.streams[slot, stream_row.TAPPED] - stream_row.MAY_WAIT
    tables.streams[slot, stream_row.TAPPED] = stream_row.MAY_WAIT + number
    if before != 0:
        voices.staged[before - 1, staged_row.NEXT] = number
    one = row_of(voices.staged, number - 1)
    one[staged_row.SLOT] = slot if before == 0 else -1
    one[staged_row.NEXT] = 0
    one[staged_row.AT] = at
    one[staged_row.LENGTH] = length
    one[staged_row.CAME] = now


@kernel
def tap(tables: Any, voices: Any, slot: Any, received: Any, now: Any) -> None:
    """Record what `relay` has just passed on of a stream, or keep it for that.

    What takes long to decode isn't kept: many packets of it at once would hold up all others.

    Args:
        tables, voices: the packet thread's; the packets still lie where they came.
        slot: the stream.
        received: packets; those that were refused have no length.
        now: CLOCK_MONOTONIC in nanoseconds.
    """
    for index in range(received):
        length = tables.read_headers[index, 7] & _LOW_32
        packet = row_of(tables.packets, index)
        if packet_kind(packet, length) != RTP:
            continue
        if tables.streams[slot, stream_row.TAPPED] != stream_row.AT_ONCE:
            _stage(tables, voices, slot, packet, length, now)
        elif voices.voices[slot, voice_row.TAPE] != 0:
            _tap_packet(voices, slot, packet, length, now)
