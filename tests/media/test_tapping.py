"""Packets that wait to be recorded: more than there's room for, of two calls at once."""

import operator
import struct

import numpy as np

from pbx.media import codecs
from pbx.media.engine import coder_row, ring_row, staged_row, stream_row, voice_row
from pbx.media.engine import tables as t
from pbx.media.engine.kernels import jitter_row, record
from pbx.media.engine.kernels.pacing import decoded_until
from pbx.media.engine.kernels.taping import start_taping
from pbx.media.engine.kernels.tapping import record_staged, set_tap, tap
from pbx.media.engine.kernels.voice_in import _record_unheard
from pbx.media.engine.tables import Tables, make_tables
from pbx.media.engine.voice_tables import VoiceTables, make_voice_tables
from tests.media.kernels import twins_g711

CALLS, PACKETS, SIZE = 2, 1300, 3
"""Calls, packets of each, and samples in one: a peer may send packets of any size."""

NOW = 10**12


def recording_of(calls: int) -> tuple[Tables, VoiceTables]:
    """Return the tables of one packet thread, in which each call's PCMU is being recorded at 8 kHz."""
    tables = make_tables([0] * 2 * calls, dual_stack=False)
    voices = make_voice_tables(calls, np.zeros(64, np.int64), b"here")
    tables.facts[t.THREAD] = 1
    for call in range(calls):
        voices.coders[call, coder_row.CODEC] = codecs.PCMU
        command = np.zeros(ring_row.WIDTH, np.int64)
        command[ring_row.ROW] = call
        # One format: payload type 0, this decoder, samples and units in a second.
        command[ring_row.SETTINGS : ring_row.SETTINGS + 5] = 1, 0, call, 8000, 8000
        set_tap(tables, voices, command)
        voices.voices[call, voice_row.CLOCK] = 8000
        command[ring_row.SETTINGS : ring_row.SETTINGS + 4] = call, -1, 8000, 1
        start_taping(tables, voices, command, NOW)
    return tables, voices


def passed_on(
    tables: Tables, voices: VoiceTables, call: int, number: int, at: int, payload: bytes, now: int
) -> None:
    """Tap one packet, the one of that number, whose sound begins with sample `at`."""
    packet = struct.pack("!BBHII", 0x80, 0, number, at, 7 + call) + payload
    tables.packets[0, : len(packet)] = list(packet)
    tables.read_headers[0, 7] = len(packet)
    tap(tables, voices, call, 1, now)


def test_each_each_call_has_its_own_sound_whole_and_in_order() -> None:
    assert PACKETS < staged_row.MOST < CALLS * PACKETS
    tables, voices = recording_of(CALLS)
    spoken = np.random.default_rng(1).integers(0, 256, (CALLS, PACKETS * SIZE), np.uint8)
    for number in range(PACKETS):
        for call in range(CALLS):
            at = number * SIZE
            payload = spoken[call, at : at + SIZE].tobytes()
            passed_on(tables, voices, call, number, at, payload, NOW + at * 10**9 // 8000)
    record_staged(tables, voices)
    for call in range(CALLS):
        begin = (record.LEAD_MS * 8) - SIZE
        track = voices.tracks[call, begin : begin + PACKETS * SIZE]
        assert track.tolist() == [twins_g711.decode_ulaw(int(one)) for one in spoken[call]]
        assert tables.streams[call, stream_row.TAPPED] == stream_row.MAY_WAIT
    assert tables.totals[t.STAGED] == 0


def test_nobody_is_decoded_faster_than_one_can_speak() -> None:
    """A flood takes the time of all calls; after it the sound is recorded again."""
    tables, voices = recording_of(1)
    quiet, loud, later = b"\xff" * 160, b"\x00" * 160, b"\x80" * 160
    for number in range(1000):
        payload = quiet if number < 101 else loud
        passed_on(tables, voices, 0, number, 160 * number, payload, NOW)
    record_staged(tables, voices)
    assert twins_g711.decode_ulaw(loud[0]) not in voices.tracks[0]
    for number in range(1000, 1050):
        now = NOW + (number - 999) * 20_000_000 + 10**9
        passed_on(tables, voices, 0, number, 160 * number, later, now)
    record_staged(tables, voices)
    recorded = np.count_nonzero(voices.tracks[0] == twins_g711.decode_ulaw(later[0]))
    assert recorded >= 49 * 160


def test_nor_is_what_nobody_hears_of_a_voice() -> None:
    """A flood of packets that come too late, or for which there's no room."""
    _, voices = recording_of(1)
    voices.voices[0, voice_row.DECODER] = 0
    voices.voices[0, voice_row.RATE] = 8000
    voices.voices[0, voice_row.JITTER + jitter_row.CLOCK] = 8000
    base = NOW * 8000 // 10**9
    quiet, loud, later = (np.full(160, octet, np.uint8) for octet in (0xFF, 0x00, 0x80))
    for number in range(1000):
        _record_unheard(voices, 0, quiet if number < 101 else loud, 160, 0, base, 7, NOW)
    assert twins_g711.decode_ulaw(loud[0]) not in voices.tracks[0]
    _record_unheard(voices, 0, later, 160, 8000, base, 7, NOW + 10**9)
    assert np.count_nonzero(voices.tracks[0] == twins_g711.decode_ulaw(later[0])) == 160


def test_no_division_is_rounded_down() -> None:
    """Of numbers with signs, each takes twice as long: all packets of a recorded call come through here."""
    tables, voices = recording_of(1)
    passed_on(tables, voices, 0, 1, 0, b"\xff" * 160, NOW)
    record_staged(tables, voices)
    divisions = [
        signature.args
        for compiled in decoded_until.overloads.values()
        for expression, signature in compiled.type_annotation.calltypes.items()
        if getattr(expression, "op", "") == "binop" and expression.fn is operator.floordiv
    ]
    assert divisions
    assert not any(kind.signed for kinds in divisions for kind in kinds)
