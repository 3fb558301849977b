"""Words of one recording's file, which three threads share; each word is written by one of them.

The main thread makes the file and begins with `FD`; the packet thread says what is in the recording's
queue; the writer takes it, and says when it is done with the file. What of a track has been written is
what has been taken.
"""

# --- the main thread's ------------------------------------------------------------------------------
FD = 0
"""Descriptor of the file; `NOT_YET` while it is being made, `NONE` if it can't be."""

TRACKS = 1
MOST = 2
"""Octets of sound that the header can say."""

# --- the packet thread's ----------------------------------------------------------------------------
READY = 8
"""Samples of each track that may be taken."""

ENDED = 9
"""1 once `READY` is the last."""

# --- the writer's -----------------------------------------------------------------------------------
TAKEN = 16
"""Samples of each track that are in the file, and whose place in the queue is free again."""

ERROR = 17
"""The error number that the system gave; nothing is written any more."""

DONE = 18
"""1 once neither the file nor the queue is touched any more."""

WIDTH = 24

NOT_YET = -1
NONE = -2

# --- a header, as the main thread makes it -------------------------------------------------------------
HEADER = 44
RIFF_AT = 4
DATA_AT = 40
"""Where its two lengths are: of all that follows, and of the sound."""
