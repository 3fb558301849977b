"""A room of a hundred, judged by what each hears: the mixer alone, tick by tick, without a socket."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from pbx.media.engine import player_row, voice_row
from pbx.media.engine import tables as t
from pbx.media.engine.kernels import levels, rooms
from pbx.media.engine.kernels.mix import UNITY
from pbx.media.engine.tables import make_tables
from pbx.media.engine.voice_tables import make_voice_tables
from tests.media.kernels.sound import Sound, decibels, sine

PARTIES = 100
RATES = (8000, 16000, 48000)
"""Of the parties, in turn: each is in the room with others of all three."""

TONES = (400, 610, 900, 1130, 1370, 1710, 1990, 2330, 2810)
"""Of those who speak, in turn; whole numbers of turns in `WINDOW_S`."""

PEAK = 3000.0
SPOKEN = -23.8
"""The dBov of a sine of that peak."""

SLACK = 0.3
SILENT = -65.0
"""dBov; who is heard no louder isn't."""

TICK_NS = 20_000_000
TICKS_S = 50
WINDOW_S = 0.5

SPEAKERS = (0, 13, 26, 39, 52, 65, 78, 91)
"""Eight of all, of all rates."""

NINTH = 98
ROOM, OTHER_ROOM, NO_ROOM = 3, 4, -1


class Mixer:
    """Voices in rooms, each of which hears and is heard at a rate of its own.

    Args:
        places: the room of each.
    """

    def __init__(self, places: Sequence[int]) -> None:
        self.tables = make_tables([0] * 2 * len(places), dual_stack=False)
        self.voices = make_voice_tables(len(places), np.zeros(64, np.int64), b"here")
        self.tables.totals[t.VOICES] = len(places)
        self.rates = [RATES[slot % len(RATES)] for slot in range(len(places))]
        self._ticks = 0
        self._played = 0.0
        for slot, (place, rate) in enumerate(zip(places, self.rates, strict=True)):
            row = self.voices.voices[slot]
            self.voices.active[slot] = slot
            row[voice_row.ROOM] = place
            row[voice_row.RATE] = rate
            row[voice_row.FLAGS] = voice_row.SPEAKS | voice_row.LISTENS
            row[voice_row.GAIN] = UNITY

    def play(self, room: int, hertz: float) -> None:
        """Let a room hear a tone of ours from now on, at 8000 Hz."""
        self.tables.totals[t.PLAYING] = 1
        row = self.voices.players[0]
        row[player_row.ROOM], row[player_row.VOICE] = room, -1
        row[player_row.RATE], row[player_row.FILLED] = RATES[0], RATES[0] // TICKS_S
        self._played = hertz

    def run(self, seconds: float, spoken: Mapping[int, float]) -> list[Sound]:
        """Let some speak for a while; returns what each voice hears in it.

        Args:
            seconds: how long.
            spoken: the frequency that each of those says; all others are silent.
        """
        heard: list[list[Sound]] = [[] for _ in self.rates]
        for _ in range(round(seconds * TICKS_S)):
            self._tick(spoken)
            for slot, rate in enumerate(self.rates):
                out = self.voices.sound[slot, voice_row.OUT :][: rate // TICKS_S]
                heard[slot].append(out.copy())
                # What a room doesn't write is silence, as in `voice_tick`
                out[:] = 0
        return [np.concatenate(frames) for frames in heard]

    def _tick(self, spoken: Mapping[int, float]) -> None:
        self._ticks += 1
        for slot, rate in enumerate(self.rates):
            row, samples = self.voices.voices[slot], rate // TICKS_S
            own = self.voices.sound[slot, voice_row.OWN :][:samples]
            own[:] = self._said(spoken[slot], rate) if slot in spoken else 0
            row[voice_row.FILLED] = samples
            levels.watch_level(row[voice_row.LEVEL :][: levels.WIDTH], own, samples, 0)
        if self.tables.totals[t.PLAYING]:
            samples = RATES[0] // TICKS_S
            self.voices.player_sound[0, :samples] = self._said(self._played, RATES[0])
        rooms.mix_rooms(self.tables, self.voices, self._ticks * TICK_NS)

    def _said(self, hertz: float, rate: int) -> Sound:
        return sine(hertz, rate // TICKS_S, rate, peak=PEAK, turns=hertz * self._ticks / TICKS_S)


def tones_in(sound: Sound, rate: int) -> tuple[set[int], float]:
    """Return which of `TONES` are in the end of a sound, and the level in dBov of all that is none.

    Each is as loud as it was spoken, or not there at all.
    """
    samples = round(WINDOW_S * rate)
    # Each tone makes a whole number of turns, so it is in one line of the spectrum
    waves = np.sqrt(2) * np.abs(np.fft.rfft(sound[-samples:])) / samples / 32768
    lines = [round(hertz * WINDOW_S) for hertz in TONES]
    found = {hertz: decibels(waves[line]) for hertz, line in zip(TONES, lines, strict=True)}
    assert all(one < SILENT or abs(one - SPOKEN) < SLACK for one in found.values()), found
    rest = decibels(float(np.linalg.norm(np.delete(waves, lines))))
    return {hertz for hertz, one in found.items() if one >= SILENT}, rest


def hears(mixer: Mixer, heard: Sequence[Sound], slot: int) -> set[int]:
    """Return whom a voice hears at the end, by their tones, and nothing else."""
    tones, rest = tones_in(heard[slot], mixer.rates[slot])
    assert rest < SILENT, (slot, tones, rest)
    return tones


@pytest.fixture
def mixer() -> Mixer:
    """A room of a hundred, another one of two, and one who is in none."""
    return Mixer([ROOM] * PARTIES + [OTHER_ROOM] * 2 + [NO_ROOM])


def test_each_hears_the_eight_who_speak_but_not_itself(mixer: Mixer) -> None:
    eight = dict(zip(SPEAKERS, TONES, strict=False))
    outside = {PARTIES: TONES[8], PARTIES + 2: TONES[8]}
    heard = mixer.run(0.7, eight | outside)
    for slot in range(PARTIES):
        assert hears(mixer, heard, slot) == set(eight.values()) - {eight.get(slot)}, slot
    assert [hears(mixer, heard, slot) for slot in range(PARTIES, PARTIES + 3)] == [
        set(),
        {TONES[8]},
        set(),
    ]


def test_all_hear_what_is_played_beside_those_who_speak(mixer: Mixer) -> None:
    """It is one player for all of the room, and takes no speaker's place."""
    eight = dict(zip(SPEAKERS, TONES, strict=False))
    mixer.play(ROOM, TONES[8])
    heard = mixer.run(0.7, eight)
    for slot in range(PARTIES):
        assert hears(mixer, heard, slot) == set(TONES) - {eight.get(slot)}, slot
    assert [hears(mixer, heard, slot) for slot in range(PARTIES, PARTIES + 3)] == [set()] * 3


def test_a_ninth_is_heard_when_one_of_eight_is_silent(mixer: Mixer) -> None:
    eight = dict(zip(SPEAKERS, TONES, strict=False))
    nine = eight | {NINTH: TONES[8]}
    mixer.run(0.1, eight)
    heard = mixer.run(0.6, nine)
    for slot in range(PARTIES):
        assert hears(mixer, heard, slot) == set(eight.values()) - {eight.get(slot)}, slot
    silent = SPEAKERS[3]
    spoken = {slot: hertz for slot, hertz in nine.items() if slot != silent}
    # It comes in within a pause between two words, sooner than the other counts as silent
    mixer.run(levels.HANG_TICKS / TICKS_S, spoken)
    heard = mixer.run(WINDOW_S, spoken)
    for slot in range(PARTIES):
        assert hears(mixer, heard, slot) == set(spoken.values()) - {spoken.get(slot)}, slot
