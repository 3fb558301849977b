"""Words of one recording's row: `record`'s own, then who is heard. The packet thread's own."""

from pbx.media.engine.kernels import record

STATE = record.WIDTH
"""0 free; else the number of the packet thread that records, or `group_row.AWAY`."""

LEFT = STATE + 1
RIGHT = STATE + 2
"""Streams; -1 none."""

BLOCK = STATE + 3
"""Samples of a track in a block."""

WIDTH = STATE + 8

TAPES = 128
BLOCK_MS = 500
HIGHEST = 16000
"""Samples in a second of a recording: more than a wideband voice has isn't kept."""

RING_MS = 8192
"""What a track's ring holds: so long may a disk take for a block before sound is lost."""

RING = HIGHEST * RING_MS // 1000
"""Samples of one track at the highest rate; at half the rate half of them are used."""
