"""What the main thread wants of voices: begin, change, end, send digits, and tell how it is."""

from typing import Any

from pbx.media.engine import ring_row, stream_row, tap_row, voice_row
from pbx.media.engine import tables as t
from pbx.media.engine.kernels import (
    comfort_noise,
    detect,
    jitter,
    jitter_row,
    plc,
    quality,
    quality_row,
    rtcp,
    rtp_out,
    telephone_event,
)
from pbx.media.engine.kernels.counting import report_voice
from pbx.media.engine.kernels.dialling import dial
from pbx.media.engine.kernels.hearing import hear_now
from pbx.media.engine.kernels.numbering import forget_source, next_timestamp
from pbx.media.engine.kernels.outbox import send_posted
from pbx.media.engine.kernels.pairs import part_from
from pbx.media.engine.kernels.reporting import report_words
from pbx.media.engine.kernels.resample import WINDOW
from pbx.media.engine.kernels.rtp import RTP_HEADER
from pbx.media.engine.kernels.taping import change_clock
from pbx.media.engine.kernels.ticking import join_tick, leave_tick
from pbx.media.engine.kernels.voice_in import record_waiting
from pbx.media.engine.kernels.voice_out import forget_digits, send_report
from pbx.media.engine.kernels.watching import become_relayed, become_voice
from pbx.media.engine.native import clear, kernel, monotonic_ns, part, row_of


@kernel
def _begin_sender(tables: Any, voices: Any, slot: Any, settings: Any) -> None:
    """Let a voice go on behind what its peer has had: one stream, whoever sends it (`numbering`)."""
    stream = row_of(tables.streams, slot)
    sender = part(row_of(voices.voices, slot), voice_row.SENDER, rtp_out.WIDTH)
    if stream[stream_row.OUT_NS] == 0:
        rtp_out.begin(
            sender,
            settings[voice_row.SSRC],
            settings[voice_row.SEQUENCE],
            settings[voice_row.TIMESTAMP],
        )
        return
    now = monotonic_ns(tables.scratch)
    rtp_out.begin(
        sender,
        stream[stream_row.OUT_SSRC],
        stream[stream_row.OUT_SEQUENCE] + 1,
        next_timestamp(stream, settings[voice_row.CLOCK], now),
    )
    sender[rtp_out.SENT] = stream[stream_row.SENT]
    sender[rtp_out.SENT_OCTETS] = (
        stream[stream_row.SENT_OCTETS] - RTP_HEADER * stream[stream_row.SENT]
    )


@kernel
def _end_sender(tables: Any, voices: Any, slot: Any) -> None:
    """Let whoever is passed on to the peer next go on behind what the voice has sent."""
    stream = row_of(tables.streams, slot)
    row = row_of(voices.voices, slot)
    sender = part(row, voice_row.SENDER, rtp_out.WIDTH)
    forget_source(stream)
    before = stream[stream_row.OUT_SEQUENCE]
    sent = (sender[rtp_out.SEQUENCE] - 1 - before) & 0xFFFF
    first = stream[stream_row.OUT_NS] == 0
    if sender[rtp_out.SENT] == 0 or (sent == 0 and not first):
        return
    stream[stream_row.OUT_SSRC] = sender[rtp_out.SSRC]
    stream[stream_row.OUT_SEQUENCE] = sent if first else before + sent
    # Its timestamp is the one after the last tick's
    last = sender[rtp_out.TIMESTAMP] - row[voice_row.CLOCK] // 50
    stream[stream_row.OUT_TIMESTAMP] = last & 0xFFFFFFFF
    stream[stream_row.OUT_NS] = row[voice_row.TICK_NS]
    stream[stream_row.LOST_TOLD] = row[voice_row.RTCP + rtcp.PEER_LOST]


@kernel
def _begin(tables: Any, voices: Any, slot: Any, command: Any) -> None:
    row = row_of(voices.voices, slot)
    # A stream that is being recorded goes on being so, and a key that is down isn't a new one.
    tape, side = row[voice_row.TAPE], row[voice_row.TAPE_SIDE]
    down, due = row[voice_row.KEY_DOWN], row[voice_row.DIGIT_NS]
    for word in range(voice_row.WIDTH):
        if not voice_row.EVENT_IN <= word < voice_row.EVENT_IN + telephone_event.WIDTH:
            row[word] = 0
    clear(row_of(voices.sound, slot))
    row[voice_row.ACTIVE] = 1
    row[voice_row.LATE_BEFORE] = tables.totals[t.LATE_TICKS]
    row[voice_row.TAPE] = tape
    row[voice_row.TAPE_SIDE] = side
    row[voice_row.KEY_DOWN] = down
    row[voice_row.DIGIT_NS] = due
    row[voice_row.DECODER] = -1
    row[voice_row.ENCODER] = -1
    settings = part(command, ring_row.SETTINGS - 1, ring_row.WIDTH + 1 - ring_row.SETTINGS)
    _begin_sender(tables, voices, slot, settings)
    rtcp.begin(part(row, voice_row.RTCP, rtcp.WIDTH), settings[voice_row.SSRC])
    quality.begin(part(row, voice_row.QUALITY, quality_row.WIDTH), 8000, 0, 1)
    become_voice(tables, slot)
    join_tick(tables, voices, slot)


@kernel
def _begin_codec(voices: Any, slot: Any) -> None:
    """Make all ready that depends on the codec."""
    row = row_of(voices.voices, slot)
    jitter.prepare(
        part(row, voice_row.JITTER, jitter_row.WIDTH),
        row[voice_row.CLOCK],
        row[voice_row.RATE],
        voice_row.SHORTEST_MS,
        voice_row.LONGEST_MS,
        row[voice_row.EVENT_TYPE],
        row[voice_row.NOISE_TYPE],
        row[voice_row.DTX_OCTETS],
        voice_row.SLOT_SHIFT,
        voice_row.SLOTS,
    )
    memory = part(row_of(voices.sound, slot), voice_row.CONCEALER_MEMORY, plc.MEMORY)
    concealer = part(row, voice_row.CONCEALER, plc.WIDTH)
    plc.start(concealer, memory, row[voice_row.RATE])
    noise = part(row, voice_row.NOISE, comfort_noise.WIDTH)
    comfort_noise.start(noise, row[voice_row.RATE], row[voice_row.SSRC])
    statistics = part(row, voice_row.QUALITY, quality_row.WIDTH)
    statistics[quality_row.CLOCK] = row[voice_row.CLOCK]
    statistics[quality_row.CODEC_IE] = row[voice_row.CODEC_IE]
    statistics[quality_row.CODEC_BPL] = max(row[voice_row.CODEC_BPL], 1)
    statistics[quality_row.TRANSIT] = -1
    row[voice_row.PENDING] = 0
    row[voice_row.HUSH] = 0
    row[voice_row.ROOM_RATE] = 0
    sound = row_of(voices.sound, slot)
    clear(part(sound, voice_row.TO_DETECTOR, WINDOW))
    clear(part(sound, voice_row.TO_TAPE, WINDOW))
    if row[voice_row.TAPE] != 0:
        change_clock(voices, slot)


@kernel
def _change_types(row: Any) -> None:
    """Go on with other payload types beside the sound, of which all that waits is kept."""
    row[voice_row.JITTER + jitter_row.EVENT_TYPE] = row[voice_row.EVENT_TYPE]
    row[voice_row.JITTER + jitter_row.NOISE_TYPE] = row[voice_row.NOISE_TYPE]
    if row[voice_row.EVENT_TYPE] < 0:
        forget_digits(row)


@kernel
def set_voice(tables: Any, voices: Any, command: Any) -> None:
    """Carry out SET_VOICE; reports the coders that nobody needs any longer."""
    slot = command[ring_row.ROW]
    settings = part(command, ring_row.SETTINGS - 1, ring_row.WIDTH + 1 - ring_row.SETTINGS)
    row = row_of(voices.voices, slot)
    if row[voice_row.ACTIVE] == 0:
        _begin(tables, voices, slot, command)
    else:
        hear_now(tables, voices, slot)
    decoder, encoder = row[voice_row.DECODER], row[voice_row.ENCODER]
    anew = decoder != settings[voice_row.DECODER]
    if anew and decoder >= 0:
        record_waiting(voices, slot, monotonic_ns(tables.scratch))
    moved = (
        row[voice_row.ROOM] != settings[voice_row.ROOM]
        or row[voice_row.PARTNER] != settings[voice_row.PARTNER]
    )
    if moved:
        row[voice_row.ROOM_RATE] = 0
    kept = row[voice_row.FLAGS] & settings[voice_row.FLAGS]
    for word in range(1, voice_row.SETTINGS_END):
        row[word] = settings[word]
    line = part(row, voice_row.LINE_IN, detect.LINE_WIDTH)
    if kept & voice_row.WATCHED == 0:
        clear(line)
    if kept & voice_row.INBAND == 0:
        clear(part(row, voice_row.DIGIT_IN, detect.WIDTH))
    line[detect.LINE_TURNS] = row[voice_row.LINE_TURNS]
    line[detect.LINE_BESIDE] = row[voice_row.LINE_BESIDE]
    row[voice_row.SAID] = 0
    row[voice_row.SPEAKERS] = 0
    if anew:
        _begin_codec(voices, slot)
    _change_types(row)
    if decoder >= 0 and decoder != row[voice_row.DECODER]:
        report_words(tables, ring_row.VOICE_SET, slot, decoder, encoder)


@kernel
def release_voice(tables: Any, voices: Any, slot: Any, now: Any, leaving: Any) -> None:
    """End a voice, if the stream is one; its report is written, and 1 for `leaving` says BYE in it."""
    row = row_of(voices.voices, slot)
    if row[voice_row.ACTIVE] == 0:
        return
    if leaving != 0:
        # Else who is heard next gets it
        hear_now(tables, voices, slot)
    record_waiting(voices, slot, now)
    send_report(tables, voices, slot, now, leaving)
    send_posted(tables, voices)
    _end_sender(tables, voices, slot)
    quality.end_last_second(part(row, voice_row.QUALITY, quality_row.WIDTH), now)
    report_voice(tables, voices, slot)
    row[voice_row.ACTIVE] = 0
    voices.taps[slot, tap_row.CURRENT] = -1
    part_from(tables, voices, slot)
    become_relayed(tables, slot)
    leave_tick(tables, voices, slot)


@kernel
def stop_voice(tables: Any, voices: Any, slot: Any, now: Any) -> None:
    """Let a voice be a stream that is relayed, and report that its coders are free."""
    # What the peer hears goes on, from somebody else
    release_voice(tables, voices, slot, now, 0)
    report_words(tables, ring_row.VOICE_STOPPED, slot, 0, 0)


@kernel
def _place(row: Any, number: Any) -> Any:
    """Return where one of the digits that wait stands, counted from the next one on."""
    return (row[voice_row.DIGITS_FIRST] + number) & (voice_row.MOST_DIGITS - 1)


@kernel
def send_digits(tables: Any, voices: Any, command: Any, now: Any) -> None:
    """Carry out SEND_DIGITS: count, two words of codes, milliseconds on and off.

    They come behind those that wait; what doesn't fit is left out.
    """
    slot, settings = command[ring_row.ROW], ring_row.SETTINGS
    row = row_of(voices.voices, slot)
    count, on_ms, off_ms = command[settings], command[settings + 3], command[settings + 4]
    if row[voice_row.ACTIVE] == 0:
        if tables.streams[slot, stream_row.STATE] != 0:
            dial(tables.streams[slot], command[settings + 1], min(count, 16), on_ms, off_ms, now)
        return
    on_units = on_ms * row[voice_row.EVENT_CLOCK] // 1000
    row[voice_row.OFF_UNITS] = off_ms * row[voice_row.EVENT_CLOCK] // 1000
    for at in range(count):
        left = row[voice_row.DIGITS_LEFT]
        if left < voice_row.MOST_DIGITS:
            code = (command[settings + 1 + (at >> 4)] >> (4 * (at & 15))) & 0xF
            row[voice_row.DIGITS + _place(row, left)] = code | on_units << 4
            row[voice_row.DIGITS_LEFT] = left + 1


@kernel
def end_digit(voices: Any, command: Any) -> None:
    """Carry out END_DIGIT: the milliseconds that the digit lasts which came last."""
    row = row_of(voices.voices, command[ring_row.ROW])
    units = command[ring_row.SETTINGS] * row[voice_row.EVENT_CLOCK] // 1000
    left = row[voice_row.DIGITS_LEFT]
    if left == 0:
        telephone_event.stop(part(row, voice_row.EVENT_OUT, telephone_event.WIDTH), units)
        return
    word = voice_row.DIGITS + _place(row, left - 1)
    row[word] = row[word] & 0xF | units << 4
