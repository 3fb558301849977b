"""Words of one recording's row: `record`'s own, then who is heard and the blocks it has made.

A block waits in one of `BANKS` banks until the main thread has taken it.
"""

from pbx.media.engine.kernels import record

STATE = record.WIDTH
"""0 free; else the number of the packet thread that records, or `group_row.AWAY`."""

LEFT = STATE + 1
RIGHT = STATE + 2
"""Streams; -1 none."""

STEREO = STATE + 3
BLOCK = STATE + 4
"""Samples of a track in a block."""

WRITTEN = STATE + 5
"""Blocks that have been put into banks."""

LOST = STATE + 6
"""Samples that found no bank free: the main thread stood still for seconds."""

WIDTH = STATE + 8

TAPES = 64
BANKS = 8
BLOCK_MS = 500
LONGEST_BLOCK = 2 * 16000 * BLOCK_MS // 1000
"""Samples of both tracks at the highest rate."""

RING = 65536
"""Samples of one track: four seconds at 16 kHz."""
