"""Rooms: how loud those are who are heard is reckoned once, for all who are told."""

import numpy as np

from pbx.media.engine import tables as t
from pbx.media.engine import voice_row
from pbx.media.engine.kernels import jitter_row, levels, rooms
from pbx.media.engine.kernels.mix import UNITY
from pbx.media.engine.tables import Tables, make_tables
from pbx.media.engine.voice_tables import VoiceTables, make_voice_tables
from tests.media.kernels.test_levels import frame_at

SPEAKER, LOUD, SSRC = 2, 20, 77
TICK_NS = 20_000_000


def room(told: tuple[int, ...]) -> tuple[Tables, VoiceTables]:
    """Return the tables of a room in which one of three speaks, half as loud as it does.

    Args:
        told: who wants to know of the others how loud they speak.
    """
    tables = make_tables([0] * 6, dual_stack=False)
    voices = make_voice_tables(3, np.zeros(64, np.int64), b"here")
    tables.totals[t.VOICES] = 3
    for slot in range(3):
        row = voices.voices[slot]
        voices.active[slot] = slot
        row[voice_row.RATE] = 8000
        row[voice_row.FLAGS] = voice_row.SPEAKS | voice_row.LISTENS
        if slot in told:
            row[voice_row.FLAGS] |= 1 << voice_row.SPEAKERS_OUT_SHIFT
        row[voice_row.GAIN] = UNITY
    row = voices.voices[SPEAKER]
    row[voice_row.GAIN] = UNITY // 2
    row[voice_row.FILLED] = 160
    row[voice_row.LEVEL + levels.ACTIVE] = 1
    row[voice_row.JITTER + jitter_row.SSRC] = SSRC
    voices.sound[SPEAKER, voice_row.OWN : voice_row.OWN + 160] = frame_at(LOUD)
    voices.loudness[:] = -1
    return tables, voices


def named(voices: VoiceTables, slot: int) -> list[tuple[int, int]]:
    """SSRC and level of those whom a voice is told of."""
    words = voices.voices[slot, voice_row.SPEAKERS :][: voice_row.MOST_NAMED + 1].tolist()
    return [(word >> 8, word & 0xFF) for word in words[1 : 1 + words[0]]]


def test_all_are_told_what_has_been_reckoned_once() -> None:
    tables, voices = room((0, 1))
    rooms.mix_rooms(tables, voices, TICK_NS)
    assert voices.loudness[:2].tolist() == [LOUD + 6, -1]
    assert named(voices, 0) == named(voices, 1) == [(SSRC, LOUD + 6)]
    # For whom it's told after that, nothing is reckoned.
    voices.loudness[0] = 3
    rooms._name_speakers(voices, 0, 1)
    assert named(voices, 0) == [(SSRC, 3)]


def test_nothing_is_reckoned_for_nobody() -> None:
    tables, voices = room(())
    rooms.mix_rooms(tables, voices, TICK_NS)
    assert set(voices.loudness.tolist()) == {-1}
