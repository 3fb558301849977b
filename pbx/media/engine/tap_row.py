"""Words of a stream's tap: how what is passed on is decoded for the stream's recording."""

CURRENT = 0
"""The place in `FORMATS` of what came last; -1 none."""

SEQUENCE = 1
"""The newest one of the source that is recorded."""

COUNT = 2
"""Formats that there are."""

DECODED_NS = 3
"""Until when what has been decoded would last, at `pacing`'s pace (CLOCK_MONOTONIC)."""

SEEN = 4
"""Bit n: sequence number `SEQUENCE` - n has come."""

SSRC = 5
"""The source that is recorded; -1 none yet."""

CANDIDATE = 6
"""SSRC << 16 | sequence number of the packet that would prove another source, or other numbers; -1 none."""

# --- formats, `FORMAT` words each ----------------------------------------------------------------------
FORMATS = 8
FORMAT = 4
MOST = 4

TYPE = 0
"""Payload type."""

DECODER = 1
"""Row of the coder table."""

RATE = 2
CLOCK = 3
"""Samples, and units of the RTP timestamp, in a second."""

WIDTH = FORMATS + MOST * FORMAT
