"""What a voice's peer gets: packets of sound, digits as telephone-events, and reports."""

from typing import Any

from pbx.media.engine import stream_row, voice_row
from pbx.media.engine import tables as t
from pbx.media.engine.kernels import (
    header_extension,
    jitter_row,
    levels,
    quality_row,
    rtcp,
    rtp_out,
    shared,
    telephone_event,
)
from pbx.media.engine.kernels.codec import encode
from pbx.media.engine.kernels.counting import measure
from pbx.media.engine.kernels.dialling import STALE_NS
from pbx.media.engine.kernels.levels import energy
from pbx.media.engine.kernels.outbox import post
from pbx.media.engine.kernels.playout import TICK_NS
from pbx.media.engine.kernels.rtp import RTP_HEADER
from pbx.media.engine.native import clear, kernel, monotonic_ns, ntp_time, part, rest, row_of
from pbx.media.engine.voice_tables import PACKET

_VOLUME = 10
"""-dBm0 of the digits that are sent."""

_HUSH = round(2**30 * 10**-5)
"""A mean square of -50 dBov: nothing louder is silence, be it as steady as a ringing tone."""

_HANGS_MS = 200
"""Silence that is sent before packets cease."""

_APART_MS = 400
"""From one packet in silence to the next: what the peer's decoder makes of silence stays right, and so
does whatever opens doors for packets on the way back."""


@kernel
def _next_digit(row: Any) -> None:
    """Begin the next digit that waits, once the pause behind the last one is over."""
    if row[voice_row.DIGITS_LEFT] == 0:
        return
    first = row[voice_row.DIGITS_FIRST]
    digit = row[voice_row.DIGITS + first]
    row[voice_row.DIGITS_FIRST] = (first + 1) & (voice_row.MOST_DIGITS - 1)
    row[voice_row.DIGITS_LEFT] -= 1
    events = part(row, voice_row.EVENT_OUT, telephone_event.WIDTH)
    timestamp = row[voice_row.SENDER + rtp_out.TIMESTAMP]
    telephone_event.start(events, digit & 0xF, _VOLUME, timestamp, digit >> 4)
    row[voice_row.OFF_LEFT] = row[voice_row.OFF_UNITS]


@kernel
def forget_digits(row: Any) -> None:
    """Send no more of a voice's digits, nor of the one that is being sent."""
    row[voice_row.DIGITS_LEFT] = 0
    clear(part(row, voice_row.EVENT_OUT, telephone_event.WIDTH))


@kernel
def _withhold_digits(row: Any, now: Any) -> None:
    """Let digits wait in a tick in which the peer takes nothing; forget them after a while."""
    events = part(row, voice_row.EVENT_OUT, telephone_event.WIDTH)
    left = row[voice_row.DIGITS_LEFT] + events[telephone_event.OPEN] + events[telephone_event.ENDS]
    if left == 0:
        row[voice_row.HELD_NS] = 0
    elif row[voice_row.HELD_NS] == 0:
        row[voice_row.HELD_NS] = now
    elif now - row[voice_row.HELD_NS] > STALE_NS:
        forget_digits(row)


@kernel
def _send_event(tables: Any, voices: Any, slot: Any, units: Any) -> Any:
    """Send the next packet of a digit; returns False where none is being sent.

    Args:
        tables, voices, slot: as for `speak`.
        units: of the events' clock in a tick. The RTP timestamp is the sound's all the same: a
            source has one time line, and receivers know a digit by where it begins on it.
    """
    row = row_of(voices.voices, slot)
    sender = part(row, voice_row.SENDER, rtp_out.WIDTH)
    events = part(row, voice_row.EVENT_OUT, telephone_event.WIDTH)
    if events[telephone_event.OPEN] == 0 and events[telephone_event.ENDS] == 0:
        row[voice_row.OFF_LEFT] = max(row[voice_row.OFF_LEFT] - units, 0)
        if row[voice_row.OFF_LEFT] == 0:
            _next_digit(row)
    packet = part(voices.outbox, tables.totals[t.OUTBOX_END], PACKET)
    octets = telephone_event.packet(events, packet, RTP_HEADER, units)
    if octets == 0:
        return row[voice_row.DIGITS_LEFT] != 0
    rtp_out.put_event(
        sender,
        packet,
        row[voice_row.EVENT_TYPE],
        octets,
        events[telephone_event.TIMESTAMP],
        events[telephone_event.MARKER],
    )
    post(tables, voices, slot, RTP_HEADER + octets, False)
    return True


@kernel
def _encode(tables: Any, voices: Any, slot: Any, sound: Any, samples: Any, payload: Any) -> Any:
    """Encode a packet's sound, or take its payload from another who hears the same."""
    row = row_of(voices.voices, slot)
    coder = row[voice_row.ENCODER]
    # Of shorter packets a voice sends several in a tick, and only the last one has its encoder's state.
    sharing = row[voice_row.ROOM] >= 0 and samples >= row[voice_row.RATE] // 50
    place = shared.find(tables, voices, coder, sound, samples) if sharing else -1
    if place >= 0:
        return shared.take(voices, place, coder, payload)
    octets = encode(
        voices.functions,
        row_of(voices.coders, coder),
        row_of(voices.memories, coder),
        sound,
        samples,
        payload,
    )
    if sharing:
        shared.keep(tables, voices, coder, sound, samples, payload, octets)
    return octets


@kernel
def _rests(row: Any, sound: Any, samples: Any) -> Any:
    """Return whether a packet is left out, because it is silence and the peer can do without (DTX)."""
    if row[voice_row.FLAGS] & voice_row.DTX == 0:
        return False
    if energy(sound, samples) > samples * _HUSH:
        row[voice_row.HUSH] = 0
        return False
    since = row[voice_row.HUSH] - _HANGS_MS * row[voice_row.RATE] // 1000
    row[voice_row.HUSH] += samples
    apart = _APART_MS * row[voice_row.RATE] // 1000
    return since >= 0 and since // apart == (since + samples) // apart


@kernel
def _put_levels(row: Any, sound: Any, samples: Any, packet: Any) -> Any:
    """Write levels behind a packet's RTP header, as the peer wants them; returns the octets."""
    flags = row[voice_row.FLAGS]
    number = (flags & voice_row.LEVEL_OUT) >> voice_row.LEVEL_OUT_SHIFT
    level = 0
    if number != 0:
        watched = part(row, voice_row.LEVEL_SENT, levels.WIDTH)
        frame = row[voice_row.RATE] // 50
        for at in range(0, samples, frame):
            level = levels.watch_level(watched, rest(sound, at), min(frame, samples - at), False)
        if samples > frame:
            level = levels.level_of(levels.energy(sound, samples), samples)
        if watched[levels.ACTIVE] != 0:
            level |= header_extension.VOICE
    return header_extension.put_levels(
        packet,
        number,
        level,
        (flags & voice_row.SPEAKERS_OUT) >> voice_row.SPEAKERS_OUT_SHIFT,
        part(row, voice_row.SPEAKERS, 1 + voice_row.MOST_NAMED),
    )


@kernel
def _send_sound(tables: Any, voices: Any, slot: Any, sound: Any, quiet: Any) -> None:
    """Encode and send a whole packet of `sound`; `quiet`: an event is being sent in its place."""
    row = row_of(voices.voices, slot)
    sender = part(row, voice_row.SENDER, rtp_out.WIDTH)
    samples = row[voice_row.PACKET]
    wanted = tables.streams[slot, stream_row.FLAGS] & stream_row.SEND != 0 and not quiet
    octets, header = 0, RTP_HEADER
    packet = part(voices.outbox, tables.totals[t.OUTBOX_END], PACKET)
    if wanted:
        if row[voice_row.FLAGS] & (voice_row.LEVEL_OUT | voice_row.SPEAKERS_OUT) != 0:
            header += _put_levels(row, sound, samples, packet)
        octets = _encode(tables, voices, slot, sound, samples, rest(packet, header))
    # The encoder has had it all the same, as it would have with a DTX of its own: so whoever hears the
    # same may share its packets, and what follows goes on from where the peer's decoder is.
    if octets > 0 and not _rests(row, sound, samples):
        rtp_out.put_sound(sender, packet, row[voice_row.PAYLOAD_TYPE], octets)
        if header > RTP_HEADER:
            header_extension.announce(packet, row[voice_row.SPEAKERS])
        post(tables, voices, slot, header + octets, False)
    else:
        rtp_out.pause(sender)
    rtp_out.pass_time(sender, samples * row[voice_row.CLOCK] // row[voice_row.RATE])


@kernel
def speak(tables: Any, voices: Any, slot: Any, now: Any) -> None:
    """Send what the voice's peer hears in this tick.

    Args:
        tables, voices: the packet thread's.
        slot: the voice.
        now: the tick's nominal time, CLOCK_MONOTONIC in nanoseconds.
    """
    row = row_of(voices.voices, slot)
    sound = row_of(voices.sound, slot)
    frame = row[voice_row.RATE] // 50
    units = row[voice_row.CLOCK] // 50
    before = row[voice_row.TICK_NS]
    row[voice_row.TICK_NS] = now
    if before != 0 and now - before > TICK_NS:
        # Ticks that never were: the machine stood still, or the voice went from thread to thread.
        sender = part(row, voice_row.SENDER, rtp_out.WIDTH)
        rtp_out.pass_time(sender, ((now - before) // TICK_NS - 1) * units)
    quiet = False
    if tables.streams[slot, stream_row.FLAGS] & stream_row.SEND != 0:
        row[voice_row.HELD_NS] = 0
        quiet = _send_event(tables, voices, slot, row[voice_row.EVENT_CLOCK] // 50)
    else:
        _withhold_digits(row, now)
    out = part(sound, voice_row.OUT, voice_row.FRAME)
    pending, packet = row[voice_row.PENDING], row[voice_row.PACKET]
    if pending == 0 and packet == frame:
        _send_sound(tables, voices, slot, out, quiet)
        return
    packing = part(sound, voice_row.PACKING, voice_row.PACKING_SAMPLES)
    for index in range(frame):
        packing[pending + index] = out[index]
    pending += frame
    while pending >= packet:
        _send_sound(tables, voices, slot, packing, quiet)
        pending -= packet
        for index in range(pending):
            packing[index] = packing[packet + index]
    row[voice_row.PENDING] = pending


@kernel
def _put_delays(row: Any, out: Any) -> Any:
    """Work out what an XR block says, and write its delays; returns how many, 0 where none is wanted."""
    if row[voice_row.FLAGS] & voice_row.METRICS == 0:
        return 0
    measure(row)
    waiting = part(row, voice_row.JITTER, jitter_row.WIDTH)
    clock = max(waiting[jitter_row.CLOCK], 1)
    now = max(waiting[jitter_row.DELAY], 0)
    out[0] = now * 1000 // clock
    out[1] = max(waiting[jitter_row.TARGET], now) * 1000 // clock
    out[2] = voice_row.LONGEST_MS
    return 3


@kernel
def send_report(tables: Any, voices: Any, slot: Any, now: Any, leaving: Any) -> None:
    """Post a sender or receiver report (RFC 3550 §6.4); `leaving` 1 adds BYE."""
    row = row_of(voices.voices, slot)
    ntp = ntp_time(tables.scratch)
    length = rtcp.write(
        part(row, voice_row.RTCP, rtcp.WIDTH),
        part(row, voice_row.SENDER, rtp_out.WIDTH),
        part(row, voice_row.QUALITY, quality_row.WIDTH),
        part(voices.outbox, tables.totals[t.OUTBOX_END], PACKET),
        voices.name,
        ntp,
        now,
        part(tables.scratch, 0, _put_delays(row, tables.scratch)),
        leaving,
    )
    if length > 0:
        post(tables, voices, slot, length, True)


@kernel
def send_report_if_due(tables: Any, voices: Any, slot: Any, now: Any) -> None:
    """Send a report every 2.5 to 7.5 s, whether sound is wanted or not (RFC 3550 §6.2)."""
    row = row_of(voices.voices, slot)
    if rtcp.is_due(part(row, voice_row.RTCP, rtcp.WIDTH), now):
        send_report(tables, voices, slot, now, 0)


@kernel
def take_report(tables: Any, voices: Any, slot: Any, packet: Any, length: Any, now: Any) -> None:
    """Take in one RTCP datagram of a voice's peer; it came at `now`, which has passed."""
    age = monotonic_ns(tables.scratch) - now
    row = row_of(voices.voices, slot)
    rtcp.read(
        part(row, voice_row.RTCP, rtcp.WIDTH),
        part(row, voice_row.SENDER, rtp_out.WIDTH),
        part(row, voice_row.QUALITY, quality_row.WIDTH),
        packet,
        length,
        ntp_time(tables.scratch) - (age << 32) // 1_000_000_000,
        now,
    )
