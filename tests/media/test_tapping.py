"""Packets that wait to be recorded: more than there's room for, of two calls at once."""

import struct

import numpy as np

from pbx.media import codecs
from pbx.media.engine import coder_row, ring_row, staged_row, stream_row, voice_row
from pbx.media.engine import tables as t
from pbx.media.engine.kernels import record
from pbx.media.engine.kernels.taping import start_taping
from pbx.media.engine.kernels.tapping import record_staged, set_tap, tap
from pbx.media.engine.tables import make_tables
from pbx.media.engine.voice_tables import make_voice_tables
from tests.media.kernels import twins_g711

CALLS, PACKETS, SIZE = 2, 1300, 3
"""Calls, packets of each, and samples in one: a peer may send packets of any size."""

NOW = 10**12


def test_each_call_has_its_own_sound_whole_and_in_order() -> None:
    assert PACKETS < staged_row.MOST < CALLS * PACKETS
    tables = make_tables([0] * 2 * CALLS, dual_stack=False)
    voices = make_voice_tables(CALLS, np.zeros(64, np.int64), b"here")
    tables.facts[t.THREAD] = 1
    for call in range(CALLS):
        voices.coders[call, coder_row.CODEC] = codecs.PCMU
        command = np.zeros(ring_row.WIDTH, np.int64)
        command[ring_row.ROW] = call
        # One format: payload type 0, this decoder, samples and units in a second.
        command[ring_row.SETTINGS : ring_row.SETTINGS + 5] = 1, 0, call, 8000, 8000
        set_tap(tables, voices, command)
        voices.voices[call, voice_row.CLOCK] = 8000
        command[ring_row.SETTINGS : ring_row.SETTINGS + 4] = call, -1, 8000, 1
        start_taping(tables, voices, command, NOW)
    spoken = np.random.default_rng(1).integers(0, 256, (CALLS, PACKETS * SIZE), np.uint8)
    for number in range(PACKETS):
        for call in range(CALLS):
            at = number * SIZE
            header = struct.pack("!BBHII", 0x80, 0, number, at, 7 + call)
            packet = header + spoken[call, at : at + SIZE].tobytes()
            tables.packets[0, : len(packet)] = list(packet)
            tables.read_headers[0, 7] = len(packet)
            tap(tables, voices, call, 1, NOW + at * 10**9 // 8000)
    record_staged(tables, voices)
    for call in range(CALLS):
        begin = (record.LEAD_MS * 8) - SIZE
        track = voices.tracks[call, begin : begin + PACKETS * SIZE]
        assert track.tolist() == [twins_g711.decode_ulaw(int(one)) for one in spoken[call]]
        assert tables.streams[call, stream_row.TAPPED] == stream_row.MAY_WAIT
    assert tables.totals[t.STAGED] == 0
