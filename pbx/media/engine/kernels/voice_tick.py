"""The tick of 20 ms: all voices are played, mixed, and sent what they hear."""

from typing import Any

from pbx.media.engine import tables as t
from pbx.media.engine import voice_row
from pbx.media.engine.kernels import jitter_row, plc
from pbx.media.engine.kernels.hearing import hear_all
from pbx.media.engine.kernels.outbox import send_posted
from pbx.media.engine.kernels.pairs import hear_partners
from pbx.media.engine.kernels.playing import add, end_players, play_all, play_for_voices
from pbx.media.engine.kernels.playout import TICK_NS
from pbx.media.engine.kernels.rooms import mix_rooms
from pbx.media.engine.kernels.shared import begin_tick
from pbx.media.engine.kernels.views import tables_view, voices_view
from pbx.media.engine.kernels.voice_in import listen, play
from pbx.media.engine.kernels.voice_out import send_report_if_due, speak
from pbx.media.engine.native import (
    call_function,
    clear,
    entry_kernel,
    fetch_ahead,
    fetch_lines_ahead,
    kernel,
    monotonic_ns,
    part,
    read,
    row_of,
)

LATE_NS = 5_000_000
"""A tick is late when what it sends has gone out longer than this after it was due."""


@kernel
def _silence(voices: Any, slot: Any) -> None:
    """Begin a voice's output."""
    samples = voices.voices[slot, voice_row.RATE] // 50
    clear(part(row_of(voices.sound, slot), voice_row.OUT, samples))


@kernel
def _echo(voices: Any, slot: Any) -> None:
    """Add what its peer says to the output of a voice that hears itself."""
    row = row_of(voices.voices, slot)
    if row[voice_row.FLAGS] & voice_row.ECHO != 0:
        sound = row_of(voices.sound, slot)
        own = part(sound, voice_row.OWN, voice_row.FRAME)
        add(part(sound, voice_row.OUT, voice_row.FRAME), own, row[voice_row.RATE] // 50)


@kernel
def _fetch_row_ahead(voices: Any, slot: Any) -> None:
    """Have fetched what `play` and `listen` need of a voice's row, while they serve others."""
    at = row_of(voices.voices, slot).ctypes.data
    fetch_lines_ahead(at + 8 * voice_row.JITTER, 8 * (jitter_row.ORDER + voice_row.SLOTS))
    fetch_lines_ahead(at + 8 * voice_row.LEVEL, 8 * (voice_row.RTCP - voice_row.LEVEL))
    fetch_ahead(at + 8 * voice_row.DECODER)


@kernel
def _fetch_sound_ahead(voices: Any, slot: Any) -> None:
    """Have fetched what they need of its sound; its row is there already."""
    row = row_of(voices.voices, slot)
    jitter = part(row, voice_row.JITTER, jitter_row.WIDTH)
    place = jitter[jitter_row.ORDER + (jitter[jitter_row.HEAD] & jitter[jitter_row.SLOT_MASK])]
    payload = row_of(voices.payloads, slot).ctypes.data + (place << voice_row.SLOT_SHIFT)
    fetch_lines_ahead(payload, jitter[jitter_row.SLOT_LENGTH])
    fetch_ahead(jitter.ctypes.data + 8 * (jitter_row.TIMESTAMPS + place))
    fetch_ahead(jitter.ctypes.data + 8 * (jitter_row.FACTS + place))
    frame = 2 * row[voice_row.RATE] // 50
    sound = row_of(voices.sound, slot).ctypes.data
    fetch_lines_ahead(sound + 2 * voice_row.LINE, frame)
    fetch_lines_ahead(sound + 2 * voice_row.OWN, frame)
    end = row[voice_row.CONCEALER + plc.END]
    fetch_lines_ahead(sound + 2 * (voice_row.CONCEALER_MEMORY + end), frame)
    fetch_ahead(row_of(voices.coders, row[voice_row.DECODER]).ctypes.data)


@entry_kernel
def hear_voices(tables_at: Any, voices_at: Any, now: Any) -> Any:
    """Begin a tick: take from every voice what its peer says.

    Args:
        tables_at, voices_at: see `packet_loop`.
        now: the tick's nominal time, CLOCK_MONOTONIC in nanoseconds.
    """
    tables = tables_view(tables_at)
    voices = voices_view(voices_at)
    count = tables.totals[t.VOICES]
    for place in range(min(2, count)):
        _fetch_row_ahead(voices, voices.active[place])
    for place in range(count):
        _fetch_row_ahead(voices, voices.active[min(place + 2, count - 1)])
        _fetch_sound_ahead(voices, voices.active[min(place + 1, count - 1)])
        play(tables, voices, voices.active[place], now)
        listen(tables, voices, voices.active[place], now)
    return 0


@entry_kernel
def serve_voices(tables_at: Any, voices_at: Any, now: Any) -> Any:
    """Do the rest of a tick: mix, and send every voice what it hears.

    Args:
        tables_at, voices_at, now: see `hear_voices`.
    """
    tables = tables_view(tables_at)
    voices = voices_view(voices_at)
    count = tables.totals[t.VOICES]
    begin_tick(tables)
    play_all(tables, voices)
    for place in range(count):
        _silence(voices, voices.active[place])
    mix_rooms(tables, voices, now)
    hear_partners(tables, voices)
    play_for_voices(tables, voices)
    for place in range(count):
        slot = voices.active[place]
        _echo(voices, slot)
        speak(tables, voices, slot, now)
        send_report_if_due(tables, voices, slot, now)
    send_posted(tables, voices)
    end_players(tables, voices)
    return 0


@kernel
def tick_voices(tables: Any, voices: Any) -> None:
    """Serve the timer: one tick, whatever the number of those that it was too late for."""
    if read(tables.facts[t.TIMER_FD], tables.scratch.ctypes.data, 8) != 8:
        return
    passed = tables.scratch[0]
    if tables.totals[t.TICKED] == 0 or passed <= 0:
        return
    due = tables.totals[t.NEXT_TICK_NS] + (passed - 1) * TICK_NS
    tables.totals[t.NEXT_TICK_NS] = due + TICK_NS
    hear_all(tables, voices, passed)
    # Each is compiled by itself, at the same time as the loop.
    call_function(tables.facts[t.HEAR_VOICES], (tables, voices, due))
    call_function(tables.facts[t.SERVE_VOICES], (tables, voices, due))
    # One that begins in time may have too much to do.
    late = monotonic_ns(tables.scratch) - due > LATE_NS
    tables.totals[t.TICKS] += passed
    tables.totals[t.LATE_TICKS] += passed - 1 + (1 if late else 0)
