"""Pairs: a voice that hears one other voice alone, as both parties of a converted call do.

No mixing, no choice of speakers: the partner's frame at the voice's own rate.
"""

from typing import Any

from pbx.media.engine import stream_row, voice_row
from pbx.media.engine import tables as t
from pbx.media.engine.kernels.resample import WINDOW, resample
from pbx.media.engine.native import clear, kernel, part, row_of


@kernel
def _hear(voices: Any, slot: Any, partner: Any) -> None:
    row = row_of(voices.voices, slot)
    sound = row_of(voices.sound, slot)
    window = part(sound, voice_row.FROM_ROOM, WINDOW)
    rate = voices.voices[partner, voice_row.RATE]
    if row[voice_row.ROOM_RATE] != rate:
        row[voice_row.ROOM_RATE] = rate
        clear(window)
    resample(
        window,
        part(row_of(voices.sound, partner), voice_row.OWN, voice_row.FRAME),
        rate // 50,
        rate,
        row[voice_row.RATE],
        part(sound, voice_row.OUT, voice_row.FRAME),
    )


@kernel
def hear_partners(tables: Any, voices: Any) -> None:
    """Write to the output of every voice that has a partner what that one says in this tick."""
    for place in range(tables.totals[t.VOICES]):
        slot = voices.active[place]
        partner = voices.voices[slot, voice_row.PARTNER]
        if partner < 0 or tables.streams[partner, stream_row.STATE] != tables.facts[t.THREAD]:
            continue
        if voices.voices[partner, voice_row.ACTIVE] != 0:
            _hear(voices, slot, partner)


@kernel
def part_from(tables: Any, voices: Any, slot: Any) -> None:
    """Let nobody hear a voice any more that ends: its row will be another call's."""
    for place in range(tables.totals[t.VOICES]):
        row = row_of(voices.voices, voices.active[place])
        if row[voice_row.PARTNER] == slot:
            row[voice_row.PARTNER] = -1
