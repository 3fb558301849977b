"""Players: tones and sounds, a frame of each in every tick."""

from typing import Any

from pbx.media.engine import player_row as p
from pbx.media.engine import ring_row, voice_row
from pbx.media.engine import tables as t
from pbx.media.engine.kernels import mix, tones
from pbx.media.engine.kernels.reporting import report_words
from pbx.media.engine.kernels.resample import resample
from pbx.media.engine.kernels.ring import room
from pbx.media.engine.kernels.ticking import join_players, leave_players
from pbx.media.engine.native import (
    clear,
    kernel,
    load_acquire,
    part,
    row_of,
    samples_at,
    words_at,
)


@kernel
def start_playing(tables: Any, voices: Any, command: Any) -> None:
    """Carry out PLAY: the player's settings behind its row."""
    row = row_of(voices.players, command[ring_row.ROW])
    join_players(tables, voices, command[ring_row.ROW])
    for word in range(p.WIDTH):
        row[word] = 0
    for word in range(1, p.SETTINGS_END):
        row[word] = command[ring_row.SETTINGS + word - 1]
    row[p.STATE] = tables.facts[t.THREAD]


@kernel
def stop_playing(tables: Any, voices: Any, number: Any) -> None:
    """End a player, and say so; one that has ended by itself has said it already.

    Where the ring is full, it goes on.
    """
    row = row_of(voices.players, number)
    ours = row[p.STATE] == tables.facts[t.THREAD]
    if ours and room(tables.reports, tables.report_cursors) > 0:
        row[p.STATE] = 0
        leave_players(tables, voices, number)
        report_words(tables, ring_row.PLAYED, number, 0, 0)


@kernel
def _play_tone(row: Any, samples: Any, out: Any) -> Any:
    """Write the next samples of a tone; returns how many there were."""
    program = words_at(row[p.ADDRESS], row[p.LENGTH], tones.STEP_WIDTH)
    tone = part(row, p.TONE, tones.WIDTH)
    done = 0
    while done < samples:
        done += tones.play_tone(tone, program, samples - done, part(out, done, samples - done))
        if done < samples and row[p.TIMES] <= 1:
            break
        if done < samples:
            row[p.TIMES] -= 1
            tone[tones.STEP] = 0
    return done


@kernel
def _play_sound(row: Any, samples: Any, out: Any) -> Any:
    """Write the next samples of a sound; returns how many there were.

    Where it hasn't been read so far, it waits, and what is heard meanwhile is silence.
    """
    length = row[p.LENGTH]
    pcm = samples_at(row[p.ADDRESS], length)
    ready = load_acquire(row[p.READY_AT])
    done, waited = 0, 0
    while done < samples:
        if row[p.POSITION] >= length:
            if row[p.TIMES] == 1 or length <= 0:
                break
            row[p.TIMES] = max(row[p.TIMES] - 1, 0)
            row[p.POSITION] = 0
        count = min(samples - done, ready - row[p.POSITION])
        if count <= 0:
            waited = samples - done
            clear(part(out, done, waited))
            break
        source = pcm[row[p.POSITION] : row[p.POSITION] + count]
        for index in range(count):
            out[done + index] = source[index]
        row[p.POSITION] += count
        done += count
    if row[p.GAIN] != mix.UNITY:
        mix.scale(out, done, row[p.GAIN])
    return done + waited


@kernel
def play_all(tables: Any, voices: Any) -> None:
    """Fill every player's frame."""
    for place in range(tables.totals[t.PLAYING]):
        number = voices.playing[place]
        row = row_of(voices.players, number)
        samples = row[p.RATE] // 50
        out = row_of(voices.player_sound, number)
        if row[p.KIND] == p.TONE_PROGRAM:
            done = _play_tone(row, samples, out)
        else:
            done = _play_sound(row, samples, out)
        for index in range(done, samples):
            out[index] = 0
        row[p.FILLED] = samples if done > 0 else 0
        row[p.ENDED] = 1 if done < samples else 0


@kernel
def bring(voices: Any, number: Any, rate: Any, out: Any) -> Any:
    """Write a player's frame at another rate; returns its samples."""
    row = row_of(voices.players, number)
    if row[p.TARGET_RATE] != rate:
        row[p.TARGET_RATE] = rate
        clear(row_of(voices.player_windows, number))
    window = row_of(voices.player_windows, number)
    return resample(
        window, row_of(voices.player_sound, number), row[p.FILLED], row[p.RATE], rate, out
    )


@kernel
def _play_for_voice(voices: Any, number: Any) -> None:
    row = row_of(voices.players, number)
    slot = row[p.VOICE]
    if slot < 0 or row[p.FILLED] == 0 or voices.voices[slot, voice_row.ACTIVE] == 0:
        return
    rate = voices.voices[slot, voice_row.RATE]
    made = bring(voices, number, rate, voices.spare)
    out = part(row_of(voices.sound, slot), voice_row.OUT, voice_row.FRAME)
    if row[p.ALONE] != 0:
        clear(part(out, 0, made))
    add(out, voices.spare, made)


@kernel
def play_for_voices(tables: Any, voices: Any) -> None:
    """Add to each voice's output what is played for it alone; last what bears nothing beside it."""
    for alone in range(2):
        for place in range(tables.totals[t.PLAYING]):
            number = voices.playing[place]
            if voices.players[number, p.ALONE] == alone:
                _play_for_voice(voices, number)


@kernel
def end_players(tables: Any, voices: Any) -> None:
    """Let those say so that have come to their end; last, for then others may have their rows."""
    # From behind: the last one takes the place of one that ends.
    for place in range(tables.totals[t.PLAYING] - 1, -1, -1):
        number = voices.playing[place]
        if voices.players[number, p.ENDED] != 0:
            stop_playing(tables, voices, number)


@kernel
def add(out: Any, pcm: Any, samples: Any) -> None:
    """Add sound to what is there; what doesn't fit into 16 bits is cut."""
    for index in range(samples):
        both = int(out[index]) + int(pcm[index])
        out[index] = min(max(both, -32768), 32767)
