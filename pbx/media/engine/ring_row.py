"""Records of the two rings between the main thread and each packet thread.

Each ring has one writer and one reader. Its cursors are two words, a cache line apart: the writer
counts what it has written with release order, the reader what it has taken.
"""

WIDTH = 32
COMMANDS = 1024
REPORTS = 2048

# --- cursors: words of one ring's cursor array ----------------------------------------------------
WRITTEN = 0
TAKEN = 8
CURSORS = 16

# --- a command: these two words, then a stream row's words 1 to 21 at 2 to 22 ---------------------
OPERATION = 0
ROW = 1
SETTINGS = 2

OUTBOUND = 24
INBOUND = 25
"""Of SET: addresses of the libsrtp sessions that protect what is sent, and unprotect what comes; 0 none."""

SET = 1
RELEASE = 2
QUERY = 3
REARM = 4
"""A new exchange has come: what has timed out is to be said again."""

PROBE = 5
"""Like QUERY, without a stream: a sign of life."""

SET_VOICE = 6
PLAY = 7
STOP_PLAYING = 8
SEND_DIGITS = 9
RECORD = 10
STOP_RECORDING = 11
STOP_VOICE = 12
TAP = 13

MOVE_OUT = 14
"""FIRST, SECOND: address and length of a table of `group_row`, which stays until ADOPTED: these go to
another packet thread, all at once."""

ADOPT = 15
"""Of the thread that they go to, the same words."""

END_DIGIT = 16

MOST_REPORTS = 4
"""Reports that one command may bring about at most: of a voice that is released what it has counted and
its end, then its SRTP sessions, and the stream's end."""

RESERVE = 64
"""Places of the report ring that digits and counts leave to what must not get lost."""

# --- a report -------------------------------------------------------------------------------------
KIND = 0
# ROW = 1
HAS_SOURCE = 2
LOST = 3
SOURCE = 4
COUNTS = 8
"""The stream row's words RECEIVED to RTCP_SENT, in that order."""

JITTER_US = 17
FORGED = 18
REPLAYED = 19
STREAM_WORST_MISSING = 20
STREAM_WORST_EXPECTED = 21
STREAM_ROUND_TRIP_NS = 22
STREAM_PEER_LOSS_256 = 23
STREAM_PEER_MOS_10 = 24

LATCHED = 1
TIMEOUT = 2
RELEASED = 3
COUNTED = 4
COUNTED_ALL = 5

# --- further reports: KIND, ROW, then ----------------------------------------------------------------
FIRST = 2
SECOND = 3

VOICE_COUNTED = 6
"""Before the COUNTED or RELEASED of the same row: the words of `VOICE_COUNTS`."""

DIGIT = 7
"""FIRST: its code (RFC 4733); SECOND: 1 if it was a tone."""

PLAYED = 8
"""ROW is the player's."""

VOICE_SET = 9
"""FIRST, SECOND: coder rows that the voice needs no longer; -1 none."""

VOICE_STOPPED = 10
"""After the VOICE_COUNTED of the same row."""

TAP_SET = 11
"""The decoders that the stream's tap had before are free."""

SESSIONS_FREE = 12
"""FIRST, SECOND: addresses of libsrtp sessions that nothing uses any more; 0 none."""

MOVED = 13
"""FIRST: the address that MOVE_OUT had."""

ADOPTED = 14
"""FIRST: the address that ADOPT had."""

DIGIT_ENDED = 15
"""FIRST: the code of the last DIGIT of the row; SECOND: how long it lasted, in milliseconds."""

LINE = 16
"""FIRST: `detect.LINE_EVENTS` of the row; SECOND: `detect.LINE_BURST`."""

# --- words of VOICE_COUNTED ---------------------------------------------------------------------------
LEVEL = 2
DELAY_US = 3
CONCEALED_US = 4
LATE = 5
RESYNCS = 6
EXPECTED = 7
MISSING = 8
WORST_EXPECTED = 9
WORST_MISSING = 10
ROUND_TRIP_NS = 11
PEER_LOSS_256 = 12
MOS_100 = 13
PEER_MOS_10 = 14
SPEAKS = 15
LATE_TICKS = 16
