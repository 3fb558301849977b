"""Rooms: who is in one hears all others who are, at the highest rate that one of them hears."""

from typing import Any

from pbx.media.engine import player_row, voice_row
from pbx.media.engine import tables as t
from pbx.media.engine.kernels import jitter_row, levels, rtp_out
from pbx.media.engine.kernels.levels import CHOSEN, WIDTH, choose_speakers
from pbx.media.engine.kernels.mix import UNITY, add_parties, mix_all, mix_minus, scale
from pbx.media.engine.kernels.playing import bring
from pbx.media.engine.kernels.resample import WINDOW, resample
from pbx.media.engine.native import clear, kernel, part, row_of
from pbx.media.engine.voice_tables import ROOM_LIMITER, ROOM_TICK

MOST_SPEAKERS = 8
"""Who are heard at once; of more, those who speak and have spoken."""


@kernel
def _rate(tables: Any, voices: Any, number: Any) -> Any:
    """Return the highest rate of a room's listeners; 0: nobody listens."""
    rate = 0
    for place in range(tables.totals[t.VOICES]):
        row = row_of(voices.voices, voices.active[place])
        listens = row[voice_row.FLAGS] & voice_row.LISTENS != 0
        if row[voice_row.ROOM] == number and listens:
            rate = max(rate, row[voice_row.RATE])
    return rate


@kernel
def _come_in(voices: Any, slot: Any, rate: Any) -> None:
    """Bring a voice's frame to the room's rate, as loud as it shall be."""
    row = row_of(voices.voices, slot)
    sound = row_of(voices.sound, slot)
    window = part(sound, voice_row.TO_ROOM, WINDOW)
    own = part(sound, voice_row.OWN, voice_row.FRAME)
    heard = row_of(voices.heard, slot)
    resample(window, own, row[voice_row.RATE] // 50, row[voice_row.RATE], rate, heard)
    if row[voice_row.GAIN] != UNITY:
        scale(heard, rate // 50, row[voice_row.GAIN])


@kernel
def _gather(tables: Any, voices: Any, number: Any, rate: Any) -> Any:
    """Make ready all who are to be heard in a room; returns how many `chosen` names."""
    speakers = 0
    for place in range(tables.totals[t.VOICES]):
        slot = voices.active[place]
        row = row_of(voices.voices, slot)
        if row[voice_row.ROOM] != number:
            continue
        if row[voice_row.ROOM_RATE] != rate:
            row[voice_row.ROOM_RATE] = rate
            clear(part(row_of(voices.sound, slot), voice_row.TO_ROOM, 2 * WINDOW))
        row[voice_row.IN_SUM] = 0
        if row[voice_row.FLAGS] & voice_row.SPEAKS != 0 and row[voice_row.FILLED] != 0:
            voices.members[speakers] = slot
            speakers += 1
    if speakers > MOST_SPEAKERS:
        rows = voices.voices[:, voice_row.LEVEL : voice_row.LEVEL + WIDTH]
        chosen = choose_speakers(rows, voices.members, speakers, MOST_SPEAKERS, voices.chosen)
    else:
        chosen = speakers
        for place in range(speakers):
            voices.chosen[place] = voices.members[place]
            voices.voices[voices.members[place], voice_row.LEVEL + CHOSEN] = 1
    for place in range(chosen):
        voices.voices[voices.chosen[place], voice_row.IN_SUM] = 1
        _come_in(voices, voices.chosen[place], rate)
    streams = voices.voices.shape[0]
    for place in range(tables.totals[t.PLAYING]):
        player = voices.playing[place]
        row = row_of(voices.players, player)
        if row[player_row.ROOM] == number and row[player_row.FILLED] != 0:
            voices.chosen[chosen] = streams + player
            bring(voices, player, rate, row_of(voices.heard, streams + player))
            chosen += 1
    return chosen


@kernel
def _loudness(voices: Any, heard: Any, samples: Any) -> Any:
    """Return the level of what a room hears of a voice or a player, in -dBov."""
    if heard < voices.voices.shape[0] and voices.voices[heard, voice_row.GAIN] == UNITY:
        return voices.voices[heard, voice_row.LEVEL + levels.LEVEL]
    return levels.level_of(levels.energy(row_of(voices.heard, heard), samples), samples)


@kernel
def _measure(voices: Any, chosen: Any, samples: Any) -> None:
    """Note how loud all are who are heard in a room, for all who want to know."""
    for place in range(chosen):
        voices.loudness[place] = _loudness(voices, voices.chosen[place], samples)


@kernel
def _name_speakers(voices: Any, slot: Any, chosen: Any) -> None:
    """Write to a voice's row who speaks in what it hears of its room (RFC 3550 §7.3, RFC 6465).

    Players are ours, so they go by our own SSRC: "A mixer that is itself a contributing source for some
    packet SHOULD explicitly include its own SSRC". A listener never finds its own in the list,
    whoever has it: it would take that for a loop (§8.2).
    """
    row = row_of(voices.voices, slot)
    own = row[voice_row.JITTER + jitter_row.SSRC]
    named, ours = 0, levels.SILENCE
    for place in range(chosen):
        heard = voices.chosen[place]
        if heard >= voices.voices.shape[0]:
            ours = min(ours, voices.loudness[place])
            continue
        speaker = row_of(voices.voices, heard)
        source = speaker[voice_row.JITTER + jitter_row.SSRC]
        active = speaker[voice_row.LEVEL + levels.ACTIVE] != 0
        if active and heard != slot and source != own and named < voice_row.MOST_NAMED - 1:
            named += 1
            row[voice_row.SPEAKERS + named] = source << 8 | voices.loudness[place]
    if ours < levels.SILENCE:
        named += 1
        row[voice_row.SPEAKERS + named] = row[voice_row.SENDER + rtp_out.SSRC] << 8 | ours
    row[voice_row.SPEAKERS] = named


@kernel
def _mix(tables: Any, voices: Any, number: Any) -> None:
    """Write to every listener's output what it hears of a room."""
    rate = _rate(tables, voices, number)
    if rate == 0:
        return
    samples = rate // 50
    room = row_of(voices.rooms, number)
    chosen = _gather(tables, voices, number, rate)
    add_parties(voices.heard, voices.chosen, chosen, samples, voices.total)
    # All who aren't heard hear the same.
    limiter = part(room, ROOM_LIMITER, 1)
    mix_all(limiter, voices.total, samples, voices.common)
    measured = False
    for place in range(tables.totals[t.VOICES]):
        slot = voices.active[place]
        row = row_of(voices.voices, slot)
        if row[voice_row.ROOM] != number or row[voice_row.FLAGS] & voice_row.LISTENS == 0:
            continue
        sound = row_of(voices.sound, slot)
        window = part(sound, voice_row.FROM_ROOM, WINDOW)
        out = part(sound, voice_row.OUT, voice_row.FRAME)
        heard = voices.common
        if row[voice_row.IN_SUM] != 0:
            own_limiter = part(row, voice_row.LIMITER, 1)
            mix_minus(own_limiter, voices.total, row_of(voices.heard, slot), samples, voices.spare)
            heard = voices.spare
        resample(window, heard, samples, rate, row[voice_row.RATE], out)
        if row[voice_row.FLAGS] & voice_row.SPEAKERS_OUT != 0:
            if not measured:
                _measure(voices, chosen, samples)
                measured = True
            _name_speakers(voices, slot, chosen)


@kernel
def mix_rooms(tables: Any, voices: Any, tick: Any) -> None:
    """Mix every room that has a voice in it; `tick` differs from one tick to the next."""
    for place in range(tables.totals[t.VOICES]):
        number = voices.voices[voices.active[place], voice_row.ROOM]
        if number >= 0 and voices.rooms[number, ROOM_TICK] != tick:
            voices.rooms[number, ROOM_TICK] = tick
            _mix(tables, voices, number)
