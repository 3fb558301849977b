"""What a voice's peer sends: packets into the jitter buffer, and one frame of sound each tick."""

from typing import Any

import numpy as np

from pbx.media import codecs
from pbx.media.engine import coder_row, ring_row, voice_row
from pbx.media.engine.kernels import (
    comfort_noise,
    detect,
    header_extension,
    levels,
    plc,
    quality,
    quality_row,
    telephone_event,
)
from pbx.media.engine.kernels import jitter as jitter_in
from pbx.media.engine.kernels import jitter_row as j
from pbx.media.engine.kernels.codec import (
    conceal_natively,
    decode,
    ends_in_noise,
    has_memory,
    opus_has_copy,
    recover,
)
from pbx.media.engine.kernels.keys import report_digit, report_end, report_event_end
from pbx.media.engine.kernels.levels import watch_level
from pbx.media.engine.kernels.pacing import decoded_until, may_decode
from pbx.media.engine.kernels.playout import (
    decoded,
    filled,
    next_step,
    next_waiting,
    stands_in,
    stood_still,
    take,
)
from pbx.media.engine.kernels.reporting import report_words
from pbx.media.engine.kernels.resample import WINDOW, resample
from pbx.media.engine.kernels.ring import room
from pbx.media.engine.kernels.rtp import big_endian_16, big_endian_32
from pbx.media.engine.kernels.rtp_in import payload_place
from pbx.media.engine.kernels.taping import tape
from pbx.media.engine.native import clear, kernel, part, rest, row_of

_MOST_STEPS = 2 * j.MAX_SLOTS
"""Of one tick; a bound for what ends by itself."""

_DETECTOR_RATE = 8000

_KEY_WAITS = 10
"""Ticks that a key may be without sound: packets that were held up or lost don't press it twice."""


@kernel
def _look_for_keys(tables: Any, voices: Any, slot: Any, sound: Any, samples: Any, now: Any) -> None:
    """Look for DTMF in at most 20 ms of what the peer says."""
    row = row_of(voices.voices, slot)
    digits = part(row, voice_row.DIGIT_IN, detect.WIDTH)
    heard = sound
    if row[voice_row.RATE] != _DETECTOR_RATE:
        window = part(row_of(voices.sound, slot), voice_row.TO_DETECTOR, WINDOW)
        rate = row[voice_row.RATE]
        samples = resample(window, sound, samples, rate, _DETECTOR_RATE, voices.spare)
        heard = voices.spare
    before, lasted = digits[detect.DIGIT], digits[detect.SAMPLES]
    digit = detect.detect_dtmf(digits, heard, samples)
    if before != 0 and (digits[detect.DIGIT] != before or digit >= 0):
        if digit < 0:
            lasted = digits[detect.SAMPLES]
        report_end(tables, row, slot, before - 1, 1, lasted * 1000 // _DETECTOR_RATE)
    if digit >= 0:
        report_digit(tables, row, slot, digit, 1, now)


@kernel
def _watch_keys(tables: Any, voices: Any, slot: Any, frame: Any, now: Any) -> None:
    """Look for DTMF in the frame of a tick."""
    row = row_of(voices.voices, slot)
    digits = part(row, voice_row.DIGIT_IN, detect.WIDTH)
    waits = stands_in(part(row, voice_row.JITTER, j.WIDTH))
    digits[detect.WAITED] = digits[detect.WAITED] + 1 if waits else 0
    if not 0 < digits[detect.WAITED] <= _KEY_WAITS:
        _look_for_keys(tables, voices, slot, frame, row[voice_row.RATE] // 50, now)


@kernel
def _watch_unheard_keys(
    tables: Any, voices: Any, slot: Any, sound: Any, samples: Any, now: Any
) -> None:
    """Look for DTMF in sound for which no tick was left: a key is pressed whether we sleep or not."""
    piece = row_of(voices.voices, slot)[voice_row.RATE] // 100
    for begin in range(0, samples - piece + 1, piece):
        _look_for_keys(tables, voices, slot, rest(sound, begin), piece, now)


@kernel
def _watch_line(tables: Any, row: Any, slot: Any, frame: Any) -> None:
    """Look for the tone and for silence in a frame; what can't be told now is told in the next tick."""
    line = part(row, voice_row.LINE_IN, detect.LINE_WIDTH)
    detect.watch_line(line, frame, row[voice_row.RATE] // 50)
    events = line[detect.LINE_EVENTS]
    if events != 0 and room(tables.reports, tables.report_cursors) > ring_row.RESERVE:
        report_words(tables, ring_row.LINE, slot, events, line[detect.LINE_BURST])
        line[detect.LINE_EVENTS] = 0


@kernel
def _meant(row: Any, payload_type: Any) -> Any:
    """Return which of the peer's payload types a packet's stands for; -1 for none.

    RFC 3264 §5.1: it sends with the numbers that it was told, where its own are others. Some don't,
    so its own are understood, too.
    """
    if payload_type == row[voice_row.TOLD_TYPE]:
        return row[voice_row.PAYLOAD_TYPE]
    if payload_type == row[voice_row.TOLD_EVENT_TYPE]:
        return row[voice_row.EVENT_TYPE]
    if payload_type == row[voice_row.TOLD_NOISE_TYPE]:
        return row[voice_row.NOISE_TYPE]
    known = (
        payload_type == row[voice_row.PAYLOAD_TYPE]
        or payload_type == row[voice_row.EVENT_TYPE]
        or payload_type == row[voice_row.NOISE_TYPE]
    )
    return payload_type if known else -1


@kernel
def _note_said(row: Any, packet: Any, length: Any) -> None:
    """Take note of what a packet's header says of voice in it; nothing where it says nothing."""
    number = (row[voice_row.FLAGS] & voice_row.LEVEL_IN) >> voice_row.LEVEL_IN_SHIFT
    said = header_extension.first_octet(packet, length, number)
    if said < 0:
        row[voice_row.SAID] &= voice_row.HAS_SAID_SOME
    elif said & header_extension.VOICE != 0:
        row[voice_row.SAID] = voice_row.HAS_SAID_SOME
    else:
        row[voice_row.SAID] |= voice_row.SAYS_NONE


@kernel
def _fastest(jitter: Any, timestamp: Any, base: Any, now: Any) -> Any:
    """Return when a packet came, or would have, had it been the fastest, in nanoseconds.

    When it is played depends on what the network does to others; a recording is to have it where it
    was said.

    Args:
        jitter: the voice's jitter row.
        timestamp: of the packet, extended.
        base: `jitter_row.BASE` of its time line.
        now: CLOCK_MONOTONIC in nanoseconds.
    """
    at = np.uint64(max(timestamp + base, 0))
    clock, second = np.uint64(jitter[j.CLOCK]), np.uint64(jitter_in.SECOND_NS)
    # In two parts: all of it in nanoseconds would be too much for a word.
    whole = at // clock
    came = whole * second + (at - whole * clock) * second // clock
    return min(np.int64(came), now)


@kernel
def _record_unheard(
    voices: Any,
    slot: Any,
    payload: Any,
    length: Any,
    timestamp: Any,
    base: Any,
    ssrc: Any,
    now: Any,
) -> None:
    """Decode a packet that nobody will hear into the voice's recording, which it has.

    Args:
        voices, slot: as for `take_packet`.
        payload, length: of the packet.
        timestamp, base, ssrc: its own, extended; the `BASE` of its time line; its source.
        now: CLOCK_MONOTONIC in nanoseconds.
    """
    row = row_of(voices.voices, slot)
    if not may_decode(row[voice_row.UNHEARD_NS], now):
        return
    coder = row[voice_row.DECODER]
    samples = decode(
        voices.functions,
        row_of(voices.coders, coder),
        row_of(voices.memories, coder),
        payload,
        length,
        voices.tapped,
    )
    row[voice_row.UNHEARD_NS] = decoded_until(
        row[voice_row.UNHEARD_NS], samples, row[voice_row.RATE], now
    )
    if samples > 0:
        jitter = part(row, voice_row.JITTER, j.WIDTH)
        came = _fastest(jitter, timestamp, base, now)
        tape(voices, slot, voices.tapped, samples, timestamp, ssrc, came)


@kernel
def _record_late(
    voices: Any,
    slot: Any,
    payload: Any,
    length: Any,
    payload_type: Any,
    timestamp: Any,
    ssrc: Any,
    now: Any,
) -> None:
    """Record a packet that has come too late to be heard, where it belongs.

    Not of a codec with a memory: that is beyond this packet already, and what is heard would suffer.
    """
    row = row_of(voices.voices, slot)
    jitter = part(row, voice_row.JITTER, j.WIDTH)
    # One that is further away may be of another time line.
    late = jitter_in.signed_32(jitter[j.NEXT_TS] - timestamp)
    known = payload_type == row[voice_row.PAYLOAD_TYPE] and 0 < late <= jitter[j.MAX_DELAY]
    if known and not has_memory(row_of(voices.coders, row[voice_row.DECODER])):
        extended = jitter[j.NEXT_TS] - late
        _record_unheard(voices, slot, payload, length, extended, jitter[j.BASE], ssrc, now)


@kernel
def _record_dropped(voices: Any, slot: Any, dropped: Any, ssrc: Any, base: Any, now: Any) -> None:
    """Record what `jitter.put` has just thrown away: what waited longest, or all of another source.

    Its slots are the last ones to be filled anew. A full buffer has filled the oldest one already.

    Args:
        voices, slot: as for `take_packet`.
        dropped: packets.
        ssrc, base: their source, and the `BASE` of its time line.
        now: when the packet came for which they had to go.
    """
    row = row_of(voices.voices, slot)
    jitter = part(row, voice_row.JITTER, j.WIDTH)
    free = jitter[j.SLOT_MASK] + 1 - jitter[j.COUNT] - jitter[j.CANDIDATE]
    count = min(dropped, free)
    for position in range(jitter[j.HEAD] - count, jitter[j.HEAD]):
        place = jitter_in.slot_at(jitter, position)
        facts = jitter_in.facts_of(jitter, place)
        if facts >> 32 == row[voice_row.NOISE_TYPE]:
            continue
        timestamp = jitter_in.timestamp_of(jitter, place)
        payload = rest(row_of(voices.payloads, slot), place << voice_row.SLOT_SHIFT)
        _record_unheard(voices, slot, payload, facts & 0xFFFF, timestamp, base, ssrc, now)


@kernel
def take_packet(tables: Any, voices: Any, slot: Any, packet: Any, length: Any, now: Any) -> None:
    """Take in one RTP packet of a voice's peer.

    Args:
        tables, voices: the packet thread's.
        slot: the voice.
        packet, length: octets of the packet.
        now: when it came, CLOCK_MONOTONIC in nanoseconds.
    """
    place = payload_place(packet, length)
    if place < 0:
        return
    row = row_of(voices.voices, slot)
    payload_type = _meant(row, np.int64(packet[1]) & 0x7F)
    if payload_type < 0:
        return
    offset, octets = place >> 16, place & 0xFFFF
    marker = np.int64(packet[1]) >> 7
    sequence, timestamp = big_endian_16(packet, 2), big_endian_32(packet, 4)
    ssrc = big_endian_32(packet, 8)
    jitter = part(row, voice_row.JITTER, j.WIDTH)
    before, base, head = jitter[j.SSRC], jitter[j.BASE], jitter[j.HEAD]
    verdict = jitter_in.put(
        jitter,
        row_of(voices.payloads, slot),
        packet,
        offset,
        octets,
        sequence,
        timestamp,
        marker,
        payload_type,
        ssrc,
        now,
    )
    if row[voice_row.TAPE] != 0:
        if jitter[j.HEAD] > head:
            _record_dropped(voices, slot, jitter[j.HEAD] - head, before, base, now)
        if verdict == j.TOO_LATE:
            payload = rest(packet, offset)
            _record_late(voices, slot, payload, octets, payload_type, timestamp, ssrc, now)
    is_opus = voices.coders[row[voice_row.DECODER], coder_row.CODEC] == codecs.OPUS
    if is_opus and verdict == j.STORED and opus_has_copy(rest(packet, offset), octets):
        jitter[j.COPIES] = 1
    if jitter[j.SSRC] != before:
        # Another source may have no detector, which that one had
        row[voice_row.SAID] = 0
    if row[voice_row.FLAGS] & voice_row.LEVEL_IN != 0 and verdict == j.STORED:
        _note_said(row, packet, length)
    # A stray says nothing of how the source arrives that is heard
    if ssrc == jitter[j.SSRC]:
        in_time = 0 if verdict == j.TOO_LATE else 1
        statistics = part(row, voice_row.QUALITY, quality_row.WIDTH)
        quality.receive(statistics, ssrc, sequence, timestamp, in_time, now)
    if verdict == j.EVENT:
        events = part(row, voice_row.EVENT_IN, telephone_event.WIDTH)
        happened = telephone_event.receive(
            events, packet, offset, octets, sequence, timestamp, marker, ssrc, now
        )
        # An end with a beginning is that of the key before, or of one that one packet told of
        if happened & telephone_event.ENDED != 0 and events[telephone_event.OPEN] != 0:
            report_event_end(tables, row, slot, events)
        if happened & telephone_event.BEGAN != 0:
            report_digit(tables, row, slot, events[telephone_event.DIGIT], 0, now)
        if happened & telephone_event.ENDED != 0 and events[telephone_event.OPEN] == 0:
            report_event_end(tables, row, slot, events)


@kernel
def _decode_slot(voices: Any, slot: Any, line: Any, now: Any) -> Any:
    """Decode and record the packet that the jitter buffer has handed out.

    It is behind the end of the line then; returns its samples, 0 or less if it can't be decoded.
    """
    row = row_of(voices.voices, slot)
    jitter = part(row, voice_row.JITTER, j.WIDTH)
    begin = jitter[j.SLOT] << voice_row.SLOT_SHIFT
    payload = part(row_of(voices.payloads, slot), begin, jitter[j.SLOT_LENGTH])
    coder = row[voice_row.DECODER]
    end = rest(line, jitter[j.LINE])
    samples = decode(
        voices.functions,
        row_of(voices.coders, coder),
        row_of(voices.memories, coder),
        payload,
        jitter[j.SLOT_LENGTH],
        end,
    )
    if samples > 0 and row[voice_row.TAPE] != 0:
        came = _fastest(jitter, jitter[j.SLOT_TS], jitter[j.BASE], now)
        tape(voices, slot, end, samples, jitter[j.SLOT_TS], jitter[j.SSRC], came)
    return samples


@kernel
def _play_slot(voices: Any, slot: Any, line: Any, now: Any) -> None:
    """Decode the packet that the jitter buffer has handed out to the end of the line."""
    row = row_of(voices.voices, slot)
    jitter = part(row, voice_row.JITTER, j.WIDTH)
    end = rest(line, jitter[j.LINE])
    samples = _decode_slot(voices, slot, line, now)
    if samples > 0:
        memory = part(row_of(voices.sound, slot), voice_row.CONCEALER_MEMORY, plc.MEMORY)
        plc.heard(part(row, voice_row.CONCEALER, plc.WIDTH), memory, end, samples)
    decoded(jitter, line, samples)
    coder = row_of(voices.coders, row[voice_row.DECODER])
    if samples > 0 and ends_in_noise(coder, jitter[j.SLOT_LENGTH]):
        jitter[j.SILENT] = j.BY_CODEC


@kernel
def _pass_over(tables: Any, voices: Any, slot: Any, line: Any, now: Any) -> None:
    """Record the packet that nobody will hear, and look for keys in it."""
    row = row_of(voices.voices, slot)
    watches = row[voice_row.FLAGS] & voice_row.INBAND != 0
    wanted = row[voice_row.TAPE] != 0 or watches
    if not wanted or not may_decode(row[voice_row.UNHEARD_NS], now):
        return
    samples = _decode_slot(voices, slot, line, now)
    row[voice_row.UNHEARD_NS] = decoded_until(
        row[voice_row.UNHEARD_NS], samples, row[voice_row.RATE], now
    )
    if watches:
        end = rest(line, row[voice_row.JITTER + j.LINE])
        _watch_unheard_keys(tables, voices, slot, end, samples, now)


@kernel
def _conceal(voices: Any, slot: Any, line: Any) -> None:
    """Put what the jitter buffer wants concealed at the end of the line."""
    row = row_of(voices.voices, slot)
    jitter = part(row, voice_row.JITTER, j.WIDTH)
    coder = row_of(voices.coders, row[voice_row.DECODER])
    wanted = jitter[j.WANTED]
    end = rest(line, jitter[j.LINE])
    if jitter[j.AFTER_LOSS] >= 0:
        begin = jitter[j.AFTER_LOSS] << voice_row.SLOT_SHIFT
        payload = part(row_of(voices.payloads, slot), begin, jitter[j.AFTER_LENGTH])
        made = recover(voices.functions, coder, payload, jitter[j.AFTER_LENGTH], end, wanted)
    else:
        made = conceal_natively(voices.functions, coder, end, wanted)
    memory = part(row_of(voices.sound, slot), voice_row.CONCEALER_MEMORY, plc.MEMORY)
    concealer = part(row, voice_row.CONCEALER, plc.WIDTH)
    if made == wanted:
        plc.heard(concealer, memory, end, wanted)
    else:
        plc.conceal(concealer, memory, end, wanted)
    filled(jitter)


@kernel
def _comfort(voices: Any, slot: Any, line: Any) -> None:
    """Put what is heard in the peer's silence at the end of the line.

    A codec with a DTX of its own goes on from the noise that it has heard: beside that, nothing at all
    would be heard as a noise that is switched on and off.
    """
    row = row_of(voices.voices, slot)
    jitter = part(row, voice_row.JITTER, j.WIDTH)
    end = rest(line, jitter[j.LINE])
    made, wanted = 0, jitter[j.WANTED]
    if jitter[j.SILENT] == j.BY_CODEC:
        coder = row_of(voices.coders, row[voice_row.DECODER])
        # They make whole frames only; what is too much is written over.
        frame = row[voice_row.RATE] // 100
        whole = (wanted + frame - 1) // frame * frame
        made = conceal_natively(voices.functions, coder, end, whole)
    if made < wanted:
        noise = part(row, voice_row.NOISE, comfort_noise.WIDTH)
        comfort_noise.make_noise(noise, end, wanted)
    filled(jitter)


@kernel
def play(tables: Any, voices: Any, slot: Any, now: Any) -> None:
    """Fill the voice's frame with what its peer says in this tick; sets `FILLED`.

    Args:
        tables, voices: the packet thread's.
        slot: the voice.
        now: the time of the tick, the same for all voices.
    """
    row = row_of(voices.voices, slot)
    sound = row_of(voices.sound, slot)
    jitter = part(row, voice_row.JITTER, j.WIDTH)
    line = part(sound, voice_row.LINE, voice_row.LINE_SAMPLES)
    noise = part(row, voice_row.NOISE, comfort_noise.WIDTH)
    frame = part(sound, voice_row.OWN, voice_row.FRAME)
    row[voice_row.FILLED] = 0
    if row[voice_row.FLAGS] & voice_row.INBAND != 0 and stood_still(jitter, now):
        _watch_unheard_keys(tables, voices, slot, line, jitter[j.LINE], now)
    for _ in range(_MOST_STEPS):
        step = next_step(jitter, now)
        if step == j.READY:
            take(jitter, line, frame)
            row[voice_row.FILLED] = jitter[j.FRAME]
            break
        if step == j.NOTHING:
            break
        if step == j.PLAY:
            _play_slot(voices, slot, line, now)
        elif step == j.PASSED:
            _pass_over(tables, voices, slot, line, now)
        elif step == j.CONCEAL:
            _conceal(voices, slot, line)
        elif step == j.COMFORT:
            _comfort(voices, slot, line)
        else:
            begin = jitter[j.SLOT] << voice_row.SLOT_SHIFT
            payload = part(row_of(voices.payloads, slot), begin, jitter[j.SLOT_LENGTH])
            comfort_noise.set_noise(noise, payload, jitter[j.SLOT_LENGTH])


@kernel
def record_waiting(voices: Any, slot: Any, now: Any) -> None:
    """Put what still waits of a voice into its recording, if it has one: it won't be played.

    Args:
        voices: the tables.
        slot: the voice, which ends or goes on with another codec.
        now: CLOCK_MONOTONIC in nanoseconds.
    """
    row = row_of(voices.voices, slot)
    if row[voice_row.TAPE] == 0:
        return
    jitter = part(row, voice_row.JITTER, j.WIDTH)
    line = part(row_of(voices.sound, slot), voice_row.LINE, voice_row.LINE_SAMPLES)
    for _ in range(j.MAX_SLOTS):
        step = next_waiting(jitter)
        if step == j.NOTHING:
            break
        if step != j.NOISE:
            _decode_slot(voices, slot, line, now)


@kernel
def listen(tables: Any, voices: Any, slot: Any, now: Any) -> None:
    """Look at the frame that `play` has filled: level, tones, digits in it, and events that ended.

    Where others aren't to hear the digits, it is silent then as long as there is one.
    """
    row = row_of(voices.voices, slot)
    samples = row[voice_row.FILLED]
    sound = row_of(voices.sound, slot)
    frame = part(sound, voice_row.OWN, voice_row.FRAME)
    for index in range(samples, row[voice_row.RATE] // 50):
        frame[index] = 0
    denied = (
        row[voice_row.FLAGS] & voice_row.LEVEL_IN != 0
        and row[voice_row.SAID] == voice_row.SAYS_NONE | voice_row.HAS_SAID_SOME
    )
    watch_level(part(row, voice_row.LEVEL, levels.WIDTH), frame, row[voice_row.RATE] // 50, denied)
    events = part(row, voice_row.EVENT_IN, telephone_event.WIDTH)
    if telephone_event.expire(events, now) != 0:
        report_event_end(tables, row, slot, events)
    if row[voice_row.FLAGS] & voice_row.WATCHED != 0:
        _watch_line(tables, row, slot, frame)
    if row[voice_row.FLAGS] & voice_row.INBAND != 0:
        _watch_keys(tables, voices, slot, frame, now)
        digits = part(row, voice_row.DIGIT_IN, detect.WIDTH)
        if row[voice_row.FLAGS] & voice_row.HIDES_KEYS != 0 and detect.may_sound(digits):
            clear(frame)
