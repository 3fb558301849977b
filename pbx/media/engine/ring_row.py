"""Records of the two rings between the main thread and the packet thread.

Each ring has one writer and one reader. Its cursors are two words, a cache line apart: the writer
counts what it has written with release order, the reader what it has taken.
"""

WIDTH = 24
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

SET = 1
RELEASE = 2
QUERY = 3
REARM = 4
"""A new exchange has come: what has timed out is to be said again."""

PROBE = 5
"""Like QUERY, without a stream: a sign of life."""

# --- a report -------------------------------------------------------------------------------------
KIND = 0
# ROW = 1
HAS_SOURCE = 2
LOST = 3
SOURCE = 4
COUNTS = 8
"""The stream row's words RECEIVED to RTCP_SENT, in that order."""

JITTER_16 = 17

LATCHED = 1
TIMEOUT = 2
RELEASED = 3
COUNTED = 4
COUNTED_ALL = 5
