"""Words of one recording's row: `record`'s own, then who is heard. The packet thread's own."""

from pbx.media.engine.kernels import record

STATE = record.WIDTH
"""0 free; else the number of the packet thread that records, or `group_row.AWAY`."""

LEFT = STATE + 1
RIGHT = STATE + 2
"""Streams; -1 none."""

BLOCK = STATE + 3
"""Samples of a track in a block."""

TRACKS = STATE + 4
"""1 where both parties are mixed, 2 where each has a track of the file."""

WIDTH = STATE + 8

TAPES = 128
BLOCK_MS = 500
HIGHEST = 16000
"""Samples in a second of a recording: more than a wideband voice has isn't kept."""

RING_MS = 2048
"""What a track's ring holds: what isn't closed yet, in as little memory as will do, so that it stays in the
processor's cache."""

RING = HIGHEST * RING_MS // 1000
"""Samples of one track at the highest rate; at half the rate half of them are used."""

QUEUE_RINGS = 4
QUEUE = QUEUE_RINGS * RING
"""Samples of one track that wait for the writer: so long, 8 s, may a disk take before sound is lost."""
